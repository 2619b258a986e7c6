"""How many connections each mail server gets from this process, whoever they are for.

Who finds no room takes that of an idle connection, else waits in turn. Adapters take a place before they connect and
give it back when the connection is gone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary

from service.mail.errors import ServerBusy
from service.telemetry.upstream import queued

Yield = Callable[[], bool]
"""Closes an idle connection, and gives back its place; False where there is none."""


class Host:
    """The places at one server. ``patience`` is how many seconds one waits for a place."""

    def __init__(self, limit: int = 1000, patience: float = 20.0) -> None:
        self._limit = limit
        self._patience = patience
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: dict[Yield, None] = {}  # the one that was used longest ago first

    @property
    def taken(self) -> int:
        """Places that are taken now."""
        return self._taken

    async def take(self) -> None:
        """A place, in turn. ServerBusy where none came free in time."""
        if self._taken < self._limit or (self._someone_yields() and self._taken < self._limit):
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
                self.give_back()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise ServerBusy("All connections to the mail server are in use.", retry_after=2) from None
            raise

    def give_back(self) -> None:
        """To who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def is_idle(self, close: Yield) -> None:
        """There is a connection that may be closed for somebody else; at once, where somebody waits."""
        self._idle.pop(close, None)
        self._idle[close] = None
        if self._waiting:
            self._someone_yields()

    def is_busy(self, close: Yield) -> None:
        """There is none any more."""
        self._idle.pop(close, None)

    def _someone_yields(self) -> bool:
        while self._idle:
            close = next(iter(self._idle))
            del self._idle[close]
            if close():
                return True
        return False


class Hosts:
    """The servers by name, each with its limit. A server is forgotten when no mailbox of it is open any more: callers
    may be allowed to name any host."""

    def __init__(self, limit: int = 1000, patience: float = 20.0) -> None:
        self._limit = limit
        self._patience = patience
        self._hosts: WeakValueDictionary[str, Host] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._hosts)

    def named(self, name: str) -> Host:
        return self._hosts.setdefault(name, Host(self._limit, self._patience))

    @property
    def taken(self) -> dict[str, int]:
        """Places taken, by server."""
        return {name: host.taken for name, host in self._hosts.items()}
