"""Receives answers, on aioimaplib's protocol with a receive path of our own.

aioimaplib contributes the client, its connection, the tags and the states. Its receive path is replaced entirely: it
recurses once per line, is quadratic in lines, alters text, has no limits and does not report that the connection is
gone. The version is pinned, and a test checks the private names used here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from aioimaplib.aioimaplib import IMAP4ClientProtocol

from service.adapters.imap.wire.commands import After, Answer, AnswerTimes, AnswerTooLarge, Pending
from service.adapters.imap.wire.octets.backlog import Backlog, Deflater
from service.adapters.imap.wire.octets.flow import OVERHEAD, Flood
from service.adapters.imap.wire.octets.framing import Framer, Limits
from service.adapters.imap.wire.status import Status, login_error_from, read_status
from service.adapters.shared.sockets import acknowledge
from service.mail.cleaning import server_text
from service.mail.errors import MailError, UpstreamProtocol, UpstreamUnavailable

MAX_UNSOLICITED = 1 << 20
SLICE_SECONDS = 0.01
LAST_SECONDS = 0.04
"""How long the octets of a connection that has ended are read; what is left of an answer then was cut anyway."""
_MAY_BE_BYE = frozenset({b"B", b"b"})


class Receiver(IMAP4ClientProtocol):  # type: ignore[misc]  # the library is untyped
    """The reading half of a connection. ``unsolicited`` holds what came while no command was running."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, server: str) -> None:
        super().__init__(loop)
        self.server = server
        self.limits = limits
        self.unsolicited: list[bytes] = []
        self._unsolicited_octets = 0
        self.on_news: Callable[[bytes], None] | None = None
        """Called for each untagged response. While it is set, unsolicited responses are not stored."""
        self.error: MailError | None = None
        self.closed = asyncio.Event()
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self._framer = Framer(limits)
        self._pending: deque[Pending] = deque()
        self._octets = 0  # of untagged responses since the last send
        self._heard = loop.time()
        self._sealed = False
        self._writable = asyncio.Event()
        self._writable.set()
        self.is_logged_in = False
        """Whether the server's own words may be shown: before login an attacker may have sent them."""
        self.is_leaving = False
        """Whether LOGOUT was sent: then BYE is part of its answer (RFC 9051, 6.1.3)."""
        self._bye: Status | None = None
        self._backlog = Backlog()
        self._deflate: Deflater | None = None
        self._waits: asyncio.TimerHandle | None = None
        self._slice_ends: float | None = None
        self._flood = Flood()
        self.times = AnswerTimes()
        """Shared by the connections of a mailbox."""

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, without an error so far."""
        return self.error is None and self.transport is not None and not self.transport.is_closing()

    @property
    def heard_at(self) -> float:
        """When the last octet came, by the event loop's clock."""
        return self._heard

    @property
    def is_quiet(self) -> bool:
        """Whether no command is running and no response is incomplete."""
        return not self._pending and not self._framer.held and not self._backlog

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._heard = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Everything that waits fails at once."""
        until = perf_counter() + LAST_SECONDS
        while self._backlog and self.error is None and perf_counter() <= until:  # it came before the end
            self._read_piece()
        self.fail(self._end_error())

    def _end_error(self) -> MailError:
        """Returns the error for a connection that the server ended, by BYE or without."""
        bye = self._bye
        if bye is not None and not self.is_logged_in:
            return login_error_from(bye)
        said = server_text(bye.text) if bye else ""
        code = bye.code or "BYE" if bye else None
        detail = said or "The mail server closed the connection."
        return UpstreamUnavailable(detail, protocol="imap", code=code, retry_after=1)

    def pause_writing(self) -> None:
        """Called when the server reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called when the server has caught up, which counts as a sign of life."""
        self._heard = self.loop.time()
        self._writable.set()

    def fail(self, error: MailError) -> None:
        """Abort the connection; pending and later commands raise ``error``."""
        if self.error is None:
            self.error = error
        self.closed.set()
        self._backlog.clear()
        if self._waits is not None:
            self._waits.cancel()
        if self.transport is not None:
            self.transport.abort()
        self._writable.set()
        waiting: list[asyncio.Future[Any]] = [self.greeting, *(pending.answer for pending in self._pending)]
        self._pending.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(self.error)
                future.exception()  # marks it as retrieved: a cancelled caller never reads it

    def data_received(self, octets: bytes) -> None:
        """Read what came, in slices. What does not fit into one slice waits for the loop's next turn, and reading from
        the server pauses meanwhile."""
        self._heard = self.loop.time()
        if self.error is not None:
            return
        self._backlog.add(octets)
        if not self._waits:
            self._read_backlog()
        if self._pending:
            acknowledge(self.transport)

    def _read_backlog(self) -> None:
        """Read one slice, or several if they are quick, as the octets of a literal are."""
        was_paused, self._waits = self._waits is not None, None
        until = self._end_of_slice()
        while self._backlog and not self._pause and perf_counter() <= until:
            self._read_piece()
        if self._bye is not None and not self._backlog and not self.is_leaving:
            self.fail(self._end_error())  # some servers leave the connection open behind BYE (Yandex)
        if self.error is None and (self._backlog or self._pause):
            self.transport.pause_reading()
            self._waits = self.loop.call_later(self._pause, self._read_backlog)
        elif was_paused and not self._sealed and self.error is None:
            self.transport.resume_reading()

    def _end_of_slice(self) -> float:
        """When to stop reading in this turn of the loop. uvloop hands over many pieces of one connection in a turn."""
        if self._slice_ends is None:
            self._slice_ends = perf_counter() + SLICE_SECONDS
            self.loop.call_soon(self._end_turn)
        return self._slice_ends

    def _end_turn(self) -> None:
        self._slice_ends = None

    @property
    def _pause(self) -> float:
        return self._flood.pause(self.loop.time())

    def _read_piece(self) -> None:
        try:
            for response in self._framer.feed(self._backlog.take()):
                if self._sealed:
                    self._refuse_injected()
                self._receive(response)
            if self._backlog or self._framer.held:
                self._refuse_injected()
            if not self.greeting.done() and not self._framer.begins_as(b"* "):
                raise _not_imap()  # checked here too, because its line may never end
        except MailError as error:
            self.fail(error)

    def _refuse_injected(self) -> None:
        """Refuse every octet in clear behind the answer to STARTTLS (CVE-2021-29969 and similar attacks)."""
        if self._sealed:
            raise UpstreamProtocol("The mail server sent something between STARTTLS and TLS.", protocol="imap")

    def _receive(self, response: bytes) -> None:
        if response.startswith(b"* "):
            if self._pending and self.on_news is None and response[2:3] not in _MAY_BE_BYE:  # nearly always
                self._keep(response[2:])
            else:
                self._receive_untagged(response[2:])
        elif response.startswith(b"+"):
            self._receive_continuation(response)
        else:
            self._receive_tagged(response)

    def _receive_untagged(self, response: bytes) -> None:
        if not self.greeting.done():
            status = read_status(response)
            if status is None or status.kind not in {"OK", "PREAUTH", "BYE"}:
                raise _not_imap()
            self.greeting.set_result(status)
            return
        if response[:3].upper() == b"BYE":
            self._bye = read_status(response)
        if self.on_news is not None:
            self.on_news(response)  # within the answer to a probe too: servers send news with the next answer
            if not self._pending or self._pending[0].is_idle:
                self._flood.note(len(response), self.loop.time())
                return
        if not self._pending:
            self._keep_unsolicited(response)
            return
        self._keep(response)

    def _keep(self, response: bytes) -> None:
        """Add an untagged response to the answer under way."""
        untagged = self._pending[0].untagged
        untagged.append(response)
        self._octets += len(response) + OVERHEAD
        if self._octets > self.limits.response or len(untagged) > self.limits.responses:
            raise AnswerTooLarge("The mail server's answer is larger than allowed.", protocol="imap")

    def _keep_unsolicited(self, response: bytes) -> None:
        self._unsolicited_octets += len(response) + OVERHEAD
        if self._unsolicited_octets > MAX_UNSOLICITED:
            raise UpstreamProtocol("The mail server sends unsolicited responses without end.", protocol="imap")
        self.unsolicited.append(response)

    def take_unsolicited(self) -> list[bytes]:
        """Returns the unsolicited responses and forgets them; the caller has to take all of them into account."""
        taken, self.unsolicited, self._unsolicited_octets = self.unsolicited, [], 0
        return taken

    def _receive_continuation(self, response: bytes) -> None:
        for pending in self._pending:
            if pending.replies:
                self._transmit(pending.replies.popleft())
                return
            if pending.go is not None:
                pending.go.set()
                pending.go = None
                return
            if pending.challenges is not None and pending.challenges.empty():
                pending.challenges.put_nowait(response[2:])
                return
        raise UpstreamProtocol("The mail server asked for more of a command that is complete.", protocol="imap")

    def _receive_tagged(self, response: bytes) -> None:
        tag, _, rest = response.partition(b" ")
        status = read_status(rest)
        pending = next((pending for pending in self._pending if pending.tag == tag), None)
        if pending is None or status is None or status.kind not in {"OK", "NO", "BAD"}:
            raise UpstreamProtocol("The mail server sent an answer that belongs to no command.", protocol="imap")
        if status.kind == "OK" and pending.replies and not pending.optional:
            raise UpstreamProtocol("The mail server completed the command before it had all of it.", protocol="imap")
        if pending.after is After.TLS and status.kind == "OK":
            self._sealed = True
            self.transport.pause_reading()
        elif pending.after is After.DEFLATE:
            self._compress(is_agreed=status.kind == "OK")
        self._pending.remove(pending)
        if not pending.answer.done():
            pending.answer.set_result(Answer(pending.untagged, status))

    def _compress(self, *, is_agreed: bool) -> None:
        self._backlog.by_line = False
        if is_agreed:
            self._backlog.inflate()
            self._deflate = Deflater()

    def secure(self, transport: asyncio.Transport) -> None:
        """Continue over TLS. Everything received in clear is forgotten."""
        self.transport = transport
        self.take_unsolicited()
        self._framer = Framer(self.limits)
        self._sealed = False

    def _transmit(self, octets: bytes) -> None:
        self.transport.write(self._deflate(octets) if self._deflate else octets)


def _not_imap() -> UpstreamProtocol:
    return UpstreamProtocol("This is not an IMAP server.", protocol="imap")
