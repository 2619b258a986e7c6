"""Session tokens that were taken back before they expire.

They are kept in this process, and in the Redis that replicas share if there is one. Without it, other replicas go on
taking such a token until it expires. With it, they refuse it within ``FRESH`` seconds: for so long the store's word is
believed, so that not every request waits for it.

While the store cannot be asked, reads go on. So do writes with a token that the store knew to be good within ``GRACE``
seconds; other writes raise StoreUnavailable, because the token may have been taken back elsewhere.
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
"""Seconds it is left alone after it failed."""
KEPT = 50_000
"""Tokens that were taken back, in memory: 25 MB at most. Beyond, those asked for longest ago are left to the store."""
SEEN = 10_000
"""Good tokens that the store need not be asked about again."""
_AT_ONCE, _BATCH = 16, 500
_ENDED = "This session was ended. Sign in again with POST /v1/sessions."
_log = structlog.get_logger("service.accounts.revocation")


class TokenId(NamedTuple):
    """What one session token is called, and when it expires, in seconds since the epoch. It reveals nothing else."""

    value: str
    expires: int


class Store(Protocol):
    """What replicas share. Each method raises OSError if it cannot be asked."""

    async def add(self, until: Mapping[str, int]) -> None: ...
    async def has(self, name: str) -> bool: ...
    async def aclose(self) -> None: ...


class Revocations:
    """Which tokens were taken back."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._ended: TLRUCache[str, int] = TLRUCache(KEPT, lambda _, expires, __: expires, time.time)
        self._unsent: set[str] = set()
        self._good: TTLCache[str, float] = TTLCache(SEEN, GRACE)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._retreat_until = 0.0

    async def revoke(self, token: TokenId) -> None:
        """Refuses the token from now on, here at once.

        Raises Unauthenticated if it was taken back already, and StoreUnavailable if the other replicas could not be
        informed; they are, as soon as the store answers again.
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
        """Raises Unauthenticated if the token was taken back, StoreUnavailable if that is not known well enough.

        A round trip to the store at most every ``FRESH`` seconds.
        """
        if token.value in self._ended:
            raise Unauthenticated(_ENDED)
        if self._store is None or self._is_fresh(token):
            return
        is_ended = await self._ask(token)
        if is_ended:
            self._ended[token.value] = token.expires
            raise Unauthenticated(_ENDED)
        if is_ended is None and not is_read and token.value not in self._good:
            raise StoreUnavailable(retry_after=ceil(RETREAT))

    async def aclose(self) -> None:
        """Leave the store."""
        if self._store:
            await self._store.aclose()

    def _is_fresh(self, token: TokenId) -> bool:
        return self._good.get(token.value, -inf) + FRESH > time.monotonic()

    async def _ask(self, token: TokenId) -> bool | None:
        """Whether the store knows the token as ended, after it was sent what it lacks. None if it cannot be asked."""
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
            self._good[token.value] = began
        return is_ended

    async def _send(self) -> None:
        batch = list(islice(self._unsent, _BATCH))
        until = {name: self._ended[name] for name in batch if name in self._ended}
        if until:
            assert self._store is not None
            await self._store.add(until)
        self._unsent.difference_update(batch)

    def _fail(self, error: OSError) -> None:
        """Whatever is known here is sent again: the store may come back empty."""
        self._retreat_until = time.monotonic() + RETREAT
        self._unsent.update(self._ended)
        _log.warning("the shared store of ended sessions fails", kind=str(error) or type(error).__name__)
