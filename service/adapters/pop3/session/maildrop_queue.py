"""The order of requests at the maildrop. POP3 admits one client at a time, so requests take turns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import TypeVar

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.pop3.session.dialer import Dialer, jitter
from service.adapters.pop3.session.session import Outdated, Session
from service.adapters.pop3.wire.replies import IN_USE_SECONDS, PROTOCOL
from service.adapters.pop3.wire.timing import Timing
from service.mail.errors import MailError, ServerBusy, UpstreamProtocol, UpstreamUnavailable
from service.telemetry.upstream import queued

T = TypeVar("T")


class MaildropQueue:
    """First come, first served. A session lingers for a while after its request, so that a burst needs one login."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, timing: Timing) -> None:
        self._dialer = Dialer(endpoint, credentials, timing)
        self._timing = timing
        self._turn = asyncio.Lock()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._failed: MailError | None = None

    async def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Runs ``work`` in a session; again in a new one if the server had closed the lingering one, or if that one no
        longer shows the maildrop as it is."""
        async with self.session() as session:
            try:
                return await work(session)
            except Outdated:
                await session.connection.leave()
            except UpstreamUnavailable:
                if not session.reused or session.alive:
                    raise
        async with self.session() as session:
            session.reused = False  # whichever request opened it, it is newer than this one
            return await work(session)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A session for one request. Raises ServerBusy if its turn does not come in time. A login that fails has failed
        for all requests that waited meanwhile: ten requests with a wrong password make one login."""
        failed = self._failed
        await self._wait_for_turn()
        try:
            self._stop_timer()
            if self._failed is not None and self._failed is not failed:
                raise copy(self._failed)
            yield await self._current()
        except UpstreamProtocol:
            if self._session is not None:  # nothing that the server says next can be relied on
                self._session.connection.abort()
            raise
        finally:
            self._linger()
            self._turn.release()

    async def aclose(self) -> None:
        """Sends QUIT if no request is in the maildrop; otherwise aborts, and unconfirmed deletions do not happen."""
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

    async def _wait_for_turn(self) -> None:
        try:
            with queued("maildrop"):
                async with asyncio.timeout(self._timing.queue):
                    await self._turn.acquire()
        except TimeoutError:
            raise ServerBusy(protocol=PROTOCOL, retry_after=IN_USE_SECONDS) from None

    async def _current(self) -> Session:
        """The lingering session if it can be used, otherwise a new one."""
        session, self._session = self._session, None
        if session is not None and self._is_fit(session):
            session.reused, session.is_renewable = True, not self._dialer.shut
        else:
            if session is not None:
                await self._step_out(session)
            session = await self._open()
        self._session = session
        return session

    async def _step_out(self, session: Session) -> None:
        """Leaves the maildrop for a moment after a long burst, so that other clients get in."""
        if session.alive:
            await session.connection.leave()
            await asyncio.sleep(self._timing.aside * jitter())
        else:
            session.connection.abort()

    async def _open(self) -> Session:
        try:
            return await self._dialer.sign_in()
        except MailError as error:
            self._failed = copy(error)
            raise

    def _is_fit(self, session: Session) -> bool:
        """Whether the session can be used. An old one can while the server would refuse a new login."""
        age = asyncio.get_running_loop().time() - session.opened
        return session.alive and (age < self._timing.session or self._dialer.delay > 0)

    def _linger(self) -> None:
        session = self._session
        if session is None:
            return
        if session.alive:
            stay = max(self._timing.linger, self._dialer.delay)  # during the login delay no other client could get in
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
