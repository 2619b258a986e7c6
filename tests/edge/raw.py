"""HTTP by hand: exactly these octets, and every answer that comes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import HOST

SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """The name of the problem it is."""
        assert self.headers["content-type"] == "application/problem+json", self
        told: dict[str, Any] = json.loads(self.body)
        assert told["status"] == self.status
        assert told["requestId"] == self.headers["x-request-id"]
        return str(told["type"]).removeprefix("/problems/")


class Raw:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, octets: bytes) -> None:
        """Sends as much as the server accepts. It may close early."""
        try:
            self.writer.write(octets)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> Answer | None:
        """The next response; None if the connection is closed."""
        async with asyncio.timeout(SECONDS):
            try:
                if not (first := await self._reader.read(1)):
                    return None
            except ConnectionError:
                return None
            head = first + await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            assert len(headers) == len(lines), "a header told twice"
            number = int(status.split()[1])
            length = 0 if number < 200 else int(headers["content-length"])
            return Answer(number, headers, await self._reader.readexactly(length))

    async def answers(self) -> list[Answer]:
        """All of them, until the server closes."""
        found = []
        while (one := await self.answer()) is not None:
            found.append(one)
        return found


@asynccontextmanager
async def connected(port: int, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """To the replica that listens there."""
    connection = socket.socket()
    connection.setblocking(False)
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(connection, (HOST, port))
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


def memory(pid: int) -> int:
    """The process's resident octets now."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10
