"""One logged-in connection, which runs commands (RFC 9051, 5 and 6)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from service import __version__
from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.imap.session.known_faults import faults_of, introduced_faults
from service.adapters.imap.session.login import connect, literal_plus, log_in
from service.adapters.imap.session.message_limit import limit_of, rest_of
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import Piece
from service.adapters.imap.wire.commands import After, Answer, AnswerTimes, AnswerTooLarge, Timing
from service.adapters.imap.wire.octets.flow import OVERHEAD
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.pace import slices
from service.adapters.imap.wire.protocol import WireProtocol
from service.adapters.imap.wire.status import SignedOut, error_from, is_disconnected, is_signed_out
from service.adapters.shared.sockets import is_local
from service.mail.errors import MailError, UpstreamProtocol, UpstreamUnavailable
from service.telemetry.upstream import Command

if TYPE_CHECKING:
    from service.adapters.imap.session.selection import Selection

NOOP_SECONDS = 3.0
"""If NOOP takes longer, the server is considered dead, unless its latest answers were as slow."""
_MODERN = frozenset({"CONDSTORE", "ESEARCH", "IMAP4REV2", "MOVE", "QRESYNC", "UIDPLUS"})
COMPRESS = "COMPRESS=DEFLATE"
Arguments = Sequence[Piece]
"""A command: its verb and its arguments."""
_QRESYNC: Arguments = (b"ENABLE", b"QRESYNC")
_ID: Arguments = (b"ID", b'("name" "Casella" "version" "%b")' % __version__.encode())


class Connection:
    """Created by ``open``. Only one task uses it at a time. After an error of the wire it stays closed."""

    def __init__(
        self,
        protocol: WireProtocol,
        capabilities: frozenset[str],
        timing: Timing,
        broken_capabilities: set[str],
        *,
        compresses: bool = False,
        ends_at: float | None = None,
    ) -> None:
        self._protocol = protocol
        self._timing = timing
        self._broken = broken_capabilities
        self._offered = capabilities
        self._literal_plus = literal_plus(capabilities - broken_capabilities)
        self._introduction: list[Arguments] = [_ID] if "ID" in capabilities else []
        if self.capabilities >= {"ENABLE", "QRESYNC"}:
            self._introduction.append(_QRESYNC)
        self.message_limit = limit_of(capabilities)
        """How many messages the server carries a command out for (RFC 9738); None: for all."""
        self._limits_messages = self.message_limit is not None
        self._may_compress = compresses and COMPRESS in self.capabilities
        self.selection: Selection | None = None
        """The selected folder; it notes what untagged responses say about it."""
        self.namespaces: Sequence[bytes] = ()
        """What the server said of its namespaces, once it was asked: that holds for as long as a connection does."""
        self.unlisted: tuple[bytes, ...] = ()
        """The prefixes of folders that LIST ``*`` left out when they were last listed."""
        self._ends_at = ends_at
        self.idle_since = 0.0
        """When the connection was last given back to the pool, by the event loop's clock."""
        self.is_qresync = False
        """Whether ENABLE QRESYNC succeeded (RFC 7162, 3.2.3)."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the server offers and, as far as they were tried, keeps."""
        return self._offered - self._broken

    def is_disabled(self, capability: str) -> bool:
        """Whether the capability was tried and refused."""
        return capability in self._broken

    def has(self, capability: str) -> bool:
        """As ``capability in capabilities``, without making the set: for what is asked of every list."""
        return capability in self._offered and capability not in self._broken

    def disable(self, *capabilities: str) -> None:
        """Stop using capabilities that the server offers and refuses, on all connections of this mailbox."""
        self._broken.update(capabilities)

    @property
    def has_modseq(self) -> bool:
        """Whether the server can count the changes of messages (RFC 7162)."""
        return not self.capabilities.isdisjoint({"CONDSTORE", "QRESYNC"})

    @property
    def is_legacy(self) -> bool:
        """Whether the server is from before 2006, or as if. Some of those announce new mail in the answer to SELECT
        alone, and take a UID that is gone for the next one (GNU mailutils)."""
        return not self._offered & _MODERN

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        credentials: Credentials,
        timing: Timing | None = None,
        limits: Limits | None = None,
        broken_capabilities: set[str] | None = None,
        times: AnswerTimes | None = None,
    ) -> "Connection":
        """Connect and log in: three to five round trips. The connections of a mailbox share ``broken_capabilities``,
        which the server was seen to refuse, and the times that its answers took."""
        timing = timing or Timing()
        times = times or AnswerTimes()
        with times.measured():
            protocol = await connect(endpoint, timing, limits or Limits())
        protocol.times = times
        try:
            offered = await log_in(protocol, credentials, timing)
            broken = set() if broken_capabilities is None else broken_capabilities
            compresses = not is_local(protocol.transport) if endpoint.compress is None else endpoint.compress
            broken |= faults_of(protocol.greeting.result().text)
            return cls(protocol, offered, timing, broken, compresses=compresses, ends_at=credentials.ends_at)
        except BaseException:
            protocol.fail(UpstreamUnavailable(protocol="imap"))
            raise

    @property
    def is_open(self) -> bool:
        """Whether the connection is usable, as far as can be known without a round trip."""
        return self._protocol.is_open and self._protocol.is_quiet

    @property
    def has_ended(self) -> bool:
        """Whether the secret of the login has ended. Some servers close the connection then, perhaps within a command,
        so work should begin on another one."""
        return self._ends_at is not None and time.monotonic() >= self._ends_at

    async def is_alive(self) -> bool:
        """Whether the server still answers, within ``NOOP_SECONDS``. One round trip."""
        with suppress(MailError):
            await self.attempt([b"NOOP"], seconds=self._allowed(NOOP_SECONDS))
        return self.is_open

    def _allowed(self, usual: float) -> float:
        return min(self._timing.progress, self._protocol.times.allowed(usual, self._timing.progress))

    async def probe(self) -> None:
        """One NOOP. Raises UpstreamTimeout if the server no longer answers."""
        await self.attempt([b"NOOP"], seconds=self._allowed(NOOP_SECONDS * 3))

    async def wait_closed(self, seconds: float) -> None:
        """Returns after ``seconds``. Raises the error that ended the connection, if that comes first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._protocol.closed.wait()
        if self._protocol.error is not None:
            raise self._protocol.error

    async def attempt(self, *commands: Arguments, seconds: float | None = None) -> list[Answer]:
        """Send commands together and return their answers, refusals included.

        The answers share one list of untagged responses. Commands may be sent together if none depends on what another
        one changes (RFC 9051, 5.5), and if only the last has literals. One round trip, and one for each literal that
        the server has to ask for. The connection closes if the caller is cancelled or a deadline passes.
        """
        protocol = self._protocol
        await self._note(protocol.take_unsolicited())
        sent = self._with_introduction(commands)
        lines = [(tag := protocol.tag(), arguments.chunks(tag, pieces, self._literal_plus)) for pieces in sent]
        with Command("imap", protocol.server, _verb(commands[-1]), len(commands)) as command:
            after = self._compressed(lines)
            answers = await protocol.wait(protocol.send(lines, after=after), self._timing, seconds)
            if after is After.DEFLATE and answers.pop().status.kind != "OK":
                self.disable(COMPRESS)
            command.outcome = answers[-1].status.kind.lower()
        for answer in answers:
            if is_disconnected(answer.status):
                self.fail(error_from(answer.status))
            self._require_signed_in(answer)
        await self._note(answers[-1].untagged)
        if self.selection is not None:
            self.selection.require_kept(answers)
        if len(sent) > len(commands):
            self.disable(*introduced_faults(answers[-1].untagged))
            self._note_qresync(sent, answers)
        if self._limits_messages:
            await self._finish(commands[-1], answers[-1])
        return answers[len(answers) - len(commands) :]

    async def _finish(self, command: Arguments, answer: Answer) -> None:
        """Ask for what a limit left out of the last command; the responses are added to its answer. A round trip for
        each part. All parts together have the bounds of one answer, in octets and time."""
        exists = self.selection.exists if self.selection is not None else 0
        rest, before = rest_of(command, answer, exists), None
        octets, end = _octets(answer), self.now() + self._timing.command
        self._limits_messages = False
        try:
            while rest is not None:
                if rest == before or octets > self._protocol.limits.response or self.now() > end:
                    raise AnswerTooLarge("The mail server answers for too few messages at once.", protocol="imap")
                part = await self.run(rest)
                octets += _octets(part)
                answer.untagged.extend(part.untagged)
                before, rest = rest, rest_of(rest, part, exists)
        finally:
            self._limits_messages = True

    def _compressed(self, lines: list[tuple[bytes, list[bytes]]]) -> After:
        """The first time, adds COMPRESS behind the commands (RFC 4978), so that it costs no round trip. Returns what
        the server speaks once it has agreed to all of them."""
        if not self._may_compress or len(lines[-1][1]) > 1:
            return After.SAME
        self._may_compress = False
        lines.append((tag := self._protocol.tag(), arguments.chunks(tag, [b"COMPRESS", b"DEFLATE"])))
        return After.DEFLATE

    def _with_introduction(self, commands: Sequence[Arguments]) -> Sequence[Arguments]:
        """Returns the commands, the first of a connection with ID before them (RFC 2971): NetEase refuses to select a
        folder for a client that has not sent it; and with ENABLE, which is not allowed once a folder is selected. They
        travel with the commands, so they cost no round trip."""
        introduction, self._introduction = self._introduction, []
        return commands if commands[0][0] == b"LOGOUT" else [*introduction, *commands]

    def _note_qresync(self, sent: Sequence[Arguments], answers: Sequence[Answer]) -> None:
        for command, answer in zip(sent, answers, strict=False):
            if command is _QRESYNC:
                self.is_qresync = answer.status.kind == "OK"
                if not self.is_qresync:
                    self.disable("QRESYNC")

    async def run(self, *commands: Arguments, seconds: float | None = None) -> Answer:
        """As ``attempt``, but each command has to succeed: raises the error of the first that does not. Returns the
        answer to the last."""
        answers = await self.attempt(*commands, seconds=seconds)
        for answer in answers:
            if answer.status.kind != "OK":
                raise error_from(answer.status)
        return answers[-1]

    async def append(
        self,
        pieces: Arguments,
        size: int,
        chunks: AsyncIterator[bytes],
        *,
        total: int | None = None,
        waits: bool = False,
    ) -> Answer:
        """APPEND with a message of ``size`` octets as its last argument, read from ``chunks`` as the server takes it.
        With ``total``, ``chunks`` has the arguments and octets of further messages behind it. With ``waits`` it is not
        sent before the server agrees: a server that does not understand ``pieces`` may read it as commands."""
        await self._note(self._protocol.take_unsolicited())
        for introduction in [each for each in self._with_introduction([pieces])[:-1] if each is not _QRESYNC]:
            self._protocol.send([(tag := self._protocol.tag(), arguments.chunks(tag, introduction))])
        tag = self._protocol.tag()
        *lines, last = arguments.chunks(tag, pieces, self._literal_plus)
        goes_ahead = not waits and not lines and (size <= self._literal_plus or "LITERAL+" in self.capabilities)
        lines.append(last[:-2] + (b" {%d+}\r\n" if goes_ahead else b" {%d}\r\n") % size)
        with Command("imap", self._protocol.server, _verb(pieces)) as command:
            octets = size if total is None else total
            answer = await self._protocol.stream(tag, lines, octets, chunks, self._timing, goes_ahead=goes_ahead)
            command.outcome = answer.status.kind.lower()
        if goes_ahead and answer.status.kind == "BAD":
            self.fail(error_from(answer.status))
        self._require_signed_in(answer)
        await self._note(answer.untagged)
        return answer

    def _require_signed_in(self, answer: Answer) -> None:
        """Raises SignedOut if the server refused a command because the login has ended."""
        if is_signed_out(answer.status):
            signed_out = SignedOut(protocol="imap", code=answer.status.code or None, retry_after=1)
            self.fail(signed_out)
            raise signed_out

    async def _note(self, untagged: Iterable[bytes]) -> None:
        """Pass untagged responses to the selection. If the caller is cancelled meanwhile, the counts are incomplete, so
        the connection closes."""
        if self.selection is None:
            return
        try:
            async for responses in slices(untagged):
                for response in responses:
                    self.selection.note(response)
        except BaseException:
            self.fail(UpstreamProtocol("The mail server's answer was not read to its end.", protocol="imap"))
            raise

    def listen(self, on_news: Callable[[bytes], None] | None) -> None:
        """Call ``on_news`` with every untagged response. They are not kept: the callback re-reads the state."""
        self._protocol.on_news = on_news

    @property
    def heard_at(self) -> float:
        """When the last octet came, by the event loop's clock."""
        return self._protocol.heard_at

    async def notify(self) -> None:
        """Ask for news of every folder (RFC 5465). Raises UpstreamError if the server refuses.

        A selected folder is left: its news would come only with the next command (5465, 6.1).
        """
        if self.selection is not None:
            await self.run([b"UNSELECT"])
            self.selection = None
        if {"CONDSTORE", "ENABLE"} <= self.capabilities:  # otherwise Dovecot does not report flags
            await self.attempt([b"ENABLE", b"CONDSTORE"])
        events = b"(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"
        await self.run([b"NOTIFY", b"SET", b"(PERSONAL %b)" % events])

    async def idle(self, seconds: float) -> None:
        """Receive news of the selected folder for ``seconds`` (RFC 2177)."""
        answer = await self._protocol.idle(seconds, self._timing)
        if answer.status.kind != "OK":
            raise error_from(answer.status)

    def now(self) -> float:
        """The event loop's clock."""
        now: float = self._protocol.loop.time()
        return now

    def fail(self, error: MailError) -> None:
        """Abort the connection; pending and later commands raise ``error``."""
        self._protocol.fail(error)

    async def logout(self) -> None:
        """Send LOGOUT, wait two seconds at most, and close."""
        self._protocol.is_leaving, self._may_compress = True, False
        with suppress(MailError):
            await self.attempt([b"LOGOUT"], seconds=2)
        self.fail(UpstreamUnavailable("Logged out.", protocol="imap"))


def _octets(answer: Answer) -> int:
    return sum(len(response) + OVERHEAD for response in answer.untagged)


def _verb(pieces: Arguments) -> str:
    """The command as RFC 9051 names it, without anything that a caller chose."""
    first = pieces[0].decode("ascii")
    return f"UID {pieces[1].decode('ascii')}" if first == "UID" else first
