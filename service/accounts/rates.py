"""How often: requests by address and account, and a brake on guessing passwords.

Counted in windows of fixed length, in this process or in a Redis that replicas share. While that cannot be reached each
replica counts for itself: nobody is locked out by it, and nobody may guess without end.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from secrets import token_bytes
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog
from cachetools import TTLCache
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from service.accounts.live import Credentials
from service.accounts.windows import Windows
from service.mail.errors import LoginRefused, MailError, TooManyRequests
from service.mail.ids import account_id
from service.mail.model import Protocol
from service.telemetry import metrics
from service.telemetry.upstream import queued

PATIENCE = 0.25
"""Seconds the shared store has for an answer; it is asked for every login, and where requests are counted for each."""
PROBE_PATIENCE = 2.0
RETREAT = 5.0
"""Seconds it is left alone after it failed."""
TURN_SECONDS = 20.0
"""How long a login waits for its turn among those of its address, server or account."""
REFUSED_SECONDS = 60.0
"""How long a refused token is refused again without the mail server being asked."""
REFUSED = 10_000
"""Refused tokens that are remembered."""
T = TypeVar("T")
_PROBE = parse("1/minute")
"""Of the key that ``watch`` counts; its bound is not used."""
_log = structlog.get_logger("service.accounts.rates")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Each as ``10/minute``; None does not count. Failures are refused logins."""

    address: str | None = None
    account: str | None = None
    address_failures: str | None = "100/minute"
    account_failures: str | None = "10/minute"
    server_failures: str | None = "1000/minute"


@dataclass(frozen=True, slots=True)
class _Held:
    """A login under way: its turn in this process, and the count of it where it was made."""

    turn: asyncio.Semaphore
    limiter: FixedWindowRateLimiter
    bound: RateLimitItem
    key: str


