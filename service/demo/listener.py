"""A listener on loopback that closes all of its connections when it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Converse: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one client to the end. It need not close the connection."""


@asynccontextmanager
async def listening(converse: Converse, port: int, line: int) -> AsyncIterator[int]:
    """Yields the port; ``port`` 0 takes a free one. ``line`` is the longest line that a reader accepts, in octets.

    At the end, open connections are aborted and their tasks not cancelled: each task sees that its client has gone,
    which it can handle anyway, and none waits for a client that does not read.
    """
    tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
    is_closing = False

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks[task] = writer
        task.add_done_callback(forget)

    def forget(task: asyncio.Task[None]) -> None:
        """Aborts a connection that is still open, because its task was cancelled before the first step."""
        tasks.pop(task).transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not is_closing:
                await converse(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=line)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        is_closing = True
        server.close()
        for writer in tasks.values():
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
