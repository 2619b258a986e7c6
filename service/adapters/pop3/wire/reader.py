"""Octets to and from the server: bounded, with every one accounted for, whatever the segments they came in."""

import asyncio
from typing import cast

from service.accounts.servers import Endpoint, Security
from service.adapters.pop3.wire.replies import broken, insecure
from service.adapters.pop3.wire.timing import Timing

LINE_LIMIT = 8 * 1024
FULL = 256 * 1024


class Wire(asyncio.Protocol):
    """One connection. It reads on only while fewer than ``FULL`` octets wait, so no server can fill the memory."""

    def __init__(self, idle: float, server: str) -> None:
        self.server = server
        self._idle = idle
        self._transport: asyncio.Transport | None = None
        self._waiting = bytearray()
        self._arrival: asyncio.Future[None] | None = None
        self._paused = False
        self._lost = False
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= FULL and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._lost = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._wake()
        if not self._closed.done():
            self._closed.set_result(None)

    @property
    def waiting(self) -> bool:
        """Whether there are octets that nobody has taken yet."""
        return bool(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether a command could still be sent."""
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    def send(self, octets: bytes) -> None:
        """Commands are short and few at a time: the kernel takes them, there is nothing to wait for."""
        if not self.alive or self._transport is None:
            raise ConnectionResetError
        self._transport.write(octets)

    async def line(self) -> bytes:
        """The next line without its CRLF. A line feed alone ends none: who sends that would mix up messages too."""
        scanned = 0
        while (end := self._waiting.find(b"\n", scanned, LINE_LIMIT)) < 0:
            if len(self._waiting) >= LINE_LIMIT:
                raise broken("The mail server sent a line longer than any POP3 allows.")
            scanned = len(self._waiting)
            await self._more()
        if self._waiting[end - 1 : end] != b"\r":
            raise broken("The mail server ends its lines without CRLF.")
        line = bytes(self._waiting[: end - 1])
        del self._waiting[: end + 1]
        return line

    async def chunk(self, most: int = 2 * FULL) -> bytes:
        """What is here, at least an octet and at most so many."""
        if not self._waiting:
            await self._more()
        octets = bytes(self._waiting[:most])
        del self._waiting[:most]
        self._resume()
        return octets

    def put_back(self, octets: bytes) -> None:
        """Octets of a chunk that belong to what comes next."""
        self._waiting[:0] = octets

    async def secure(self, endpoint: Endpoint) -> None:
        """The TLS handshake in mid-connection. What came in clear after the server's consent fails it (RFC 2595, 4)."""
        if self._waiting or self._transport is None:
            raise insecure("The mail server's consent to TLS had unprotected octets behind it.")
        loop = asyncio.get_running_loop()
        context = endpoint.tls_context()
        self._transport = await loop.start_tls(self._transport, self, context, server_hostname=endpoint.host)
        if self._transport is None:  # what asyncio answers where the connection went away in between
            raise ConnectionResetError

    def abort(self) -> None:
        """Close without another word."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Until the socket is given back."""
        await asyncio.shield(self._closed)

    async def _more(self) -> None:
        self._resume()
        self._arrival = asyncio.get_running_loop().create_future()
        before = len(self._waiting)
        if not self._lost:
            async with asyncio.timeout(self._idle):
                await self._arrival
        if len(self._waiting) == before:
            raise ConnectionResetError

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


async def dial(endpoint: Endpoint, timing: Timing) -> Wire:
    """A connection, with TLS on it where the endpoint says so from the first octet."""
    # No happy_eyeballs_delay: cancelled at the wrong moment, Python 3.11's leaves a socket open.
    tls = endpoint.tls_context() if endpoint.security is Security.TLS else None
    async with asyncio.timeout(timing.connect):
        _, wire = await endpoint.connect(lambda: Wire(timing.idle, endpoint.server), tls)
    return wire
