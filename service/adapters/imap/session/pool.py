"""The connections of one account, each remembering the folder it has selected.

Requests come in lanes, so that bulk work never blocks interactive work: it may use every connection but one. If the
server allows fewer connections than the limit, requests share those that exist.

A connection that becomes free goes straight to the request that waits longest, together with its place in the count. If
it were put back first, a request that comes just then would take it, and the one that waits could starve.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass
from enum import Enum, auto
from random import random

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.commands import AnswerTimes
from service.adapters.imap.wire.status import ConnectionLimitReached, LoginDeferred
from service.adapters.shared.connection_limit import ConnectionLimit
from service.mail.errors import (
    InUse,
    LoginRefused,
    MailError,
    ServerBusy,
    UpstreamUnavailable,
)
from service.telemetry.metrics import Live
from service.telemetry.upstream import queued

SURPLUS_SECONDS = 15.0
"""How long an idle connection is kept beside the one used last."""
REST_SECONDS = 60.0
"""How long the last idle connection is kept, for a client that only watches for hours."""
PROBE_SECONDS = 30.0
"""A connection that was idle for longer is tested before it is used: a router may have dropped it silently."""
LIMIT_SECONDS = 60.0
"""How long a limit that the server reported is respected; then the pool tries again."""
MOST_PATIENCE = 120.0
_ANSWERS = 6
"""Of the server, for which a request waits: to open a connection and to select a folder takes as many."""
RETRY_SECONDS = 0.5
"""Pause between attempts to log in while the server allows no connection at all: other processes have them."""


_SHARE = (ConnectionLimitReached, InUse, LoginDeferred)
"""Refusals of a login that do not concern the credentials: requests share the connections that exist."""

_connections = Live(
    "casella_pool_connections",
    "IMAP connections, by state.",
    "state",
    lambda pool: {"idle": pool.idle, "busy": pool.busy} if isinstance(pool, Pool) else {},
)


class Lane(Enum):
    """The kind of work that a connection is for."""

    INTERACTIVE = auto()
    BULK = auto()
    """Work that takes long: downloads, uploads, searches over folders, writes of many messages."""
    WATCH = auto()
    """A watch, which keeps its connection for hours."""


@dataclass(slots=True)
class _Waiter:
    lane: Lane
    assigned: "asyncio.Future[Connection | None]"
    """A place, with its connection if that is usable; None if the waiter has to open one."""


class Pool:
    """At most ``limit`` connections. If none is free, a request waits its turn, ``patience`` seconds at most; up to
    ``MOST_PATIENCE`` while ``times`` say that the server is slow."""

    def __init__(
        self,
        open_connection: Callable[[], Awaitable[Connection]],
        limit: int = 4,
        patience: float = 20.0,
        host: ConnectionLimit | None = None,
        times: AnswerTimes | None = None,
    ) -> None:
        self._times = times or AnswerTimes()
        self._open = open_connection
        self._most = limit
        self._patience = patience
        self._host = host or ConnectionLimit()
        self._idle: list[Connection] = []  # the most recently used is last
        self._count = 0  # places: connections open, being opened, or assigned to a waiter
        self._users: Counter[Lane] = Counter()
        self._waiting: deque[_Waiter] = deque()
        self._refusal: LoginRefused | None = None
        self._server_limit = (0, 0.0)  # connections that the server allows, and until when that is respected
        self._closed = False
        self._trimming: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None
        """Opens a connection that no request waits for."""
        _connections.add(self)

    @property
    def limit(self) -> int:
        """How many connections the configuration allows."""
        return self._most

    @property
    def idle(self) -> int:
        """How many connections are open and unused."""
        return len(self._idle)

    def idle_selections(self) -> list[Selection]:
        """What the idle connections have selected."""
        return [connection.selection for connection in self._idle if connection.selection is not None]

    @property
    def busy(self) -> int:
        """How many connections are in use or being opened."""
        return self._count - len(self._idle)

    @property
    def is_busy(self) -> bool:
        """Whether a request that comes now has to wait."""
        return not self._idle and self._count >= self._limit

    async def acquire(self, folder: bytes | None, lane: Lane) -> Connection:
        """Take a connection, to be given back by ``leave``: the most recently used that has the folder selected, else
        any."""
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
                is_shared = self._share(error)
                self.leave(lane, connection)
                if not is_shared:
                    raise

    async def _enter(self, folder: bytes | None, lane: Lane, end: float) -> Connection | None:
        """Takes a place. Returns its connection, or None if the caller has to open one."""
        self._drop_closed()
        if not self._fits(lane):
            return await self._wait(lane, end)
        connection = self._take_idle(folder)
        if connection is None and self._idle:
            connection = self._idle.pop(0)
            self._open_spare()
        elif connection is None:
            if self._count >= self._limit:
                return await self._wait(lane, end)
            self._count += 1
        self._users[lane] += 1
        if not self._idle:
            self._host.withdraw(self._yield)
        return connection

    def _open_spare(self) -> None:
        """Open a connection in the background if none is idle: a client that changes between folders would select them
        again and again."""
        if self._idle or self._count >= self._limit or self._closed or self._opening is not None:
            return
        self._count += 1
        self._users[Lane.INTERACTIVE] += 1
        self._opening = asyncio.ensure_future(self._open_idle())

    async def _open_idle(self) -> None:
        connection = None
        try:
            connection = await self._connect_once()
        except MailError as error:  # a request that needs a connection gets an error of its own
            self._share(error)
        finally:
            self._opening = None
            self.leave(Lane.INTERACTIVE, connection)

    def _share(self, error: BaseException) -> bool:
        """Whether the error says that the server allows no more connections than there are. That is respected."""
        is_shared = isinstance(error, _SHARE) and self._count > 1
        if is_shared:
            self._server_limit = (self._count - 1, self._now() + LIMIT_SECONDS)
        return is_shared

    def _fits(self, lane: Lane) -> bool:
        """Whether the lane may have another connection. One is always left for interactive work."""
        if lane is Lane.WATCH:
            return self._limit > 1
        return lane is not Lane.BULK or self._users[Lane.BULK] < max(1, self._limit - 1 - self._users[Lane.WATCH])

    @property
    def _limit(self) -> int:
        allowed, until = self._server_limit
        return min(self._most, max(1, allowed)) if self._now() < until else self._most

    def _take_idle(self, folder: bytes | None) -> Connection | None:
        """Returns the most recently used connection that has the folder selected; else one that has none selected. If
        ``folder`` is None, any."""
        names = [connection.selection.name if connection.selection else None for connection in self._idle]
        for name in (folder, None):
            for index in range(len(names) - 1, -1, -1):
                if folder is None or names[index] == name:
                    return self._idle.pop(index)
        return None

    async def _is_alive(self, connection: Connection) -> bool:
        return self._now() < connection.idle_since + PROBE_SECONDS or await connection.is_alive()

    async def _connect(self, end: float) -> Connection:
        """Returns a new connection. If the server allows none at all, other processes have them: tries until
        ``end``."""
        while True:
            try:
                return await self._connect_once()
            except ConnectionLimitReached:
                if self._count > 1 or self._now() + RETRY_SECONDS > end:
                    raise
            await asyncio.sleep(RETRY_SECONDS * (0.5 + random()))  # noqa: S311 - only to spread the attempts

    async def _connect_once(self) -> Connection:
        """Once credentials were refused, requests that waited meanwhile fail without sending them again: repeated
        failures can lock the account."""
        await self._host.acquire()
        try:
            if self._refusal is not None:
                raise copy(self._refusal)
            return await self._open()
        except BaseException as error:
            self._host.release()
            if isinstance(error, LoginRefused):
                self._refusal = copy(error)
            raise

    async def _wait(self, lane: Lane, end: float) -> Connection | None:
        """Takes a place when its turn comes. Raises ServerBusy if that is not before ``end``."""
        waiter = _Waiter(lane, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            with queued("connection"):
                while not waiter.assigned.done():
                    await asyncio.wait([waiter.assigned], timeout=self._left(end))
                return waiter.assigned.result()
        except BaseException as error:
            if waiter.assigned.done() and not waiter.assigned.cancelled():
                self.leave(lane, waiter.assigned.result())
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise ServerBusy(protocol="imap", retry_after=2) from None
            raise

    def _left(self, end: float) -> float:
        """How long a request that was to wait until ``end`` waits from now on: a slow server gets the time of several
        answers. Raises TimeoutError after that."""
        longer = self._times.allowed(self._patience, MOST_PATIENCE, _ANSWERS) - self._patience
        left = end + longer - self._now()
        if left <= 0:
            raise TimeoutError
        return left

    def leave(self, lane: Lane, connection: Connection | None = None) -> None:
        """Hand the place on to the request that waits longest among those whose lane fits, with its connection if that
        is usable."""
        self._users[lane] -= 1
        if connection is not None and (self._closed or not connection.is_open):
            self._discard(connection)
            connection = None
        if connection is not None:
            connection.idle_since = self._now()
        waiter = next((waiter for waiter in self._waiting if self._is_next(waiter)), None)
        if waiter is not None and (connection is not None or self._count <= self._limit):
            self._waiting.remove(waiter)
            self._users[waiter.lane] += 1
            waiter.assigned.set_result(connection)
        elif connection is None:
            self._count -= 1
        else:
            self._rest(connection)

    def _is_next(self, waiter: _Waiter) -> bool:
        return not waiter.assigned.done() and self._fits(waiter.lane)

    def _rest(self, connection: Connection) -> None:
        """Keep the connection idle for the next request, and close surplus ones after a while."""
        self._idle.append(connection)
        self._host.offer(self._yield)
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim)

    def _trim(self) -> None:
        self._trimming = None
        while self._idle and self._has_rested(self._idle[0]):
            self._retire(self._idle.pop(0))
        if self._idle:
            self._trimming = asyncio.get_running_loop().call_later(SURPLUS_SECONDS, self._trim)

    def _has_rested(self, connection: Connection) -> bool:
        kept = SURPLUS_SECONDS if len(self._idle) > 1 else REST_SECONDS
        return self._now() >= connection.idle_since + kept

    def _yield(self) -> bool:
        """Close an idle connection, because another account needs its place at the server. Returns whether there was
        one."""
        self._drop_closed()
        if self._idle:
            self._retire(self._idle.pop(0))
            if self._idle:
                self._host.offer(self._yield)
            return True
        return False

    def _retire(self, connection: Connection) -> None:
        """Log out in the background. The place is free at once, although the server may count it a little longer."""
        self._count -= 1
        self._host.release()
        task = asyncio.ensure_future(connection.logout())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _discard(self, connection: Connection) -> None:
        connection.fail(ServerBusy("The connection was discarded.", protocol="imap"))
        self._host.release()

    def _drop_closed(self) -> None:
        for connection in [connection for connection in self._idle if not connection.is_open]:
            self._idle.remove(connection)
            self._count -= 1
            self._discard(connection)
        for connection in [connection for connection in self._idle if connection.has_ended]:
            self._idle.remove(connection)
            self._retire(connection)

    def forget(self, folder: bytes) -> None:
        """Close idle connections that have the folder, or one below it, selected: it is about to be deleted or renamed.
        Dovecot, for one, ends such connections in any case."""
        for connection in self._idle:
            if connection.selection is not None and connection.selection.name.startswith(folder):
                connection.fail(UpstreamUnavailable("The folder is gone.", protocol="imap"))
        self._drop_closed()

    async def aclose(self) -> None:
        """Log out idle connections. Those in use close when they come back."""
        self._closed = True
        self._host.withdraw(self._yield)
        if self._trimming is not None:
            self._trimming.cancel()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        while self._idle:
            self._retire(self._idle.pop())
        await asyncio.gather(*self._leaving)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
