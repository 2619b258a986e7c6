"""Which connection for whom: a few a mailbox, each with the folder it has selected."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from service.adapters.imap.connection import Connection
from service.mail.errors import ServerBusy, UpstreamProtocol, UpstreamUnavailable


class Pool:
    """At most ``limit`` connections. Who finds none waits in turn, ``patience`` seconds at most."""

    def __init__(
        self, open_connection: Callable[[], Awaitable[Connection]], limit: int = 4, patience: float = 20.0
    ) -> None:
        self._open = open_connection
        self._limit = limit
        self._patience = patience
        self._idle: list[Connection] = []  # the one used last is last
        self._count = 0  # open, being opened or promised to somebody who waits
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Any connection; what it has selected may change under whoever holds it."""
        async with self._held(None) as connection:
            yield connection

    @asynccontextmanager
    async def selected(self, folder: bytes) -> AsyncIterator[Connection]:
        """A connection with ``folder`` selected: one that has it, else one that has none, else a new one below the
        limit, else one that has another."""
        async with self._held(folder) as connection:
            if connection.selected is None or connection.selected.name != folder:
                await connection.select(folder)
            yield connection

    @asynccontextmanager
    async def _held(self, folder: bytes | None) -> AsyncIterator[Connection]:
        connection = await self._acquire(folder)
        try:
            yield connection
        except UpstreamProtocol as error:  # what was read makes no sense: nothing more is read here
            connection.fail(error)
            raise
        finally:
            connection.is_fresh = False
            self._release(connection)

    async def _acquire(self, folder: bytes | None) -> Connection:
        self._drop_closed()
        if (found := self._take_idle(folder)) is not None:
            return found
        if self._count >= self._limit:
            if self._idle:
                return self._idle.pop(0)
            if (handed := await self._wait()) is not None:
                return handed
        else:
            self._count += 1
        try:
            return await self._open()
        except BaseException:
            self._release(None)
            raise

    def _take_idle(self, folder: bytes | None) -> Connection | None:
        """The one used last that has the folder; else one that has none; for who needs no folder, any."""
        names = [connection.selected.name if connection.selected else None for connection in self._idle]
        for wanted in (folder, None):
            for at in range(len(names) - 1, -1, -1):
                if folder is None or names[at] == wanted:
                    return self._idle.pop(at)
        return None

    async def _wait(self) -> Connection | None:
        """A connection, or None: the right to open one."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._release(turn.result())
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise ServerBusy(protocol="imap", retry_after=2) from None
            raise

    def _release(self, connection: Connection | None) -> None:
        """Hand on what is usable, to who waits longest; else the right to open another."""
        if connection is not None and (self._closed or not connection.is_open):
            connection.fail(ServerBusy("The connection was given up.", protocol="imap"))
            connection = None
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._count -= 1
        else:
            self._idle.append(connection)

    def _drop_closed(self) -> None:
        alive = [connection for connection in self._idle if connection.is_open]
        self._count -= len(self._idle) - len(alive)
        self._idle = alive

    def forget(self, folder: bytes) -> None:
        """The folder is about to go or to be renamed, with what lies below it: idle connections that have it selected
        are closed. Dovecot for one ends such connections whatever they do."""
        for connection in self._idle:
            if connection.selected is not None and connection.selected.name.startswith(folder):
                connection.fail(UpstreamUnavailable("The folder is gone.", protocol="imap"))
        self._drop_closed()

    async def aclose(self) -> None:
        """Log out what is idle; what is in use closes as it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        self._count -= len(idle)
        await asyncio.gather(*(connection.logout() for connection in idle))
