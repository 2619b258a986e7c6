"""Who is in the maildrop, and when it is left: POP3 lets one client in at a time, so requests take turns."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from math import ceil
from typing import TypeVar

from service.accounts import Credentials
from service.adapters.pop3.connection import Connection
from service.adapters.pop3.login import demand_sendable, login_delay, sign_in
from service.adapters.pop3.replies import EARLY, IN_USE_SECONDS, PROTOCOL
from service.adapters.pop3.session import Session
from service.adapters.pop3.timing import Timing
from service.mail.errors import InUse, MailError, ServerBusy, TooManyRequests, UpstreamProtocol, UpstreamUnavailable
from service.servers import Endpoint

T = TypeVar("T")
PAUSES = (0.1, 0.25, 0.65)
"""Parts of ``Timing.in_use`` between the tries at a maildrop that is in use; their sum is the whole."""


class Door:
    """First come, first served. A session outlives its request by a short while, so that a burst needs one login."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, timing: Timing) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._timing = timing
        self._turn = asyncio.Lock()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._failed: MailError | None = None
        self._shut_until = 0.0
        """When the server's login delay is over, by the loop's clock."""

    async def reading(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """``work`` in a session; once more in a new one where the server had closed the one that lingered."""
        async with self.enter() as session:
            try:
                return await work(session)
            except UpstreamUnavailable:
                if not session.reused or session.alive:
                    raise
        async with self.enter() as session:
            return await work(session)

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[Session]:
        """ServerBusy where the turn does not come in time. A login that fails has failed for all who waited for it:
        ten requests with a wrong password are one login."""
        failed = self._failed
        await self._queue()
        try:
            self._stop_timer()
            if self._failed is not None and self._failed is not failed:
                raise copy(self._failed)
            yield await self._current()
        except UpstreamProtocol:
            if self._session is not None:  # whatever it says next is not to be believed either
                self._session.connection.abort()
            raise
        finally:
            self._linger()
            self._turn.release()

    async def aclose(self) -> None:
        """QUIT if nobody is inside; whoever is loses the connection, and with it any deletion not yet confirmed."""
        self._stop_timer()
        if self._leaving is not None:
            with suppress(asyncio.CancelledError):
                await self._leaving
        session, self._session = self._session, None
        if session is None:
            return
        if self._turn.locked():
            await session.connection.close()
        else:
            await session.connection.leave()

    async def _queue(self) -> None:
        try:
            async with asyncio.timeout(self._timing.queue):
                await self._turn.acquire()
        except TimeoutError:
            raise ServerBusy(protocol=PROTOCOL, retry_after=IN_USE_SECONDS) from None

    async def _current(self) -> Session:
        """The session that lingers while it is fit, else a new one."""
        session, self._session = self._session, None
        if session is not None and self._fit(session):
            session.reused = True
        else:
            if session is not None and session.alive:
                await session.connection.leave()
                await asyncio.sleep(self._timing.aside * _jitter())
            session = await self._open()
        self._session = session
        return session

    def _fit(self, session: Session) -> bool:
        """Old ones too, while the server would refuse a new one."""
        return session.alive and (_now() - session.opened < self._timing.session or self._delay > 0)

    @property
    def _delay(self) -> float:
        """Seconds until the server takes another login (RFC 2449, 6.5)."""
        return max(0.0, self._shut_until - _now())

    async def _open(self) -> Session:
        try:
            demand_sendable(self._credentials)
            await self._wait_out_delay()
            return await self._sign_in_patiently()
        except MailError as error:
            self._failed = copy(error)
            raise

    async def _wait_out_delay(self) -> None:
        if self._delay > self._timing.in_use:
            raise TooManyRequests(EARLY, retry_after=ceil(self._delay))
        await asyncio.sleep(self._delay)

    async def _sign_in_patiently(self) -> Session:
        """A maildrop in use is tried again for a while; a refused login never."""
        deadline = _now() + self._timing.in_use  # a server may itself wait for the other client before it refuses
        for part in PAUSES:
            try:
                return await self._sign_in()
            except InUse:
                pause = part * self._timing.in_use * _jitter()
                if _now() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
        return await self._sign_in()

    async def _sign_in(self) -> Session:
        connection = await self._connect()
        try:
            await sign_in(connection, self._credentials, apop=self._endpoint.apop)
        except TooManyRequests as error:
            self._shut_until = _now() + (error.retry_after or 0)
            connection.abort()
            raise
        except BaseException:
            connection.abort()
            raise
        self._shut_until = _now() + (login_delay(connection) or 0)
        return Session(connection)

    async def _connect(self) -> Connection:
        """A connection that fails before any login is tried once more, unless the server itself asks for patience."""
        try:
            return await Connection.open(self._endpoint, self._timing)
        except UpstreamUnavailable as error:
            if error.retry_after is not None:
                raise
        await asyncio.sleep(self._timing.reconnect * _jitter())
        return await Connection.open(self._endpoint, self._timing)

    def _linger(self) -> None:
        session = self._session
        if session is None:
            return
        if session.alive:
            stay = max(self._timing.linger, self._delay)  # while nobody is let in, it is in nobody's way
            self._timer = asyncio.get_running_loop().call_later(stay, self._expire)
        else:
            session.connection.abort()
            self._session = None

    def _expire(self) -> None:
        self._timer = None
        self._leaving = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        if self._turn.locked():
            return
        async with self._turn:
            session, self._session = self._session, None
            if session is not None:
                with suppress(MailError):
                    await session.connection.leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _jitter() -> float:
    """Half to all of a pause, so that replicas that were refused together do not come back together."""
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
