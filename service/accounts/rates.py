"""Rate limits: of requests by address and account, and of refused logins, against guessing passwords.

Counts are kept in windows of fixed length, in this process or in a Redis that replicas share. While the Redis fails,
each replica counts by itself: its failure locks no user out, and allows no client to guess without limit.
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

from service.accounts.credentials import Credentials
from service.accounts.windows import Windows
from service.mail.errors import ConsentRequired, LoginRefused, MailError, TooManyRequests
from service.mail.ids import account_id
from service.mail.model import Protocol
from service.telemetry import metrics
from service.telemetry.upstream import queued

PATIENCE = 0.25
"""Seconds the shared store has to answer. It is asked for every login, and for every request if they are limited."""
PROBE_PATIENCE = 2.0
RETREAT = 5.0
"""Seconds without a request to the store after it failed."""
TURN_SECONDS = 20.0
"""How long a login waits for its turn among the logins of its address, server or account."""
REFUSED_SECONDS = 60.0
"""How long a refused token is refused again without asking the mail server."""
REFUSED = 10_000
"""How many refused tokens are remembered."""
T = TypeVar("T")
_PROBE = parse("1/minute")
"""For the key that ``watch`` counts. Its bound has no effect."""
_log = structlog.get_logger("service.accounts.rates")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits, each as ``10/minute``, or None. Failures are refused logins."""

    address: str | None = None
    account: str | None = None
    address_failures: str | None = "100/minute"
    account_failures: str | None = "10/minute"
    server_failures: str | None = "1000/minute"
    account_messages: str | None = "1000/day"
    account_recipients: str | None = "5000/day"
    account_subscriptions: str | None = "60/hour"
    address_lookups: str | None = "60/minute"


@dataclass(frozen=True, slots=True)
class _Reservation:
    """What a login under way holds for one bound: its turn in this process, and its count in the store that has it."""

    turn: asyncio.Semaphore
    limiter: FixedWindowRateLimiter
    bound: RateLimitItem
    key: str


