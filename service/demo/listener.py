"""A listener on loopback that leaves nothing behind when it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Converse: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Talks with one client until that is over. Need not close the connection."""


@asynccontextmanager
async def listening(converse: Converse, port: int, line: int) -> AsyncIterator[int]:
    """Yields the port, a free one for 0. ``line``: octets after which reading one gives up.

    At the end open connections are cut, not cancelled: every conversation sees its client gone, which it knows how to
    end, and none waits for a client that reads no more.
    """
    visits: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
    is_over = False

    def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.get_running_loop().create_task(visited(reader, writer))
        visits[visit] = writer
        visit.add_done_callback(left)

    def left(visit: asyncio.Task[None]) -> None:
        """Closes what a visit cancelled before its first step could not."""
        visits.pop(visit).transport.abort()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not is_over:
                await converse(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(came, "127.0.0.1", port, limit=line)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        is_over = True
        server.close()
        for writer in visits.values():
            writer.transport.abort()
        await asyncio.gather(*visits, return_exceptions=True)
        await server.wait_closed()