class Rates:
    """The counters. ``url`` is that of a Redis; ``key_of`` gives the name under which a mail server is counted, for
    each name that it can be called by."""

    def __init__(self, bounds: Bounds, url: str | None = None, key_of: Callable[[str], str] = str) -> None:
        self._bounds = {kind: parse(bound) for kind, bound in asdict(bounds).items() if bound}
        self._key_of = key_of
        self._own = FixedWindowRateLimiter(Windows())
        self._redis = _redis(url) if url else None
        self._shared = FixedWindowRateLimiter(self._redis) if self._redis else None
        self._retreat_until = 0.0
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._refused: TTLCache[bytes, bool, float] = TTLCache(REFUSED, REFUSED_SECONDS, timer=time.monotonic)
        self._salt = token_bytes()

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
        """Around a login by password. It is counted before it is tried, for its address, its mail server and its
        account, so that guesses made at once count too. The count is given back if the login succeeds or is not
        decided; it stays if the login is refused, or its caller leaves before the answer.

        For each of the three, half of what the bound allows may be under way in this process at once; the next waits,
        TURN_SECONDS at most. So many right passwords at once are not taken for guesses.
        """
        held: list[_Held] = []
        is_spent = False
        try:
            for kind, key in self._places(address, credentials):
                held.append(await self._reserve(kind, key))
            is_spent = True
            yield
            is_spent = False
        except LoginRefused:
            raise
        except MailError:
            is_spent = False
            raise
        finally:
            await self._release(held, is_spent=is_spent)
        self._refused.pop(self._digest(credentials), None)

    @asynccontextmanager
    async def sealed(self, credentials: Credentials) -> AsyncIterator[None]:
        """Around a login with credentials out of a sealed token. They worked when they were sealed, so whoever sends
        them does not guess, and the failures of others do not hold them up. If they are refused now, the mail server
        is not asked about them for REFUSED_SECONDS: LoginRefused at once."""
        digest = self._digest(credentials)
        if digest in self._refused:
            raise LoginRefused("The mail server rejected these credentials. Sign in again with POST /v1/sessions.")
        try:
            yield
        except LoginRefused:
            self._refused[digest] = True
            raise

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

    def _places(self, address: str, credentials: Credentials) -> list[tuple[str, str]]:
        """Where a login counts, and is bounded: kind and key."""
        server = self._key_of(credentials.server)
        places = {
            "address_failures": network_of(address),
            "server_failures": server,
            "account_failures": _mailbox(server, credentials.username),
        }
        return [(kind, key) for kind, key in places.items() if kind in self._bounds]

    async def _reserve(self, kind: str, key: str) -> _Held:
        """TooManyRequests beyond the bound; then nothing is counted."""
        bound = self._bounds[kind]
        turn = await self._turn(f"{kind} {key}", max(1, bound.amount // 2))
        try:
            limiter, fits = await self._ask(lambda limiter: _hit(limiter, bound, kind, key))
            held = _Held(turn, limiter, bound, bound.key_for(kind, key))
            if not fits:
                await self._give_back(held)
                raise await self._too_many(kind, key)
        except BaseException:
            turn.release()
            raise
        return held

    async def _turn(self, place: str, most: int) -> asyncio.Semaphore:
        """Taken; whoever is done releases it. It is forgotten when nobody holds it or waits for it."""
        turn = self._turns.get(place)
        if turn is None:
            turn = self._turns[place] = asyncio.Semaphore(most)
        if not turn.locked():
            await turn.acquire()
            return turn
        try:
            with queued("login"):
                async with asyncio.timeout(TURN_SECONDS):
                    await turn.acquire()
        except TimeoutError:
            raise TooManyRequests("Too many logins at once. Wait before the next.", retry_after=5) from None
        return turn

    async def _release(self, held: list[_Held], *, is_spent: bool) -> None:
        """The count before the turn: whoever is next finds room."""
        try:
            for one in () if is_spent else held:
                await self._give_back(one)
        finally:
            for one in held:
                one.turn.release()

    async def _give_back(self, held: _Held) -> None:
        """Where it was counted. What the shared store does not take back, it forgets at its window's end."""
        storage = held.limiter.storage
        try:
            async with asyncio.timeout(PATIENCE):
                left = await storage.incr(held.key, held.bound.get_expiry(), amount=-1)
                if left < 0:  # the window it was counted in is over
                    await storage.clear(held.key)
        except (StorageError, OSError) as error:
            self._retreat(error)

    def _digest(self, credentials: Credentials) -> bytes:
        """Stands for credentials, secret included, and does not tell them."""
        words = (credentials.server, credentials.protocol, credentials.username, credentials.kind, credentials.secret)
        text = "\0".join(words).encode(errors="surrogatepass")
        return blake2b(text, key=self._salt, digest_size=16).digest()

    async def _count(self, kind: str, key: str) -> None:
        bound = self._bounds.get(kind)
        if bound and not await self._ask(lambda limiter: limiter.hit(bound, kind, key)):
            raise await self._too_many(kind, key)

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
                self._retreat(error)
            else:
                metrics.rates_fallback(False)
                return done
        return await work(self._own)

    def _retreat(self, error: Exception) -> None:
        self._retreat_until = asyncio.get_running_loop().time() + RETREAT
        metrics.rates_fallback(True)
        _log.warning("the shared store of rates fails", kind=type(error).__name__)


async def _hit(
    limiter: FixedWindowRateLimiter, bound: RateLimitItem, kind: str, key: str
) -> tuple[FixedWindowRateLimiter, bool]:
    return limiter, await limiter.hit(bound, kind, key)


def network_of(address: str) -> str:
    """Whoever has an IPv6 address has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


def _mailbox(server: str, username: str) -> str:
    """The mailbox, however its name is written, by whichever protocol, and at whichever host of a domain. A domain with
    a certificate for all of its hosts (``*.example.org``) has as many names for one mail server as callers make up."""
    domain = ".".join(server.split(".")[-2:])
    return account_id(domain, Protocol.IMAP, username.strip().casefold())


def _redis(url: str) -> RedisStorage:
    timeouts = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix="casella", **timeouts
    )
