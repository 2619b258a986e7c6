"""Session tokens that were revoked before they expire.

They are kept in this process, and in the Redis that replicas share if there is one. Without a Redis, other replicas
accept such a token until it expires. With one, they refuse it within ``FRESH`` seconds: an answer of the store is
reused for that long, so that not every request waits for it.

While the store fails, reads continue. So do writes with a token that the store confirmed within the last ``GRACE``
seconds. Other writes raise StoreUnavailable, because the token may have been revoked on another replica.
"""

import asyncio
import time
from collections.abc import Mapping
from itertools import islice
from math import ceil, inf
from typing import NamedTuple, Protocol

import structlog
from cachetools import TLRUCache, TTLCache

from service.mail.errors import StoreUnavailable, Unauthenticated

FRESH = 3.0
GRACE = 60.0
PATIENCE = 0.25
"""Seconds the store has for an answer."""
RETREAT = 5.0
"""Seconds without a request to the store after it failed."""
KEPT = 50_000
"""Revoked tokens in memory: 25 MB at most. Beyond that, the least recently used are left to the store."""
SEEN = 10_000
"""Valid tokens whose answer from the store is remembered."""
_AT_ONCE, _BATCH = 16, 500
_ENDED = "This session was ended. Sign in again with POST /v1/sessions."
_log = structlog.get_logger("service.accounts.revocation")


class TokenId(NamedTuple):
    """The id of one session token, and when it expires, in seconds since the epoch. It reveals nothing else."""

    value: str
    expires: int


class Store(Protocol):
    """The ended sessions that replicas share. Each method raises OSError if the store fails."""

    async def add(self, until: Mapping[str, int]) -> None: ...
    async def has(self, name: str) -> bool: ...
    async def aclose(self) -> None: ...


class Revocations:
    """The tokens that were revoked."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._ended: TLRUCache[str, int] = TLRUCache(KEPT, lambda _, expires, __: expires, time.time)
        self._unsent: set[str] = set()
        self._confirmed: TTLCache[str, float] = TTLCache(SEEN, GRACE)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._retreat_until = 0.0

    async def revoke(self, token: TokenId) -> None:
        """Refuses the token from now on, in this process at once.

        Raises Unauthenticated if it was revoked already. Raises StoreUnavailable if the store failed: the other
        replicas learn of it as soon as the store answers again.
        """
        if token.value not in self._unsent:
            await self.require_live(token, is_read=True)
        self._ended[token.value] = token.expires
        if self._store is None:
            return
        self._unsent.add(token.value)
        if len(self._unsent) > KEPT:
            self._unsent.intersection_update(self._ended)
        await self._ask(token)
        if token.value in self._unsent:
            raise StoreUnavailable(retry_after=ceil(RETREAT))

    async def require_live(self, token: TokenId, *, is_read: bool) -> None:
        """Raises Unauthenticated if the token was revoked, StoreUnavailable if that cannot be found out in time.

        At most one round trip to the store every ``FRESH`` seconds.
        """
        if token.value in self._ended:
            raise Unauthenticated(_ENDED)
        if self._store is None or self._is_fresh(token):
            return
        is_ended = await self._ask(token)
        if is_ended:
            self._ended[token.value] = token.expires
            raise Unauthenticated(_ENDED)
        if is_ended is None and not is_read and token.value not in self._confirmed:
            raise StoreUnavailable(retry_after=ceil(RETREAT))

    async def aclose(self) -> None:
        """Close the connection to the store."""
        if self._store:
            await self._store.aclose()

    def _is_fresh(self, token: TokenId) -> bool:
        return self._confirmed.get(token.value, -inf) + FRESH > time.monotonic()

    async def _ask(self, token: TokenId) -> bool | None:
        """Whether the store has the token as ended, after the unsent ones were sent to it. None if the store fails."""
        assert self._store is not None
        async with self._turns:
            began = time.monotonic()
            if began < self._retreat_until:
                return None
            if self._is_fresh(token) and not self._unsent:
                return False
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._send()
                    is_ended = await self._store.has(token.value)
            except OSError as error:
                self._fail(error)
                return None
        if not is_ended:
            self._confirmed[token.value] = began
        return is_ended

    async def _send(self) -> None:
        batch = list(islice(self._unsent, _BATCH))
        until = {name: self._ended[name] for name in batch if name in self._ended}
        if until:
            assert self._store is not None
            await self._store.add(until)
        self._unsent.difference_update(batch)

    def _fail(self, error: OSError) -> None:
        """Everything known here is sent again later: the store may come back empty."""
        self._retreat_until = time.monotonic() + RETREAT
        self._unsent.update(self._ended)
        _log.warning("the shared store of ended sessions fails", kind=str(error) or type(error).__name__)
