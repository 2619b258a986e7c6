"""Octets to and from the server: bounded, and read as lines or chunks however the network divides them."""

import asyncio
from typing import cast

from service.accounts.servers import Endpoint, Security
from service.adapters.pop3.wire.replies import broken, insecure
from service.adapters.pop3.wire.timing import Timing
from service.adapters.shared.sockets import acknowledge

LINE_LIMIT = 8 * 1024
FULL = 256 * 1024


class Wire(asyncio.Protocol):
    """One connection. It stops reading while ``FULL`` octets wait to be used, so no server can fill the memory."""

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
        if self._arrival is not None and self._transport is not None:
            acknowledge(self._transport)
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
        """Whether there are octets that were not read yet."""
        return bool(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether a command can be sent."""
        return not self._lost and self._transport is not None and not self._transport.is_closing()

    @property
    def transport(self) -> asyncio.BaseTransport:
        """The transport of an open connection. Raises ConnectionResetError if there is none."""
        if self._transport is None:
            raise ConnectionResetError
        return self._transport

    def send(self, octets: bytes) -> None:
        """Sends without waiting: commands are short and few at a time, so the kernel's buffer takes them."""
        if not self.alive or self._transport is None:
            raise ConnectionResetError
        self._transport.write(octets)

    async def line(self) -> bytes:
        """The next line without its CRLF. Raises UpstreamProtocol for a line that a bare line feed ends: a server that
        sends those confuses messages too."""
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
        """The octets that have arrived: at least one, at most ``most``."""
        if not self._waiting:
            await self._more()
        octets = bytes(self._waiting[:most])
        del self._waiting[:most]
        self._resume()
        return octets

    def put_back(self, octets: bytes) -> None:
        """Puts octets back, to be read next."""
        self._waiting[:0] = octets

    async def secure(self, endpoint: Endpoint) -> None:
        """The TLS handshake after STLS. Raises UpstreamTls if clear text follows the server's consent (RFC 2595, 4)."""
        if self._waiting or self._transport is None:
            raise insecure("The mail server's consent to TLS had unprotected octets behind it.")
        loop = asyncio.get_running_loop()
        context = endpoint.tls_context()
        self._transport = await loop.start_tls(self._transport, self, context, server_hostname=endpoint.host)
        if self._transport is None:  # asyncio returns None if the connection was lost meanwhile
            raise ConnectionResetError

    def abort(self) -> None:
        """Closes at once."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Waits until the socket is closed."""
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
    """Connects, with TLS from the first octet if the endpoint says so."""
    # No happy_eyeballs_delay: cancelled at the wrong moment, Python 3.11's leaves a socket open.
    tls = endpoint.tls_context() if endpoint.security is Security.TLS else None
    async with asyncio.timeout(timing.connect):
        _, wire = await endpoint.connect(lambda: Wire(timing.idle, endpoint.server), tls)
    return wire