class Rates:
    """The counters. ``url`` is that of a Redis. ``key_of`` maps every name of a mail server to the one it is counted
    under."""

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
        """Whether requests are limited by address. If not, ``address`` has no effect."""
        return "address" in self._bounds

    async def address(self, address: str) -> None:
        """Count a request from this address. Raises TooManyRequests beyond the bound."""
        await self._count("address", network_of(address))

    async def lookup(self, address: str) -> None:
        """Count a request by a client that has not signed in, for which this service asks others. Raises
        TooManyRequests beyond the bound."""
        await self._count("address_lookups", network_of(address))

    async def account(self, credentials: Credentials) -> None:
        """Count a request for this account. Raises TooManyRequests beyond the bound."""
        await self._count("account", credentials.account)

    async def sending(self, credentials: Credentials, recipients: int) -> None:
        """Count a message to this many recipients. Raises TooManyRequests beyond a bound, so that a stolen token cannot
        send spam."""
        key = _mailbox(self._key_of(credentials.server), credentials.username)
        await self._count("account_messages", key)
        await self._count("account_recipients", key, recipients)

    async def subscribing(self, credentials: Credentials) -> None:
        """Count a device that is subscribed: it gets a push at an address that the app names. Raises TooManyRequests
        beyond the bound."""
        key = _mailbox(self._key_of(credentials.server), credentials.username)
        await self._count("account_subscriptions", key)

    @asynccontextmanager
    async def login(self, address: str, credentials: Credentials) -> AsyncIterator[None]:
        """Entered around a login by password. Raises TooManyRequests beyond a bound.

        The login is counted before it is tried, for its address, its mail server and its account, so that concurrent
        guesses count too. The count is returned if the login succeeds or stays undecided. It remains if the login is
        refused, or the client leaves before the answer.

        For each of the three, half of what the bound allows may be under way in this process at once; the next login
        waits, TURN_SECONDS at most. A burst of correct passwords does not look like guesses then.
        """
        reservations: list[_Reservation] = []
        is_counted = False
        try:
            for kind, key in self._counted_keys(address, credentials):
                reservations.append(await self._reserve(kind, key))
            is_counted = True
            yield
            is_counted = False
        except LoginRefused:
            raise
        except MailError:
            is_counted = False
            raise
        finally:
            await self._release(reservations, is_counted=is_counted)
        self._refused.pop(self._digest(credentials), None)

    @asynccontextmanager
    async def sealed(self, credentials: Credentials) -> AsyncIterator[None]:
        """Entered around a login with credentials from a sealed token.

        They worked when they were sealed, so the client is not guessing, and failures of others do not block it. If the
        mail server refuses them, it is not asked again for REFUSED_SECONDS: until then, raises LoginRefused at once.
        """
        digest = self._digest(credentials)
        if digest in self._refused:
            raise LoginRefused("The mail server rejected these credentials. Sign in again with POST /v1/sessions.")
        try:
            yield
        except ConsentRequired:
            raise  # the grant knows by itself that it is gone
        except LoginRefused:
            self._refused[digest] = True
            raise

    async def watch(self) -> None:
        """Probe the shared store until cancelled, at shutdown, so that the metrics show its loss and its return even if
        there are no logins. Returns at once if there is no shared store."""
        while self._shared:
            await self._probe(self._shared)
            await asyncio.sleep(RETREAT)

    async def _probe(self, shared: FixedWindowRateLimiter) -> None:
        """Sets the gauge and nothing else: each login finds out by itself whether the store answers."""
        try:
            async with asyncio.timeout(PROBE_PATIENCE):
                await shared.hit(_PROBE, "probe")
        except (StorageError, OSError):
            metrics.rates_fallback(True)
        else:
            metrics.rates_fallback(False)

    async def aclose(self) -> None:
        """Close the connection to the shared store."""
        if self._redis:
            bridge: Any = self._redis.bridge  # its declared type lacks what all of its classes have
            await bridge.get_connection().aclose()

    def _counted_keys(self, address: str, credentials: Credentials) -> list[tuple[str, str]]:
        """The kind and key of each bound that a login counts against."""
        server = self._key_of(credentials.server)
        keys = {
            "address_failures": network_of(address),
            "server_failures": server,
            "account_failures": _mailbox(server, credentials.username),
        }
        return [(kind, key) for kind, key in keys.items() if kind in self._bounds]

    async def _reserve(self, kind: str, key: str) -> _Reservation:
        """Raises TooManyRequests beyond the bound; then nothing is counted."""
        bound = self._bounds[kind]
        turn = await self._turn(f"{kind} {key}", max(1, bound.amount // 2))
        try:
            limiter, fits = await self._ask(lambda limiter: _hit(limiter, bound, kind, key))
            reservation = _Reservation(turn, limiter, bound, bound.key_for(kind, key))
            if not fits:
                await self._uncount(reservation)
                raise await self._too_many(kind, key)
        except BaseException:
            turn.release()
            raise
        return reservation

    async def _turn(self, key: str, limit: int) -> asyncio.Semaphore:
        """Returns the key's semaphore, acquired; the caller releases it. It lives as long as a login holds or awaits
        it."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Semaphore(limit)
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

    async def _release(self, reservations: list[_Reservation], *, is_counted: bool) -> None:
        """Returns the counts before the turns, so that the next login finds room."""
        try:
            for reservation in () if is_counted else reservations:
                await self._uncount(reservation)
        finally:
            for reservation in reservations:
                reservation.turn.release()

    async def _uncount(self, reservation: _Reservation) -> None:
        """Subtracts it in the store that counted it. If the shared store fails, it drops the count when the window
        ends."""
        storage = reservation.limiter.storage
        try:
            async with asyncio.timeout(PATIENCE):
                left = await storage.incr(reservation.key, reservation.bound.get_expiry(), amount=-1)
                if left < 0:  # the window it was counted in is over
                    await storage.clear(reservation.key)
        except (StorageError, OSError) as error:
            self._retreat(error)

    def _digest(self, credentials: Credentials) -> bytes:
        """Identifies credentials, secret included, without revealing them."""
        fields = (credentials.server, credentials.protocol, credentials.username, credentials.kind, credentials.secret)
        text = "\0".join(fields).encode(errors="surrogatepass")
        return blake2b(text, key=self._salt, digest_size=16).digest()

    async def _count(self, kind: str, key: str, cost: int = 1) -> None:
        bound = self._bounds.get(kind)
        if bound and not await self._ask(lambda limiter: limiter.hit(bound, kind, key, cost=cost)):
            raise await self._too_many(kind, key)

    async def _too_many(self, kind: str, key: str) -> TooManyRequests:
        stats = await self._ask(lambda limiter: limiter.get_window_stats(self._bounds[kind], kind, key))
        return TooManyRequests(retry_after=max(1, ceil(stats.reset_time - time.time())))

    async def _ask(self, work: Callable[[FixedWindowRateLimiter], Awaitable[T]]) -> T:
        """Runs ``work`` on the shared store, or on this process's counts if the store fails."""
        now = asyncio.get_running_loop().time()
        if self._shared and now >= self._retreat_until:
            try:
                async with asyncio.timeout(PATIENCE):
                    result = await work(self._shared)
            except (StorageError, OSError) as error:
                self._retreat(error)
            else:
                metrics.rates_fallback(False)
                return result
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
    """The address if it is IPv4, else its /64 network: a client with one IPv6 address has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _mailbox(server: str, username: str) -> str:
    """One key for a mailbox, independent of the protocol, the case of its name, and the host within a domain. A domain
    with a wildcard certificate (``*.example.org``) has as many names for one mail server as clients care to invent."""
    domain = ".".join(server.split(".")[-2:])
    return account_id(domain, Protocol.IMAP, username.strip().casefold())


def _redis(url: str) -> RedisStorage:
    timeouts = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return RedisStorage(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix="casella", **timeouts
    )
