"""How many connections this process opens to one mail server, for all accounts together.

An adapter acquires a place before it connects, and releases it when the connection is gone. If all places are taken, an
idle connection of another account is closed; if there is none, the adapter waits in turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary

from service.mail.errors import ServerBusy
from service.telemetry.upstream import queued

CloseIdle = Callable[[], bool]
"""Closes an idle connection and releases its place. Returns False if no connection is idle."""


class ConnectionLimit:
    """The places at one server. ``patience`` is how many seconds an adapter waits for one."""

    def __init__(self, limit: int = 1000, patience: float = 20.0) -> None:
        self._limit = limit
        self._patience = patience
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: dict[CloseIdle, None] = {}  # the least recently used first

    @property
    def taken(self) -> int:
        """How many places are taken now."""
        return self._taken

    async def acquire(self) -> None:
        """Takes a place, in turn. Raises ServerBusy if none becomes free in time."""
        if self._taken < self._limit or (self._close_idle() and self._taken < self._limit):
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            with queued("server"):
                async with asyncio.timeout(self._patience):
                    await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise ServerBusy("All connections to the mail server are in use.", retry_after=2) from None
            raise

    def release(self) -> None:
        """Gives the place to the adapter that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def offer(self, close: CloseIdle) -> None:
        """Offers an idle connection, which is closed when another account needs its place: at once if one waits."""
        self._idle.pop(close, None)
        self._idle[close] = None
        if self._waiting:
            self._close_idle()

    def withdraw(self, close: CloseIdle) -> None:
        """The offered connection is in use again, or closed."""
        self._idle.pop(close, None)

    def _close_idle(self) -> bool:
        while self._idle:
            close = next(iter(self._idle))
            del self._idle[close]
            if close():
                return True
        return False


class ConnectionLimits:
    """One limit for each server. A server is forgotten when no mailbox of it is open: clients may be allowed to name
    any host, and there is no end of those."""

    def __init__(self, limit: int = 1000, patience: float = 20.0) -> None:
        self._limit = limit
        self._patience = patience
        self._servers: WeakValueDictionary[str, ConnectionLimit] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._servers)

    def named(self, name: str) -> ConnectionLimit:
        """The limit of this server."""
        return self._servers.setdefault(name, ConnectionLimit(self._limit, self._patience))

    @property
    def taken(self) -> dict[str, int]:
        """How many places are taken, by server."""
        return {name: limit.taken for name, limit in self._servers.items()}
