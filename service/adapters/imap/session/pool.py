"""Which connection for whom: a few a mailbox, each with the folder it has selected.

Small and large work do not queue behind each other: bulk work gets all connections but one. A server that allows fewer
than asked for is answered by sharing those there are.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from enum import Enum, auto
from random import random

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import Selection, select
from service.adapters.shared.connection_limit import Host
from service.mail.errors import LoginRefused, ServerBusy, TooManyRequests, UpstreamProtocol, UpstreamUnavailable
from service.telemetry.metrics import Live
from service.telemetry.upstream import queued

SURPLUS_SECONDS = 15.0
"""How long an idle connection is kept beside the one used last."""
REST_SECONDS = 60.0
"""How long the last idle one is kept where somebody listens for hours and asks for nothing."""
PROBE_SECONDS = 30.0
"""A connection that was idle for longer is tried before it is used: a router may have forgotten it."""
LIMIT_SECONDS = 60.0
"""How long a server's word is taken that it allows no more connections."""
RETRY_SECONDS = 0.5
"""Between tries to log in where the server allows no connection at all: other processes have them."""


_connections = Live(
    "casella_pool_connections",
    "IMAP connections, by what they do.",
    "state",
    lambda pool: {"idle": pool.idle, "busy": pool.busy} if isinstance(pool, Pool) else {},
)


class Lane(Enum):
    """What a connection is wanted for."""

    INTERACTIVE = auto()
    BULK = auto()
    """Takes its time: downloads, uploads, searches over folders, writes of many messages."""
    WATCH = auto()
    """Kept for as long as somebody listens."""


@dataclass(slots=True)
class _Turn:
    lane: Lane
    given: "asyncio.Future[Connection | None]"


