"""A service that streams events and breaks off, for the helpers that read them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.servers.process import HOST
from tests.servers.visits import Visits

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_PLAIN = _HEAD + b"Connection: close\r\n\r\n"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REFUSED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\nContent-Length: 36\r\nConnection: close\r\n\r\n"
    b'{"type":"/problems/unauthenticated"}'
)
_PIECES = (
    b"\xef\xbb\xbf: a comment\r\nretry: 10\r",
    b"\nevent: change\r\nid: t1\r\ndata: {\"folderId\":\"f_\xc3",
    b"\xa9\",\r\ndata: \"created\":[\"m_1\"]}\r\n",
    b"\r\nid: t2\nevent:ping\ndata:{}\n\n",
    b'id: t3\nevent: change\ndata: {"folderId": "never whole"',
)  # fmt: skip
EVENTS = [
    {"type": "change", "data": {"folderId": "f_é", "created": ["m_1"]}, "id": "t1"},
    {"type": "ping", "data": {}, "id": "t2"},
    {"type": "resync", "data": {"folderId": "f_2"}, "id": "t3"},
]
"""The events that a client must see, in spite of all interruptions."""


@dataclass
class Stream:
    """Answers the first request with 503, then breaks off within a chunk, ends within an event, ends, and refuses.

    A client loses what it has not read when a connection breaks, so nothing is sent just before the break.
    """

    url: str
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Authorization and Last-Event-ID of each request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.splitlines()[1:])}
        self.asked.append((fields.get("authorization"), fields.get("last-event-id")))
        assert fields["accept"] == "text/event-stream"
        match len(self.asked):
            case 1:
                writer.write(_BUSY)
            case 2:
                writer.write(_CHUNKED + b"ff\r\nevent: cha")
            case 3:
                writer.write(_CHUNKED)
                for piece in _PIECES:
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
            case 4:
                writer.write(_PLAIN + b'event: resync\ndata: {"folderId":"f_2"}\nid: t3\nunknown: field\n\n')
            case _:
                writer.write(_REFUSED)


@asynccontextmanager
async def streaming() -> AsyncIterator[Stream]:
    stream = Stream("")
    async with Visits(stream.serve) as visits:
        stream.url = f"http://{HOST}:{visits.port}/v1/accounts/me/events"
        yield stream
