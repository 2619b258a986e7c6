"""Connects and signs in to the maildrop: when to try again, and when to wait."""

import asyncio
import random
from math import ceil

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.pop3.session.login import login_delay, require_sendable, sign_in
from service.adapters.pop3.session.session import Session
from service.adapters.pop3.wire.connection import Connection
from service.adapters.pop3.wire.replies import EARLY
from service.adapters.pop3.wire.timing import Timing
from service.adapters.shared.sign_in.attempts import signed_in
from service.mail.errors import InUse, TooManyRequests, UpstreamUnavailable

PAUSES = (0.1, 0.25, 0.65)
"""The pauses between tries if the maildrop is in use, as fractions of ``Timing.in_use``; their sum is 1."""


class Dialer:
    """Never repeats a refused login. Repeats once a connection that failed before the login.

    The delay that a server announces (LOGIN-DELAY, RFC 2449, 6.5) is what it may demand, not what it does: Courier
    announces ten seconds and accepts logins within them. So it holds from the first login that is refused for it.
    """

    def __init__(self, endpoint: Endpoint, credentials: Credentials, timing: Timing) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._timing = timing
        self._announced_until = 0.0
        self._shut_until = 0.0
        self._is_strict: bool | None = None
        """Whether the server demands the delay that it announces; None as long as that is not known."""

    @property
    def delay(self) -> float:
        """Seconds for which the server may refuse another login: so long it is better to stay in a session."""
        return self._rest if self._is_strict is None else self.shut

    @property
    def shut(self) -> float:
        """Seconds for which the server is known to refuse another login."""
        return max(0.0, self._shut_until - _now())

    @property
    def _rest(self) -> float:
        return max(0.0, self._announced_until - _now(), self.shut)

    async def sign_in(self) -> Session:
        """A new session. Raises TooManyRequests, without asking the server, during a login delay that it demands,
        unless its rest is short; raises InUse if another client stays in the maildrop. The deadline includes the time
        for which a server itself waits for the other client before it refuses."""
        require_sendable(self._credentials)
        await self._wait_out_delay()
        try:
            return await self._sign_in()
        except TooManyRequests:
            if self.shut > self._timing.in_use:
                raise
        await self._wait_out_delay()
        return await self._sign_in()

    async def _sign_in(self) -> Session:
        deadline = _now() + self._timing.in_use
        for part in PAUSES:
            try:
                return await self._try()
            except InUse:
                pause = part * self._timing.in_use * jitter()
                if _now() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
        return await self._try()

    async def _wait_out_delay(self) -> None:
        if self.shut > self._timing.in_use:
            raise TooManyRequests(EARLY, retry_after=ceil(self.shut))
        await asyncio.sleep(self.shut)

    async def _try(self) -> Session:
        connection = await signed_in(self._credentials, self._logged_in)
        if self._rest:  # it accepted a login before the time
            self._is_strict = False
        self._announced_until = _now() + (login_delay(connection) or 0)
        self._shut_until = self._announced_until if self._is_strict else 0.0
        return Session(connection)

    async def _logged_in(self, credentials: Credentials) -> Connection:
        connection = await self._connect()
        try:
            await sign_in(connection, credentials, apop=self._endpoint.apop)
        except TooManyRequests as error:
            connection.abort()
            raise self._too_early(error) from None
        except BaseException:
            connection.abort()
            raise
        return connection

    def _too_early(self, error: TooManyRequests) -> TooManyRequests:
        """What is left of the delay counts, if the login that it began with was one of these."""
        seconds = self._rest or error.retry_after or 0
        self._is_strict = True
        self._shut_until = _now() + seconds
        return TooManyRequests(error.detail, retry_after=ceil(seconds))

    async def _connect(self) -> Connection:
        """Tries twice, unless the server itself says when to try again."""
        try:
            return await Connection.open(self._endpoint, self._timing)
        except UpstreamUnavailable as error:
            if error.retry_after is not None:
                raise
        await asyncio.sleep(self._timing.reconnect * jitter())
        return await Connection.open(self._endpoint, self._timing)


def _now() -> float:
    return asyncio.get_running_loop().time()


def jitter() -> float:
    """A factor for a pause, from a half to 1: replicas that were refused together do not try again together."""
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
