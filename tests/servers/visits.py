"""A listener on loopback that leaves nothing open: ``async with Visits(converse) as visits: visits.port``."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from tests.servers.process import HOST

Converse: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Talks with one client until that is over. Need not close the connection."""
_TURNS = 3
"""Of the loop, from a client's being accepted to its protocol's being told."""


async def closed(listener: asyncio.Server) -> None:
    """Lets nobody in any more; who was on the way in has come. Closed at once, asyncio would lose those."""
    for socket in listener.sockets:
        asyncio.get_running_loop().remove_reader(socket.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    listener.close()


class Visits:
    """Everybody who came: at the end conversations are cancelled and connections aborted, however far they got.

    What went wrong in one, other than with its connection, is raised at the end.
    """

    def __init__(self, converse: Converse, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.count = 0
        """Of those who ever came."""
        self._converse = converse
        self._tls = tls
        self._open: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._came, HOST, 0, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await closed(self._listener)
        self.end_all()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._listener.wait_closed()
        if self.failures and kind is None:
            raise self.failures[0]

    def end_all(self) -> None:
        """Cut everybody off, as a server does that had enough of waiting."""
        for visit in self._open:
            visit.cancel()

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """No coroutine: one that is cancelled before its first step would close nothing."""
        self.count += 1
        visit = asyncio.get_running_loop().create_task(self._visit(reader, writer))
        self._open.add(visit)
        visit.add_done_callback(partial(self._left, writer))

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._converse(reader, writer)
            writer.close()
            await writer.wait_closed()

    def _left(self, writer: asyncio.StreamWriter, visit: asyncio.Task[None]) -> None:
        writer.transport.abort()
        self._open.discard(visit)
        if not visit.cancelled() and (failure := visit.exception()):
            self.failures.append(failure)
