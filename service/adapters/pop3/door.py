"""Who is in the maildrop, and when it is left: POP3 lets one client in at a time, so requests take turns."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from service.accounts import Credentials
from service.adapters.pop3.connection import Connection
from service.adapters.pop3.login import demand_sendable, sign_in
from service.adapters.pop3.replies import IN_USE_SECONDS, PROTOCOL
from service.adapters.pop3.session import Session
from service.adapters.pop3.timing import Timing
from service.mail.errors import InUse, MailError, ServerBusy, UpstreamProtocol, UpstreamUnavailable
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
        """ServerBusy where the turn does not come in time."""
        await self._queue()
        try:
            self._stop_timer()
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
            if session is not None:
                await session.connection.leave()
            session = await self._open()
        self._session = session
        return session

    def _fit(self, session: Session) -> bool:
        return session.alive and asyncio.get_running_loop().time() - session.opened < self._timing.session

    async def _open(self) -> Session:
        """A maildrop in use is tried again for a while; a refused login never."""
        demand_sendable(self._credentials)
        for pause in PAUSES:
            try:
                return await self._sign_in()
            except InUse:
                await asyncio.sleep(pause * self._timing.in_use * _jitter())
        return await self._sign_in()

    async def _sign_in(self) -> Session:
        connection = await self._connect()
        try:
            await sign_in(connection, self._credentials)
        except BaseException:
            connection.abort()
            raise
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
            self._timer = asyncio.get_running_loop().call_later(self._timing.linger, self._expire)
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


def _jitter() -> float:
    """Half to all of a pause, so that replicas that were refused together do not come back together."""
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