class Pool:
    """At most ``limit`` connections. Who finds none waits in turn, ``patience`` seconds at most."""

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[Connection]],
        limit: int = 4,
        patience: float = 20.0,
        host: Host | None = None,
    ) -> None:
        self._open = open_connection
        self._most = limit
        self._patience = patience
        self._host = host or Host()
        self._idle: list[Connection] = []  # the one used last is last
        self._count = 0  # open, being opened or promised to somebody who waits
        self._users: Counter[Lane] = Counter()
        self._waiting: deque[_Turn] = deque()
        self._refusal: LoginRefused | None = None
        self._told_limit = (0, 0.0)  # what the server allows, and until when that is believed
        self._closed = False
        self._trimming: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        _connections.add(self)

    @property
    def limit(self) -> int:
        """How many connections there may be."""
        return self._most

    @property
    def idle(self) -> int:
        """How many connections there are that nobody uses."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """How many are in use or being opened."""
        return self._count - len(self._idle)

    @property
    def is_busy(self) -> bool:
        """Whether who comes now has to wait."""
        return not self._idle and self._count >= self._limit

    @asynccontextmanager
    async def connection(self, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Connection]:
        """Any connection; what it has selected may change under whoever holds it."""
        async with self._held(None, lane) as connection:
            yield connection

    @asynccontextmanager
    async def selected(self, folder: bytes, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Selection]:
        """A connection with ``folder`` selected: one that has it, else one that has none, else a new one below the
        limit, else one that has another folder."""
        async with self._held(folder, lane) as connection:
            selection = connection.selection
            if selection is None or selection.name != folder:
                selection = await select(connection, folder)
            yield selection

    @asynccontextmanager
    async def _held(self, folder: bytes | None, lane: Lane) -> AsyncIterator[Connection]:
        connection = await self._acquire(folder, lane)
        try:
            yield connection
        except UpstreamProtocol as error:  # what was read makes no sense: nothing more is read here
            connection.fail(error)
            raise
        finally:
            if connection.selection is not None:
                connection.selection.is_fresh = False
            self._leave(lane, connection)

    async def _acquire(self, folder: bytes | None, lane: Lane) -> Connection:
        end = self._now() + self._patience
        while True:
            connection = await self._enter(folder, lane, end)
            try:
                if connection is not None and await self._is_alive(connection):
                    return connection
                if connection is not None:
                    self._discard(connection)
                    connection = None
                return await self._connect(end)
            except BaseException as error:
                is_shared = isinstance(error, TooManyRequests) and self._count > 1
                if is_shared:
                    self._told_limit = (self._count - 1, self._now() + LIMIT_SECONDS)
                self._leave(lane, connection)
                if not is_shared:
                    raise

    async def _enter(self, folder: bytes | None, lane: Lane, end: float) -> Connection | None:
        """One of the places, with the connection that has it; None where it has none yet."""
        self._drop_closed()
        if not self._fits(lane):
            return await self._wait(lane, end)
        connection = self._take_idle(folder)
        if connection is None:
            if self._count < self._limit:
                self._count += 1
            elif self._idle:
                connection = self._idle.pop(0)
            else:
                return await self._wait(lane, end)
        self._users[lane] += 1
        if not self._idle:
            self._host.is_busy(self._yield)
        return connection

    def _fits(self, lane: Lane) -> bool:
        """Whether the lane has room. One connection is always left to who waits for a page."""
        if lane is Lane.WATCH:
            return self._limit > 1
        return lane is not Lane.BULK or self._users[Lane.BULK] < max(1, self._limit - 1 - self._users[Lane.WATCH])

    @property
    def _limit(self) -> int:
        told, until = self._told_limit
        return min(self._most, max(1, told)) if self._now() < until else self._most

    def _take_idle(self, folder: bytes | None) -> Connection | None:
        """The one used last that has the folder; else one that has none; for who needs no folder, any."""
        names = [connection.selection.name if connection.selection else None for connection in self._idle]
        for wanted in (folder, None):
            for at in range(len(names) - 1, -1, -1):
                if folder is None or names[at] == wanted:
                    return self._idle.pop(at)
        return None

    async def _is_alive(self, connection: Connection) -> bool:
        return self._now() < connection.idle_since + PROBE_SECONDS or await connection.is_alive()

    async def _connect(self, end: float) -> Connection:
        """Where the server allows none at all, other processes have them: again until one comes free."""
        while True:
            try:
                return await self._connect_once()
            except TooManyRequests:
                if self._count > 1 or self._now() + RETRY_SECONDS > end:
                    raise
            await asyncio.sleep(RETRY_SECONDS * (0.5 + random()))  # noqa: S311 - only so that not all come at once

    async def _connect_once(self) -> Connection:
        """Refused credentials are not sent again for those who waited meanwhile: repeats lock accounts out."""
        await self._host.take()
        try:
            if self._refusal is not None:
                raise copy(self._refusal)
            return await self._open()
        except BaseException as error:
            self._host.give_back()
            if isinstance(error, LoginRefused):
                self._refusal = copy(error)
            raise

    async def _wait(self, lane: Lane, end: float) -> Connection | None:
        """A place, in turn."""
        turn = _Turn(lane, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        try:
            with queued("connection"):
                async with asyncio.timeout_at(end):
                    return await turn.given
        except BaseException as error:
            if turn.given.done() and not turn.given.cancelled():
                self._leave(lane, turn.given.result())
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise ServerBusy(protocol="imap", retry_after=2) from None
            raise

    def _leave(self, lane: Lane, connection: Connection | None = None) -> None:
        """Hand the place on, to who waits longest of those who fit, with its connection where that is usable."""
        self._users[lane] -= 1
        if connection is not None and (self._closed or not connection.is_open):
            self._discard(connection)
            connection = None
        if connection is not None:
            connection.idle_since = self._now()
        turn = next((turn for turn in self._waiting if not turn.given.done() and self._fits(turn.lane)), None)
        if turn is not None and (connection is not None or self._count <= self._limit):
            self._waiting.remove(turn)
            self._users[turn.lane] += 1
            turn.given.set_result(connection)
        elif connection is None:
            self._count -= 1
        else:
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        """Idle until somebody comes; the others beside it for a while only."""
        self._idle.append(connection)
        self._host.is_idle(self._yield)
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim)

    def _trim(self) -> None:
        self._trimming = None
        while self._idle and self._has_rested(self._idle[0]):
            self._let_go(self._idle.pop(0))
        if self._idle:
            self._trimming = asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim)

    def _has_rested(self, connection: Connection) -> bool:
        kept = SURPLUS_SECONDS if len(self._idle) > 1 else REST_SECONDS
        return self._now() >= connection.idle_since + kept

    def _yield(self) -> bool:
        """Somebody needs the place at the server more."""
        self._drop_closed()
        if self._idle:
            self._let_go(self._idle.pop(0))
            if self._idle:
                self._host.is_idle(self._yield)
            return True
        return False

    def _let_go(self, connection: Connection) -> None:
        """Log out in the background. The place is free at once; the server may count it a little longer."""
        self._count -= 1
        self._host.give_back()
        task = asyncio.ensure_future(connection.logout())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _discard(self, connection: Connection) -> None:
        connection.fail(ServerBusy("The connection was given up.", protocol="imap"))
        self._host.give_back()

    def _drop_closed(self) -> None:
        for connection in [one for one in self._idle if not one.is_open]:
            self._idle.remove(connection)
            self._count -= 1
            self._discard(connection)

    def forget(self, folder: bytes) -> None:
        """The folder is about to go or to be renamed, with what lies below it: idle connections that have it selected
        are closed. Dovecot for one ends such connections whatever they do."""
        for connection in self._idle:
            if connection.selection is not None and connection.selection.name.startswith(folder):
                connection.fail(UpstreamUnavailable("The folder is gone.", protocol="imap"))
        self._drop_closed()

    async def aclose(self) -> None:
        """Log out what is idle; what is in use closes as it comes back."""
        self._closed = True
        self._host.is_busy(self._yield)
        if self._trimming is not None:
            self._trimming.cancel()
        while self._idle:
            self._let_go(self._idle.pop())
        await asyncio.gather(*self._leaving)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
