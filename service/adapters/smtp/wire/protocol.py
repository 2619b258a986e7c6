"""Octets to and from the server, on aiosmtplib's protocol with a receive path of our own.

aiosmtplib contributes the connection, the flow of writing, and the check of commands. Its receive path is replaced: it
reads one reply at a time and drops what comes besides, so that commands cannot be pipelined and octets behind the
answer to STARTTLS are not noticed. The version is pinned, and a test checks the private names used here.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

from aiosmtplib.protocol import COMMAND_INJECTION_REGEX, SMTPProtocol

from service.accounts.servers import Endpoint
from service.adapters.shared.sockets import acknowledge
from service.adapters.smtp.wire.errors import goodbye_error_from, insecure, is_goodbye
from service.adapters.smtp.wire.replies import PROTOCOL, Reply, ReplyReader, broken
from service.mail.errors import InvalidRequest, MailError, UpstreamTimeout, UpstreamTls

WINDOW = 64 << 10
"""Octets that wait to be sent before the writer waits too."""


class WireProtocol(SMTPProtocol):
    """One connection. ``error`` is why it cannot be used any more; replies that are due fail with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: str) -> None:
        super().__init__(loop)
        self.server = server
        self.error: MailError | None = None
        self.is_signed_in = False
        """Whether the server's own words may be shown: before login an attacker may have sent them."""
        self.closed: asyncio.Future[None] = loop.create_future()
        self._reader = ReplyReader()
        self._due: deque[asyncio.Future[Reply]] = deque()
        self._seals = False  # a consent to STARTTLS is due
        self._sealed = False
        self.greeting = self.expect()

    @property
    def is_open(self) -> bool:
        """Whether a command can be sent: the connection stands, and the server is silent as it has to be."""
        return self.error is None and self.is_connected and not self._due and not self._reader.is_within

    @property
    def link(self) -> asyncio.Transport:
        """The transport. Raises the connection's error if there is none any more."""
        if self.error is not None:
            raise self.error
        if self.transport is None:
            raise goodbye_error_from(None, is_signed_in=self.is_signed_in)
        return cast("asyncio.Transport", self.transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.link.set_write_buffer_limits(high=WINDOW)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.fail(goodbye_error_from(None, is_signed_in=self.is_signed_in))
        if not self.closed.done():
            self.closed.set_result(None)

    def eof_received(self) -> bool:
        """The base would set an error of its own. The transport closes now."""
        return False

    def data_received(self, data: bytes) -> None:
        """Hand out replies in the order of the commands. An unsolicited one ends the connection."""
        if self.error is not None:
            return
        try:
            for reply in self._reader.feed(data):
                self._receive(reply)
            if self._reader.is_within:
                self._refuse_injected()
        except MailError as error:
            self.fail(_injected() if self._sealed else error)
        if self._due and self.transport is not None:
            acknowledge(self.transport)

    def fail(self, error: MailError) -> None:
        """Abort the connection; pending and later commands raise ``error``."""
        if self.error is None:
            self.error = error
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()
        while self._due:
            due = self._due.popleft()
            if not due.done():
                due.set_exception(self.error)
                due.exception()  # marks it as retrieved: a cancelled caller never reads it

    def expect(self) -> "asyncio.Future[Reply]":
        """One more reply is due, after those that are."""
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._due.append(reply)
        return reply

    def send(self, lines: Sequence[bytes], *, seals: bool = False) -> "list[asyncio.Future[Reply]]":
        """Write commands, each without its line break, in one write. ``seals`` says that no octet may follow a consent.

        Raises InvalidRequest for a control character: behind a line break a command of its own would begin.
        """
        if any(COMMAND_INJECTION_REGEX.search(line) for line in lines):
            raise InvalidRequest("A command to the mail server cannot hold control characters.")
        link = self.link
        if self._reader.is_within:
            self.fail(broken("The mail server answered before it was asked."))
            raise cast("MailError", self.error)
        self._seals = seals
        replies = [self.expect() for _ in lines]
        link.write(b"".join(line + b"\r\n" for line in lines))
        return replies

    async def push(self, octets: bytes, seconds: float) -> None:
        """Write octets of a message, and wait until there is room for more. Raises UpstreamTimeout if the server takes
        too few for ``seconds``. A reply that comes meanwhile ends the waiting."""
        self.link.write(octets)
        try:
            async with asyncio.timeout(seconds):
                await self._drain_helper()
                await asyncio.sleep(0)  # a fast server lets every write through, and others want their turn
        except TimeoutError:
            raise UpstreamTimeout("The mail server takes the message too slowly.", protocol=PROTOCOL) from None
        except OSError:
            raise self.error or goodbye_error_from(None, is_signed_in=self.is_signed_in) from None
        _ = self.link  # the base says nothing if the connection ended in good order

    async def flush(self, octets: bytes, seconds: float) -> None:
        """Write octets, and wait until nothing waits to be sent."""
        self.link.set_write_buffer_limits(high=0)
        await self.push(octets, seconds)
        self.link.set_write_buffer_limits(high=WINDOW)

    async def start_tls_at(self, endpoint: Endpoint) -> None:
        """The handshake after a consent. Everything received in clear is forgotten."""
        transport = await self._loop.start_tls(self.link, self, endpoint.tls_context(), server_hostname=endpoint.host)
        if transport is None or self.error is not None:  # asyncio returns None if the connection was lost meanwhile
            raise self.error or ConnectionResetError
        self.transport = transport
        transport.set_write_buffer_limits(high=WINDOW)
        self._over_ssl = True
        self._reader = ReplyReader()
        self._sealed = False

    def _receive(self, reply: Reply) -> None:
        self._refuse_injected()
        if not self._due:
            if is_goodbye(reply):
                raise goodbye_error_from(reply, is_signed_in=self.is_signed_in)
            raise broken("The mail server said more than it was asked.")
        if self._seals and reply.is_ok:
            self._sealed = True
            self.link.pause_reading()
        due = self._due.popleft()
        if not due.done():
            due.set_result(reply)
        if self._paused:  # nothing more of the message is wanted
            self.resume_writing()

    def _refuse_injected(self) -> None:
        """Refuse every octet in clear behind the answer to STARTTLS (RFC 3207, 6; CVE-2011-0411)."""
        if self._sealed:
            raise _injected()


def _injected() -> UpstreamTls:
    return insecure("The mail server's consent to TLS had unprotected octets behind it.")
