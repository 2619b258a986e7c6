"""The ended sessions that replicas share in Redis. Imported only if a Redis is set: its client is an extra."""

import time
from collections.abc import Mapping
from math import ceil

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_PREFIX = "casella:ended:"


class RedisStore:
    """The ids of ended sessions. Raises OSError for every failure of the store.

    ``patience`` is in seconds, for each step of a connection and each answer.
    """

    def __init__(self, url: str, patience: float) -> None:
        self._client = Redis.from_url(
            url.replace("redis+unix", "unix", 1),
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 1),  # a connection that the store closed as idle is not a failure
        )

    async def add(self, until: Mapping[str, int]) -> None:
        """Keep each id until its time, in seconds since the epoch. One round trip."""
        now = time.time()
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for name, end in until.items():
                    pipeline.set(_PREFIX + name, b"1", ex=max(1, ceil(end - now)))
                await pipeline.execute()
        except RedisError as error:
            raise OSError(type(error).__name__) from None

    async def has(self, name: str) -> bool:
        """Whether the id is kept. One round trip."""
        try:
            return bool(await self._client.exists(_PREFIX + name))
        except RedisError as error:
            raise OSError(type(error).__name__) from None

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()
