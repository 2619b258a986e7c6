"""Sends commands and waits for their answers.

One command runs at a time, unless commands are pipelined on purpose. When in doubt the connection is closed: after a
tag that was not sent, an answer without a command, an exceeded limit, a cancelled caller. Otherwise the rest of one
answer might be read as the answer to the next command.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from service.adapters.imap.wire.commands import After, Answer, Pending, Timing, is_continued, next_challenge, refusal_of
from service.adapters.imap.wire.receiver import Receiver
from service.mail.errors import UpstreamProtocol, UpstreamTimeout, UpstreamUnavailable

DONE_SECONDS = 5.0
"""How long a server may take to answer DONE, which ends IDLE."""
MAX_STEPS = 3
"""Answers of a server in one login: the challenge, its proof, and the result (SCRAM)."""
MIN_RATE = 64 << 10
"""Octets a second of an upload that a server has to accept."""


class WireProtocol(Receiver):
    """One connection."""

    def tag(self) -> bytes:
        """Returns the next tag."""
        tag: str = self.new_tag()
        return tag.encode()

    def send(
        self,
        commands: Sequence[tuple[bytes, Sequence[bytes]]],
        *,
        optional: bool = False,
        after: After = After.SAME,
    ) -> list["asyncio.Future[Answer]"]:
        """Write the commands, each a tag with its chunks, in one write. Only the last may have more than one chunk.

        ``optional`` says that the server may finish without having asked for all chunks, ``after`` what the server
        speaks once it has agreed to the last command.
        """
        if self.error is not None:
            raise self.error
        self._octets = 0
        out = bytearray()
        answers: list[asyncio.Future[Answer]] = []
        untagged: list[bytes] = []
        for tag, chunks in commands:
            pending = Pending(tag, chunks[1:], untagged, optional=optional)
            self._pending.append(pending)
            answers.append(pending.answer)
            out += chunks[0]
        self._pending[-1].after = after
        self._backlog.by_line = after is After.DEFLATE
        self._transmit(bytes(out))
        return answers

    async def wait(
        self, answers: Sequence["asyncio.Future[Answer]"], timing: Timing, seconds: float | None = None
    ) -> list[Answer]:
        """Returns the answers, in order. The connection closes if a deadline passes or the caller is cancelled:
        otherwise what comes later would be read as the answer to the next command."""
        watch = self.loop.call_later(timing.progress, self._watch, timing.progress, answers[-1])
        began = self.loop.time()
        try:
            async with asyncio.timeout(seconds or timing.command):
                done = [await answer for answer in answers]
            self.times.note(self.loop.time() - began)
            return done
        except TimeoutError:
            if seconds is not None:
                self.times.note(seconds)  # the next time it may take a little longer
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

    async def converse(
        self, tag: bytes, line: bytes, respond: Callable[[bytes], Awaitable[str]], timing: Timing
    ) -> Answer:
        """Send a command whose further lines answer what the server says behind each ``+`` (AUTHENTICATE). Each answer
        of the server may take the time of a login, all together ``MAX_STEPS`` times as long."""
        [answer] = self.send([(tag, [line])])
        challenges = self._pending[-1].challenges = asyncio.Queue(1)
        try:
            end = self.loop.time() + MAX_STEPS * timing.login
            async with asyncio.timeout(timing.login) as limit:
                while (challenge := await next_challenge(challenges, answer)) is not None:
                    self._transmit((await respond(challenge)).encode() + b"\r\n")
                    limit.reschedule(min(end, self.loop.time() + timing.login))
                return await answer
        except TimeoutError:
            self.fail(error := UpstreamTimeout(protocol="imap"))
            raise error from None
        except BaseException:
            self.fail(UpstreamUnavailable("The login was broken off.", protocol="imap"))
            raise

    async def idle(self, seconds: float, timing: Timing) -> Answer:
        """IDLE for ``seconds``, or until the server ends it (RFC 2177). The connection closes if the server does not
        answer DONE within ``DONE_SECONDS``, or within the time that its latest answers took."""
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
                    self._transmit(b"DONE\r\n")
            began = self.loop.time()
            async with asyncio.timeout(self.times.allowed(DONE_SECONDS, timing.progress)):
                done = await answer
            self.times.note(self.loop.time() - began)
            return done
        except TimeoutError:
            self.times.note(DONE_SECONDS)
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
            self._transmit(chunk)
            self._heard = self.loop.time()
        self._transmit(b"\r\n")

    def _watch(self, progress: float, answer: "asyncio.Future[Answer]") -> None:
        """Fail the command if no octet came for ``progress`` seconds; else look again later."""
        if answer.done() or self.error is not None:
            return
        silent = self.loop.time() - self._heard
        if silent >= progress:
            self.fail(UpstreamTimeout(protocol="imap"))
        else:
            self.loop.call_later(progress - silent, self._watch, progress, answer)
