"""Commands and their answers, on aioimaplib's protocol with a receive path of our own.

aioimaplib gives the client, its connection, the tags and the states. What it does with octets that arrive is replaced
whole: it recurses once a line, is quadratic in lines, alters text, knows no limits and tells nobody that the
connection is gone. The version is pinned, and a test holds the private names used here.

One command at a time, unless they are pipelined on purpose. When in doubt the connection is closed: a tag that was not
sent, an answer without a question, a limit crossed, a caller that went away.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from aioimaplib.aioimaplib import IMAP4ClientProtocol

from service.adapters.imap.wire.flood import OVERHEAD, Flood
from service.adapters.imap.wire.framing import Framer, Limits
from service.adapters.imap.wire.status import Status, clean_text, read_status
from service.mail.errors import MailError, UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable

MAX_UNSOLICITED = 1 << 20
SLICE_SECONDS = 0.01
_SLICE = 32 << 10
"""Octets that are read between two looks at the clock: 6 ms where every line is as short as can be."""
DONE_SECONDS = 5.0
"""How long a server may take to hear the end of IDLE."""
MIN_RATE = 64 << 10
"""Octets a second that a server has to take of an upload."""


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. ``progress`` ends a command when no octet comes, ``command`` however many come; ``patience`` is for
    who waits for a connection."""

    connect: float = 10.0
    greeting: float = 10.0
    login: float = 20.0
    progress: float = 30.0
    command: float = 60.0
    patience: float = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command brought: the untagged responses in order, without their ``* ``, and the tagged status.

    Commands that were sent together share the untagged responses, and are done in any order: Dovecot, for one, answers
    a NOOP only after the search behind it.
    """

    untagged: list[bytes]
    status: Status


class AnswerTooLarge(UpstreamProtocol):
    """More than a command may bring. For who asked for more than may come, in a folder of hundreds of thousands."""


class Pending:
    """A command that was sent. ``replies`` are written one for each ``+``."""

    __slots__ = ("answer", "go", "is_idle", "last", "optional", "replies", "tag", "untagged")

    def __init__(
        self, tag: bytes, replies: Sequence[bytes], untagged: list[bytes], *, optional: bool, last: bool
    ) -> None:
        self.tag = tag
        self.replies = deque(replies)
        self.optional = optional  # the server may finish without having asked for all of them
        self.last = last  # nothing may come in clear after its answer (STARTTLS)
        self.untagged = untagged
        self.go: asyncio.Event | None = None  # set by a ``+``, for who writes the rest without ``replies``
        self.is_idle = False  # what comes meanwhile is news, and no answer
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


class WireProtocol(IMAP4ClientProtocol):  # type: ignore[misc]  # the library is untyped
    """One connection. ``unsolicited`` holds what the server said when nobody had asked."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, server: str) -> None:
        super().__init__(loop)
        self.server = server
        self.limits = limits
        self.unsolicited: list[bytes] = []
        self._unsolicited_octets = 0
        self.on_news: Callable[[], None] | None = None
        """Called for each untagged response; those that nobody asked for are not kept then."""
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
        self._bye: Status | None = None
        self._backlog = b""
        self._waits: asyncio.TimerHandle | None = None
        self._flood = Flood()

    @property
    def is_open(self) -> bool:
        """Connected, and nothing went wrong so far."""
        return self.error is None and self.transport is not None and not self.transport.is_closing()

    @property
    def heard_at(self) -> float:
        """When the last octet came."""
        return self._heard

    @property
    def is_quiet(self) -> bool:
        """Nothing asked, nothing half received."""
        return not self._pending and not self._framer.held and not self._backlog

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._heard = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Everybody who waits is told at once."""
        while self._backlog and self.error is None:  # said before the end; no more than one read holds
            octets, self._backlog = self._backlog, b""
            self._read(octets)
        bye = self._bye
        self.fail(
            UpstreamUnavailable(
                clean_text(bye.text) if bye and self.greeting.done() else "The mail server closed the connection.",
                protocol="imap",
                code=bye.code or "BYE" if bye else None,
                retry_after=1,
            )
        )

    def pause_writing(self) -> None:
        """The server reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The server has caught up, which counts as a sign of life."""
        self._heard = self.loop.time()
        self._writable.set()

    def fail(self, error: MailError) -> None:
        """Close without a goodbye, and say why to everybody who waits and to whoever asks later."""
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
                future.exception()  # a caller that left does not read it

    def data_received(self, octets: bytes) -> None:
        """Read what came, in slices: what takes longer than one waits for the loop's next turn, and so does the
        server."""
        self._heard = self.loop.time()
        if self.error is not None:
            return
        self._backlog = self._backlog + octets if self._backlog else octets
        if not self._waits:
            self._read_backlog()

    def _read_backlog(self) -> None:
        """One slice, or several that are read quickly, as the octets of a literal are."""
        was_paused, self._waits = self._waits is not None, None
        until, at = perf_counter() + SLICE_SECONDS, 0
        while at < len(self._backlog):
            self._read(self._backlog[at : at + _SLICE], is_all=at + _SLICE >= len(self._backlog))
            at += _SLICE
            if at < len(self._backlog) and (self._pause or perf_counter() > until):
                break
        self._backlog = self._backlog[at:]
        if self.error is None and (self._backlog or self._pause):
            self.transport.pause_reading()
            self._waits = self.loop.call_later(self._pause, self._read_backlog)
        elif was_paused and not self._sealed and self.error is None:
            self.transport.resume_reading()

    @property
    def _pause(self) -> float:
        return self._flood.pause(self.loop.time())

    def _read(self, octets: bytes, *, is_all: bool = True) -> None:
        try:
            if self._sealed:
                raise injected()
            for response in self._framer.feed(octets):
                if self._sealed:
                    raise injected()
                self._receive(response)
            self._refuse_rest(is_all=is_all)
            if not self.greeting.done() and not self._framer.begins_as(b"* "):
                raise UpstreamProtocol("This is no IMAP server.", protocol="imap")  # its line may never end
        except MailError as error:
            self.fail(error)

    def _refuse_rest(self, *, is_all: bool) -> None:
        if self._sealed and not is_all:
            raise injected()

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
                raise UpstreamProtocol("This is no IMAP server.", protocol="imap")
            self.greeting.set_result(status)
            return
        if response[:3].upper() == b"BYE":
            self._bye = read_status(response)
        if self.on_news is not None:
            self.on_news()  # in the answer to a probe too: news come with what is asked next
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
            raise UpstreamProtocol("The mail server does not stop talking.", protocol="imap")
        self.unsolicited.append(response)

    def take_unsolicited(self) -> list[bytes]:
        """What was said when nobody had asked; whoever takes it answers for it."""
        taken, self.unsolicited, self._unsolicited_octets = self.unsolicited, [], 0
        return taken

    def _receive_continuation(self) -> None:
        asked = next((one for one in self._pending if one.replies or one.go), None)
        if asked is None:
            raise UpstreamProtocol("The mail server asked for more where there is no more.", protocol="imap")
        if asked.replies:
            self.transport.write(asked.replies.popleft())
        elif asked.go is not None:
            asked.go.set()
            asked.go = None

    def _receive_tagged(self, response: bytes) -> None:
        tag, _, rest = response.partition(b" ")
        status = read_status(rest)
        pending = next((one for one in self._pending if one.tag == tag), None)
        if pending is None or status is None or status.kind not in {"OK", "NO", "BAD"}:
            raise UpstreamProtocol("The mail server answered something else than was asked.", protocol="imap")
        if status.kind == "OK" and pending.replies and not pending.optional:
            raise UpstreamProtocol("The mail server was done before it had all of the command.", protocol="imap")
        if pending.last and status.kind == "OK":
            self._seal()
        self._pending.remove(pending)
        if not pending.answer.done():
            pending.answer.set_result(Answer(pending.untagged, status))

    def _seal(self) -> None:
        """From here on every octet in clear is an injection (CVE-2021-29969 and its kin)."""
        self._sealed = True
        self.transport.pause_reading()
        if self._framer.held:
            raise injected()

    def secure(self, transport: asyncio.Transport) -> None:
        """Go on over TLS; what was said in clear is forgotten."""
        self.transport = transport
        self.take_unsolicited()
        self._framer = Framer(self.limits)
        self._sealed = False

    def tag(self) -> bytes:
        """The next tag."""
        tag: str = self.new_tag()
        return tag.encode()

    def send(
        self, commands: Sequence[tuple[bytes, Sequence[bytes]]], *, optional: bool = False, last: bool = False
    ) -> list["asyncio.Future[Answer]"]:
        """Write the commands, each a tag with its chunks, in one go. Only the last may have more than one chunk."""
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
        """The answers, in order. A deadline or a caller that goes away closes the connection: what comes later would be
        taken for the answer to something else."""
        watch = self.loop.call_later(timing.progress, self._watch, timing.progress, answers[-1])
        try:
            async with asyncio.timeout(seconds or timing.command):
                return [await answer for answer in answers]
        except TimeoutError:
            error = UpstreamTimeout(protocol="imap")
            self.fail(error)
            raise error from None
        except asyncio.CancelledError:
            self.fail(UpstreamUnavailable("The caller went away in mid-command.", protocol="imap"))
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
        """One command whose last argument is a literal of ``size`` octets, written as fast as the server takes it:
        ``head`` announces it, ``chunks`` are its octets. Where the server says no before it has them, they are not
        sent."""
        [answer] = self.send([(tag, head)])
        go = asyncio.Event()
        if not goes_ahead:
            self._pending[-1].go = go
        watch = self.loop.call_later(timing.progress, self._watch, timing.progress, answer)
        try:
            async with asyncio.timeout(timing.command + size / MIN_RATE):
                if not goes_ahead and not await _first(go, answer):
                    return _refused(await answer)
                await self._write(chunks, answer)
                return await answer
        except TimeoutError:
            self.fail(error := UpstreamTimeout(protocol="imap"))
            raise error from None
        except BaseException:
            self.fail(UpstreamUnavailable("The upload ended in mid-message.", protocol="imap"))
            raise
        finally:
            watch.cancel()

    async def idle(self, seconds: float, timing: Timing) -> Answer:
        """IDLE for so long, or until the server ends it (RFC 2177). A server that does not hear the end is left."""
        tag = self.tag()
        [answer] = self.send([(tag, [tag + b" IDLE\r\n"])])
        go = self._pending[-1].go = asyncio.Event()
        self._pending[-1].is_idle = True
        try:
            async with asyncio.timeout(timing.progress):
                is_idle = await _first(go, answer)
            if is_idle:
                await asyncio.wait([answer], timeout=seconds)
                self.transport.write(b"DONE\r\n")
            async with asyncio.timeout(DONE_SECONDS):
                return await answer
        except TimeoutError:
            self.fail(error := UpstreamTimeout(protocol="imap"))
            raise error from None
        except asyncio.CancelledError:
            self.fail(UpstreamUnavailable("Nobody listens any more.", protocol="imap"))
            raise

    async def _write(self, chunks: AsyncIterator[bytes], answer: "asyncio.Future[Answer]") -> None:
        """All of them and the command's end. A server that answers in the midst of a literal is beyond repair."""
        async for chunk in chunks:
            await self._writable.wait()
            if answer.done():
                answer.result()
                raise UpstreamProtocol("The mail server answered in mid-upload.", protocol="imap")
            self.transport.write(chunk)
            self._heard = self.loop.time()
        self.transport.write(b"\r\n")

    def _watch(self, progress: float, answer: "asyncio.Future[Answer]") -> None:
        """Fails the command when no octet came for ``progress`` seconds; looks again until then."""
        if answer.done() or self.error is not None:
            return
        silent = self.loop.time() - self._heard
        if silent >= progress:
            self.fail(UpstreamTimeout(protocol="imap"))
        else:
            self.loop.call_later(progress - silent, self._watch, progress, answer)


def _refused(answer: Answer) -> Answer:
    if answer.status.kind == "OK":
        raise UpstreamProtocol("The mail server was done before it had the message.", protocol="imap")
    return answer


async def _first(go: asyncio.Event, answer: "asyncio.Future[Answer]") -> bool:
    """Whether the server asked for more; False where it answered instead."""
    asked: asyncio.Future[Any] = asyncio.ensure_future(go.wait())
    both: set[asyncio.Future[Any]] = {asked, answer}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return asked.done()
    finally:
        asked.cancel()


def injected() -> UpstreamProtocol:
    """Octets in clear where TLS was to begin."""
    return UpstreamProtocol("The mail server sent something between STARTTLS and TLS.", protocol="imap")
