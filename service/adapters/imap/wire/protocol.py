"""Sends commands and receives their answers, on aioimaplib's protocol with a receive path of our own.

aioimaplib contributes the client, its connection, the tags and the states. Its receive path is replaced entirely: it
recurses once per line, is quadratic in lines, alters text, has no limits and does not report that the connection is
gone. The version is pinned, and a test checks the private names used here.

One command runs at a time, unless commands are pipelined on purpose. When in doubt the connection is closed: after a
tag that was not sent, an answer without a command, an exceeded limit, a cancelled caller. Otherwise the rest of one
answer might be read as the answer to the next command.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from time import perf_counter
from typing import Any

from aioimaplib.aioimaplib import IMAP4ClientProtocol

from service.adapters.imap.wire.commands import Answer, AnswerTooLarge, Pending, Timing, is_continued, refusal_of
from service.adapters.imap.wire.flow import OVERHEAD, Flood, acknowledge
from service.adapters.imap.wire.framing import Framer, Limits
from service.adapters.imap.wire.status import Status, login_error_from, read_status
from service.mail.cleaning import server_text
from service.mail.errors import MailError, UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable

MAX_UNSOLICITED = 1 << 20
SLICE_SECONDS = 0.01
_SLICE = 32 << 10
"""Octets that are read between two looks at the clock: 6 ms if every line is as short as possible."""
DONE_SECONDS = 5.0
"""How long a server may take to answer DONE, which ends IDLE."""
MIN_RATE = 64 << 10
"""Octets a second of an upload that a server has to accept."""


class WireProtocol(IMAP4ClientProtocol):  # type: ignore[misc]  # the library is untyped
    """One connection. ``unsolicited`` holds untagged responses that came while no command was running."""

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
        self._backlog = b""
        self._waits: asyncio.TimerHandle | None = None
        self._slice_ends: float | None = None
        self._flood = Flood()

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
        while self._backlog and self.error is None:  # it came before the end, and is at most one read of the socket
            octets, self._backlog = self._backlog, b""
            self._read(octets)
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
        self._backlog = b""
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
        self._backlog = self._backlog + octets if self._backlog else octets
        if not self._waits:
            self._read_backlog()
        if self._pending:
            acknowledge(self.transport)

    def _read_backlog(self) -> None:
        """Read one slice, or several if they are quick, as the octets of a literal are."""
        was_paused, self._waits = self._waits is not None, None
        until, start = self._end_of_slice(), 0
        while start < len(self._backlog) and not self._pause and perf_counter() <= until:
            self._read(self._backlog[start : start + _SLICE], is_all=start + _SLICE >= len(self._backlog))
            start += _SLICE
        self._backlog = self._backlog[start:]
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

    def _read(self, octets: bytes, *, is_all: bool = True) -> None:
        try:
            if self._sealed:
                raise _injected()
            for response in self._framer.feed(octets):
                if self._sealed:
                    raise _injected()
                self._receive(response)
            self._refuse_rest(is_all=is_all)
            if not self.greeting.done() and not self._framer.begins_as(b"* "):
                raise _not_imap()  # checked here too, because its line may never end
        except MailError as error:
            self.fail(error)

    def _refuse_rest(self, *, is_all: bool) -> None:
        if self._sealed and not is_all:
            raise _injected()

    def _receive(self, response: bytes) -> None:
        if response.startswith(b"* "):
            self._receive_untagged(response[2:])
        elif response.startswith(b"+"):
            self._receive_continuation()
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

    def _receive_continuation(self) -> None:
        pending = next((pending for pending in self._pending if pending.replies or pending.go), None)
        if pending is None:
            raise UpstreamProtocol("The mail server asked for more of a command that is complete.", protocol="imap")
        if pending.replies:
            self.transport.write(pending.replies.popleft())
        elif pending.go is not None:
            pending.go.set()
            pending.go = None

    def _receive_tagged(self, response: bytes) -> None:
        tag, _, rest = response.partition(b" ")
        status = read_status(rest)
        pending = next((pending for pending in self._pending if pending.tag == tag), None)
        if pending is None or status is None or status.kind not in {"OK", "NO", "BAD"}:
            raise UpstreamProtocol("The mail server sent an answer that belongs to no command.", protocol="imap")
        if status.kind == "OK" and pending.replies and not pending.optional:
            raise UpstreamProtocol("The mail server completed the command before it had all of it.", protocol="imap")
        if pending.last and status.kind == "OK":
            self._seal()
        self._pending.remove(pending)
        if not pending.answer.done():
            pending.answer.set_result(Answer(pending.untagged, status))

    def _seal(self) -> None:
        """Treat every further octet in clear as an injection (CVE-2021-29969 and similar attacks)."""
        self._sealed = True
        self.transport.pause_reading()
        if self._framer.held:
            raise _injected()

    def secure(self, transport: asyncio.Transport) -> None:
        """Continue over TLS. Everything received in clear is forgotten."""
        self.transport = transport
        self.take_unsolicited()
        self._framer = Framer(self.limits)
        self._sealed = False

    def tag(self) -> bytes:
        """Returns the next tag."""
        tag: str = self.new_tag()
        return tag.encode()

    def send(
        self, commands: Sequence[tuple[bytes, Sequence[bytes]]], *, optional: bool = False, last: bool = False
    ) -> list["asyncio.Future[Answer]"]:
        """Write the commands, each a tag with its chunks, in one write. Only the last may have more than one chunk.

        ``optional`` says that the server may finish without having asked for all chunks, ``last`` that nothing may come
        in clear after the answer (STARTTLS).
        """
        if self.error is not None:
            raise self.error
        self._octets = 0
        out = bytearray()
        answers: list[asyncio.Future[Answer]] = []
        untagged: list[bytes] = []
        for tag, chunks in commands:
            pending = Pending(tag, chunks[1:], untagged, optional=optional, last=last)
            self._pending.append(pending)
            answers.append(pending.answer)
            out += chunks[0]
        self.transport.write(bytes(out))
        return answers

    async def wait(
        self, answers: Sequence["asyncio.Future[Answer]"], timing: Timing, seconds: float | None = None
    ) -> list[Answer]:
        """Returns the answers, in order. The connection closes if a deadline passes or the caller is cancelled:
        otherwise what comes later would be read as the answer to the next command."""
        watch = self.loop.call_later(timing.progress, self._watch, timing.progress, answers[-1])
        try:
            async with asyncio.timeout(seconds or timing.command):
                return [await answer for answer in answers]
        except TimeoutError:
            error = UpstreamTimeout(protocol="imap")
            self.fail(error)
            raise error from None
        except asyncio.CancelledError:
            self.fail(UpstreamUnavailable("The caller was cancelled during a command.", protocol="imap"))
            raise
        finally:
            watch.cancel()

    async def stream(
        self,
        tag: bytes,
        head: Sequence[bytes],
        size: int,
        chunks: AsyncIterator[bytes],
        timing: Timing,
        *,
        goes_ahead: bool,
    ) -> Answer:
        """Send one command whose last argument is a literal of ``size`` octets, as fast as the server reads it:
        ``head`` announces the literal, ``chunks`` are its octets. If the server refuses before it has them, they are
        not sent."""
        [answer] = self.send([(tag, head)])
        go = asyncio.Event()
        if not goes_ahead:
            self._pending[-1].go = go
        watch = self.loop.call_later(timing.progress, self._watch, timing.progress, answer)
        try:
            async with asyncio.timeout(timing.command + size / MIN_RATE):
                if not goes_ahead and not await is_continued(go, answer):
                    return refusal_of(await answer)
                await self._write(chunks, answer)
                return await answer
        except TimeoutError:
            self.fail(error := UpstreamTimeout(protocol="imap"))
            raise error from None
        except BaseException:
            self.fail(UpstreamUnavailable("The upload ended before the message was complete.", protocol="imap"))
            raise
        finally:
            watch.cancel()

    async def idle(self, seconds: float, timing: Timing) -> Answer:
        """IDLE for ``seconds``, or until the server ends it (RFC 2177). The connection closes if the server does not
        answer DONE within ``DONE_SECONDS``."""
        tag = self.tag()
        [answer] = self.send([(tag, [tag + b" IDLE\r\n"])])
        go = self._pending[-1].go = asyncio.Event()
        self._pending[-1].is_idle = True
        try:
            async with asyncio.timeout(timing.progress):
                is_idle = await is_continued(go, answer)
            if is_idle:
                await asyncio.wait([answer], timeout=seconds)
                if not answer.done():
                    self.transport.write(b"DONE\r\n")
            async with asyncio.timeout(DONE_SECONDS):
                return await answer
        except TimeoutError:
            self.fail(error := UpstreamTimeout(protocol="imap"))
            raise error from None
        except asyncio.CancelledError:
            self.fail(UpstreamUnavailable("The watch was cancelled.", protocol="imap"))
            raise

    async def _write(self, chunks: AsyncIterator[bytes], answer: "asyncio.Future[Answer]") -> None:
        """Write all chunks and the command's end. Raises UpstreamProtocol if the server answers within the literal: no
        command can follow then."""
        async for chunk in chunks:
            await self._writable.wait()
            if answer.done():
                answer.result()
                raise UpstreamProtocol("The mail server answered before it had the whole upload.", protocol="imap")
            self.transport.write(chunk)
            self._heard = self.loop.time()
        self.transport.write(b"\r\n")

    def _watch(self, progress: float, answer: "asyncio.Future[Answer]") -> None:
        """Fail the command if no octet came for ``progress`` seconds; else look again later."""
        if answer.done() or self.error is not None:
            return
        silent = self.loop.time() - self._heard
        if silent >= progress:
            self.fail(UpstreamTimeout(protocol="imap"))
        else:
            self.loop.call_later(progress - silent, self._watch, progress, answer)


def _not_imap() -> UpstreamProtocol:
    return UpstreamProtocol("This is not an IMAP server.", protocol="imap")


def _injected() -> UpstreamProtocol:
    """Returns the error for octets in clear behind the answer to STARTTLS."""
    return UpstreamProtocol("The mail server sent something between STARTTLS and TLS.", protocol="imap")
