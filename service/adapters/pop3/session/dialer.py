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
from service.mail.errors import InUse, TooManyRequests, UpstreamUnavailable

PAUSES = (0.1, 0.25, 0.65)
"""The pauses between tries if the maildrop is in use, as fractions of ``Timing.in_use``; their sum is 1."""


class Dialer:
    """Never repeats a refused login. Repeats once a connection that failed before the login."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, timing: Timing) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._timing = timing
        self._shut_until = 0.0

    @property
    def delay(self) -> float:
        """Seconds until the server accepts another login (RFC 2449, 6.5)."""
        return max(0.0, self._shut_until - _now())

    async def sign_in(self) -> Session:
        """A new session. Raises TooManyRequests, without asking the server, during its login delay; raises InUse if
        another client stays in the maildrop. The deadline includes the time for which a server itself waits for the
        other client before it refuses."""
        require_sendable(self._credentials)
        await self._wait_out_delay()
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
        if self.delay > self._timing.in_use:
            raise TooManyRequests(EARLY, retry_after=ceil(self.delay))
        await asyncio.sleep(self.delay)

    async def _try(self) -> Session:
        connection = await self._connect()
        try:
            await sign_in(connection, self._credentials, apop=self._endpoint.apop)
        except BaseException as error:
            connection.abort()
            if isinstance(error, TooManyRequests):
                self._shut_for(error.retry_after)
            raise
        self._shut_for(login_delay(connection))
        return Session(connection)

    def _shut_for(self, seconds: int | None) -> None:
        self._shut_until = _now() + (seconds or 0)

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
