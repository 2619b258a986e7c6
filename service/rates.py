"""How often: requests by address and account, and a brake on guessing passwords.

Counted in windows of fixed length, in this process or in a Redis that replicas share. While that cannot be reached each
replica counts for itself: nobody is locked out by it, and nobody may guess without end.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Any, TypeVar

import structlog
from limits import parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from service import metrics
from service.accounts import Credentials
from service.mail.errors import LoginRefused, MailError, TooManyRequests
from service.mail.ids import account_id
from service.mail.model import Protocol

PATIENCE = 0.25
"""Seconds the shared store has for an answer; it is asked for every login, and where requests are counted for each."""
PROBE_PATIENCE = 2.0
RETREAT = 5.0
"""Seconds it is left alone after it failed."""
T = TypeVar("T")
_PROBE = parse("1/minute")
"""Of the key that ``watch`` counts; its bound is not used."""
_log = structlog.get_logger("service.rates")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Each as ``10/minute``; None does not count. Failures are refused logins."""

    address: str | None = None
    account: str | None = None
    address_failures: str | None = "100/minute"
    account_failures: str | None = "10/minute"
    server_failures: str | None = "1000/minute"


class Rates:
    """The counters. ``url`` is that of a Redis."""

    def __init__(self, bounds: Bounds, url: str | None = None) -> None:
        self._bounds = {kind: parse(bound) for kind, bound in asdict(bounds).items() if bound}
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._redis = _redis(url) if url else None
        self._shared = FixedWindowRateLimiter(self._redis) if self._redis else None
        self._retreat_until = 0.0

    @property
    def counts_addresses(self) -> bool:
        """Whether ``address`` does anything."""
        return "address" in self._bounds

    async def address(self, address: str) -> None:
        """A request of this address. TooManyRequests beyond the bound."""
        await self._count("address", network_of(address))

    async def account(self, credentials: Credentials) -> None:
        """A request for this account. TooManyRequests beyond the bound."""
        await self._count("account", credentials.account)

    @asynccontextmanager
    async def login(self, address: str, credentials: Credentials) -> AsyncIterator[None]:
        """Around a login. Of the account it is counted before, so that guesses made at once count too, and given back
        unless it is refused; a success gives nothing back of others' failures."""
        who = _who(credentials)
        elsewhere = {"address_failures": network_of(address), "server_failures": credentials.server}
        for kind, key in elsewhere.items():
            await self._demand_room(kind, key)
        await self._count("account_failures", who)
        try:
            yield
        except LoginRefused:
            for kind, key in elsewhere.items():
                await self._hit(kind, key)
            raise
        except MailError:
            await self._hit("account_failures", who, -1)
            raise
        await self._hit("account_failures", who, -1)

    async def watch(self) -> None:
        """Counts something in the shared store for ever, so that the metrics show its loss and its return although
        nobody signs in; cancelled at shutdown. Returns at once if there is no shared store."""
        while self._shared:
            await self._probe(self._shared)
            await asyncio.sleep(RETREAT)

    async def _probe(self, shared: FixedWindowRateLimiter) -> None:
        """Changes the gauge alone: who asks for a login finds out for itself."""
        try:
            async with asyncio.timeout(PROBE_PATIENCE):
                await shared.hit(_PROBE, "probe")
        except (StorageError, OSError):
            metrics.rates_fallback(True)
        else:
            metrics.rates_fallback(False)

    async def aclose(self) -> None:
        """Leave the shared store."""
        if self._redis:
            bridge: Any = self._redis.bridge  # its base lacks what all of its kinds have
            await bridge.get_connection().aclose()

    async def _count(self, kind: str, key: str) -> None:
        if not await self._hit(kind, key):
            raise await self._too_many(kind, key)

    async def _demand_room(self, kind: str, key: str) -> None:
        bound = self._bounds.get(kind)
        if bound and not await self._ask(lambda limiter: limiter.test(bound, kind, key)):
            raise await self._too_many(kind, key)

    async def _hit(self, kind: str, key: str, cost: int = 1) -> bool:
        bound = self._bounds.get(kind)
        return bound is None or await self._ask(lambda limiter: limiter.hit(bound, kind, key, cost=cost))

    async def _too_many(self, kind: str, key: str) -> TooManyRequests:
        stats = await self._ask(lambda limiter: limiter.get_window_stats(self._bounds[kind], kind, key))
        return TooManyRequests(retry_after=max(1, ceil(stats.reset_time - time.time())))

    async def _ask(self, work: Callable[[FixedWindowRateLimiter], Awaitable[T]]) -> T:
        """Of the shared store where it answers."""
        now = asyncio.get_running_loop().time()
        if self._shared and now >= self._retreat_until:
            try:
                async with asyncio.timeout(PATIENCE):
                    done = await work(self._shared)
            except (StorageError, OSError) as error:
                self._retreat_until = now + RETREAT
                metrics.rates_fallback(True)
                _log.warning("the shared store of rates fails", kind=type(error).__name__)
            else:
                metrics.rates_fallback(False)
                return done
        return await work(self._own)


def network_of(address: str) -> str:
    """Whoever has an IPv6 address has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


def _who(credentials: Credentials) -> str:
    """The mailbox, however its name is written and by whichever protocol."""
    return account_id(credentials.server, Protocol.IMAP, credentials.username.strip().casefold())


def _redis(url: str) -> RedisStorage:
    timeouts = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix="casella", **timeouts
    )
