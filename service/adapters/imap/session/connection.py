"""One logged-in connection and the folder it has selected."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.imap.session.login import connect, literal_plus, log_in
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import Piece
from service.adapters.imap.wire.framing import Limits
from service.adapters.imap.wire.numbers import MAX_UID, count, number, read_number, read_ranges
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.protocol import Answer, Timing, WireProtocol
from service.adapters.imap.wire.responses import status_rows
from service.adapters.imap.wire.status import read_status, refusal
from service.mail.errors import MailError, NotFound, UpstreamError, UpstreamProtocol, UpstreamUnavailable
from service.telemetry.upstream import Command

ANSWER_SECONDS = 3.0
"""A server that takes longer for a NOOP is taken for gone."""
SELECT_AGAIN_SECONDS = 2.0
"""How long the news of an old server are believed."""
_MODERN = frozenset({"CONDSTORE", "ESEARCH", "IMAP4REV2", "MOVE", "QRESYNC", "UIDPLUS"})
# What tells of a change: flags without the UID or with the count, unlike what was asked; and messages that are gone.
_NEWS = re.compile(rb"\d{1,10} (?:EXPUNGE|FETCH \((?!UID )|FETCH \(.*MODSEQ \()|VANISHED ", re.IGNORECASE)
_VANISHED = re.compile(rb"VANISHED ([\d:,]+)\Z", re.IGNORECASE)
"""Just now; those of earlier say so."""
_LEFT_BEHIND = re.compile(rb"NO .*(?:deleted under us|Internal error occurred)", re.IGNORECASE)
"""Dovecot's words, tagged or not, where the selected folder was removed or renamed; it may go on telling of the old one
where another one has its name."""
_MAX_FLAGS = 256 << 10
"""Octets of a list of flags that are read; ten thousand keywords have fewer."""
_NUMBERED = re.compile(rb"(\d{1,20}) (EXISTS|EXPUNGE|FETCH)\b", re.IGNORECASE)


@dataclass(slots=True)
class Selected:
    """The selected folder (RFC 9051, 6.3.2). ``exists`` follows what the server says."""

    name: bytes
    uid_validity: int = 0
    exists: int = 0
    is_read_only: bool = False
    flags: frozenset[str] = frozenset()
    """The flags any message has, lower case, as far as the server said."""
    permanent: frozenset[str] | None = None
    """The flags that can be kept, lower case; ``\\*`` for any keyword. None: all (the server did not say)."""
    has_modseq: bool = False
    """Whether each change of a message is counted (RFC 7162)."""
    state: str | None = None
    """As ``state_of``, of when the folder was last selected or refreshed."""
    uid_next: int = 0
    """Of messages with this UID and above the session may not have heard."""

    def may_have(self, flag: str) -> bool:
        """Whether some message may have the flag."""
        return self.keeps(flag) or not self.flags or flag.lower() in self.flags

    def keeps(self, flag: str) -> bool:
        """Whether a flag, as IMAP names it, will still be there in the next session."""
        word = flag.lower()
        if self.permanent is None or word in self.permanent:
            return True
        return not word.startswith("\\") and "\\*" in self.permanent


class Connection:
    """Made by ``open``. Whoever holds it is alone on it; after an error of the wire it is closed for good."""

    def __init__(self, protocol: WireProtocol, capabilities: frozenset[str], timing: Timing, untrue: set[str]) -> None:
        self._protocol = protocol
        self._timing = timing
        self._untrue = untrue
        self._offered = capabilities
        self._literal_plus = literal_plus(capabilities - untrue)
        self.selected: Selected | None = None
        self._selected_at = 0.0
        self.idle_since = 0.0
        """When it was last given back; the pool's."""
        self._is_qresync = False
        self.is_fresh = False
        """The folder was selected for whoever holds the connection now, so nothing is newer than what it told."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers and, as far as was tried, keeps."""
        return self._offered - self._untrue

    def is_distrusted(self, capability: str) -> bool:
        """Whether it was tried and refused."""
        return capability in self._untrue

    def distrust(self, capability: str) -> None:
        """The server offers it and refuses it: from now on no connection of this mailbox asks for it."""
        self._untrue.add(capability)

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        credentials: Credentials,
        timing: Timing | None = None,
        limits: Limits | None = None,
        untrue: set[str] | None = None,
    ) -> "Connection":
        """Connect and log in: three to five round trips. ``untrue`` are capabilities the server was seen not to keep;
        connections of a mailbox share the set."""
        timing = timing or Timing()
        protocol = await connect(endpoint, timing, limits or Limits())
        try:
            offered = await log_in(protocol, credentials, timing)
            return cls(protocol, offered, timing, set() if untrue is None else untrue)
        except BaseException:
            protocol.fail(UpstreamUnavailable(protocol="imap"))
            raise

    @property
    def is_open(self) -> bool:
        """Usable, as far as can be known without asking."""
        return self._protocol.is_open and self._protocol.is_quiet

    async def answers(self) -> bool:
        """Whether the server still does, and soon."""
        with suppress(MailError):
            await self.attempt(b"NOOP", seconds=min(ANSWER_SECONDS, self._timing.progress))
        return self.is_open

    async def stay(self, seconds: float) -> None:
        """Returns after so long; raises what ended the connection where that comes first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._protocol.closed.wait()
        if self._protocol.error is not None:
            raise self._protocol.error

    async def probe(self) -> None:
        """UpstreamTimeout where the server no longer answers."""
        await self.attempt(b"NOOP", seconds=ANSWER_SECONDS * 3)

    async def attempt(self, *pieces: Piece, seconds: float | None = None) -> Answer:
        """One command; its NO or BAD is the caller's to read."""
        [answer] = await self.attempt_all([pieces], seconds=seconds)
        return answer

    async def run(self, *pieces: Piece, seconds: float | None = None) -> Answer:
        """One command that has to succeed."""
        answer = await self.attempt(*pieces, seconds=seconds)
        if answer.status.kind != "OK":
            raise refusal(answer.status)
        return answer

    async def run_all(self, commands: Sequence[Sequence[Piece]]) -> Answer:
        """As ``attempt_all``, where each has to succeed; answers what all of them brought."""
        answers = await self.attempt_all(commands)
        for answer in answers:
            if answer.status.kind != "OK":
                raise refusal(answer.status)
        return answers[-1]

    async def attempt_all(self, commands: Sequence[Sequence[Piece]], seconds: float | None = None) -> list[Answer]:
        """Several commands in one go, with one list of untagged responses. Only where none depends on what another one
        changes (RFC 9051, 5.5), and where only the last has literals."""
        protocol = self._protocol
        await self._note_all(protocol.claim())
        lines = [(tag := protocol.tag(), arguments.chunks(tag, pieces, self._literal_plus)) for pieces in commands]
        with Command("imap", protocol.server, _verb(commands[-1]), len(commands)) as command:
            answers = await protocol.wait(protocol.send(lines), self._timing, seconds)
            command.outcome = answers[-1].status.kind.lower()
        is_left_behind = await self._note_all(answers[-1].untagged) or _is_left_behind(answers)
        if self.selected is not None and not self.is_fresh and is_left_behind:
            raise self.left_behind()
        return answers

    async def append(self, pieces: Sequence[Piece], size: int, chunks: AsyncIterator[bytes]) -> Answer:
        """APPEND with a message of ``size`` octets as its last argument, read as the server takes it."""
        await self._note_all(self._protocol.claim())
        tag = self._protocol.tag()
        *lines, last = arguments.chunks(tag, pieces, self._literal_plus)
        goes_ahead = not lines and (size <= self._literal_plus or "LITERAL+" in self.capabilities)
        lines.append(last[:-2] + (b" {%d+}\r\n" if goes_ahead else b" {%d}\r\n") % size)
        with Command("imap", self._protocol.server, _verb(pieces)) as command:
            answer = await self._protocol.stream(tag, lines, size, chunks, self._timing, goes_ahead=goes_ahead)
            command.outcome = answer.status.kind.lower()
        await self._note_all(answer.untagged)
        return answer

    def listen(self, on_news: Callable[[], None] | None) -> None:
        """Whom to tell of what nobody asked for. It is not read: who hears of it looks."""
        self._protocol.on_news = on_news

    @property
    def heard_at(self) -> float:
        """When the last octet came, by the event loop's clock."""
        return self._protocol.heard_at

    async def notify(self) -> None:
        """Ask for news of every folder (RFC 5465). UpstreamError where the server refuses."""
        if {"CONDSTORE", "ENABLE"} <= self.capabilities:  # else nobody tells of flags (Dovecot)
            await self.attempt(b"ENABLE", b"CONDSTORE")
        events = b"(MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)"
        await self.run(b"NOTIFY", b"SET", b"(PERSONAL %b)" % events)

    async def idle(self, seconds: float) -> None:
        """Hear of the selected folder for so long (RFC 2177)."""
        answer = await self._protocol.idle(seconds, self._timing)
        if answer.status.kind != "OK":
            raise refusal(answer.status)

    async def select(self, name: bytes) -> Selected:
        """Select a folder; NotFound where the server does not have it or lets nobody in."""
        self.selected = None
        answer = await self._select(arguments.string(name))
        if answer.status.kind != "OK":
            error = refusal(answer.status)
            raise NotFound("folder") if type(error) is UpstreamError and answer.status.kind == "NO" else error
        selected = Selected(name)
        async for response in paced(answer.untagged):
            _note_selection(selected, response)
        numbers = {b"MESSAGES": selected.exists, **_told_numbers(answer.untagged)}
        selected.uid_next = numbers.get(b"UIDNEXT", 0)
        selected.is_read_only = answer.status.code == "READ-ONLY"
        selected.state = state_of(numbers) if selected.has_modseq else None
        if not selected.uid_validity:
            self.fail(error := UpstreamProtocol("The mail server gives no UIDVALIDITY.", protocol="imap"))
            raise error
        self.selected = selected
        self._selected_at = self._loop_time()
        self.is_fresh = True
        return selected

    async def _select_again(self, before: Selected) -> Selected:
        selected = await self.select(before.name)
        if selected.uid_validity != before.uid_validity:
            raise self._renumbered()
        return selected

    def _renumbered(self) -> UpstreamUnavailable:
        """Closes the connection: what was read on it so far names nothing any more."""
        error = UpstreamUnavailable("The folder was renumbered just now.", protocol="imap", retry_after=1)
        self.fail(error)
        return error

    def left_behind(self) -> UpstreamUnavailable:
        """Closes the connection: its folder is another one now, of which it cannot tell."""
        error = UpstreamUnavailable("The folder was renamed or removed just now.", protocol="imap", retry_after=1)
        self.fail(error)
        return error

    def _loop_time(self) -> float:
        now: float = self._protocol.loop.time()
        return now

    async def _select(self, name: Piece) -> Answer:
        """With CONDSTORE, so that the server counts changes from now on (RFC 7162, 3.1.8)."""
        if "CONDSTORE" in self.capabilities:
            answer = await self.attempt(b"SELECT", name, b"(CONDSTORE)")
            if answer.status.kind != "BAD":
                return answer
            self.distrust("CONDSTORE")
            self.distrust("QRESYNC")
        return await self.attempt(b"SELECT", name)

    async def refresh(self) -> Selected:
        """Hear of what came and went since the folder was selected: a round trip, unless that was just now."""
        assert self.selected is not None
        if not self.is_fresh and self.is_old and self._loop_time() > self._selected_at + SELECT_AGAIN_SECONDS:
            return await self._select_again(self.selected)
        if not self.is_fresh:
            await self._refresh()
        return self.selected

    async def catch_up(self, uids: Iterable[int]) -> None:
        """Refresh where one of these may have come since: another session told of it, and this one takes a UID that it
        has not heard of for none (Dovecot), even to say OK to a STORE."""
        assert self.selected is not None
        newest = max(uids, default=0)
        if self.is_fresh or newest < self.selected.uid_next:
            return
        selected = await self.refresh()
        selected.uid_next = max(selected.uid_next, newest + 1)

    async def refresh_with(self, *pieces: Piece) -> list[bytes] | None:
        """Refresh, and a command of UIDs in the same round trip: what it brought. None where there was news, or no way
        to hear it so: servers do commands that are sent together in any order (Dovecot looks for news last), so what
        the command brought may be older than the news."""
        assert self.selected is not None
        if self.is_fresh or self.is_old:
            return None
        return await self._refresh(pieces)

    async def _refresh(self, *more: Sequence[Piece]) -> list[bytes] | None:
        """What came, or None where there was news among it: the state is from before that, and is asked again."""
        selected = self.selected
        assert selected is not None
        exists = selected.exists
        state: list[Sequence[Piece]] = []
        if self.counts_changes:
            state.append([b"STATUS", arguments.string(selected.name), STATE_ITEMS])
        answer = await self.run_all([[b"NOOP"], *state, *more])
        is_quiet = selected.exists == exists and not await _has_news(answer.untagged)
        if state:
            told = answer if is_quiet else await self.run_all(state)
            numbers = (await status_rows(told.untagged)).get(selected.name, {})
            selected.state = state_of(numbers)
            selected.uid_next = max(selected.uid_next, numbers.get(b"UIDNEXT", 0))
        self.is_fresh = True
        return answer.untagged if is_quiet else None

    @property
    def is_old(self) -> bool:
        """A server of before 2006 or of its kind. Some of those tell of new mail to SELECT alone, and take a UID that
        is gone for its neighbour's (GNU mailutils)."""
        return not self._offered & _MODERN

    @property
    def counts_changes(self) -> bool:
        """Whether each change of a message in the selected folder has a number (RFC 7162)."""
        is_offered = "CONDSTORE" in self.capabilities or "QRESYNC" in self.capabilities
        return is_offered and self.selected is not None and self.selected.has_modseq

    @property
    def tells_vanished(self) -> bool:
        """Whether what vanished since a count can be asked (RFC 7162, 3.2); see ``enable_qresync``."""
        return self._is_qresync and self.counts_changes

    async def enable_qresync(self, folder: bytes) -> None:
        """From now on the server tells UIDs of what vanishes, where it offers that. The folder is selected again:
        ENABLE is not for who has one (RFC 5161, 3.1)."""
        if self._is_qresync or not self.capabilities >= {"QRESYNC", "ENABLE", "UNSELECT"}:
            return
        if self.selected is not None:
            await self.run(b"UNSELECT")
            self.selected = None
        answer = await self.attempt(b"ENABLE", b"QRESYNC")
        if answer.status.kind == "OK":
            self._is_qresync = True
        else:
            self.distrust("QRESYNC")
        await self.select(folder)

    async def _note_all(self, untagged: Iterable[bytes]) -> bool:
        """What untagged responses say of the selected folder; True if one says that it is another one now. A caller
        that goes away meanwhile leaves the counts half noted, so the connection is closed."""
        is_left_behind = False
        try:
            async for response in paced(untagged):
                self._note(response)
                is_left_behind |= response[:3] == b"NO " and _LEFT_BEHIND.match(response) is not None
        except BaseException:
            self.fail(UpstreamProtocol("The mail server's answer was not read to its end.", protocol="imap"))
            raise
        return is_left_behind

    def _note(self, response: bytes) -> None:
        selected = self.selected
        if selected is None:
            return
        if found := _NUMBERED.match(response):
            verb = found[2].upper()
            if verb == b"EXISTS":
                selected.exists = number(found[1], MAX_UID)
            elif verb == b"EXPUNGE":
                selected.exists = max(0, selected.exists - 1)
        elif vanished := _VANISHED.match(response):
            selected.exists = max(0, selected.exists - count(read_ranges(vanished[1])))
        elif response[:2].upper() == b"OK":
            before = selected.uid_validity
            _note_selection(selected, response)
            if selected.uid_validity != before:
                raise self._renumbered()

    def fail(self, error: MailError) -> None:
        """Close without a goodbye: for whoever found the connection at fault."""
        self._protocol.fail(error)

    async def logout(self) -> None:
        """Say goodbye, for two seconds at most, and close."""
        with suppress(MailError):
            await self.attempt(b"LOGOUT", seconds=2)
        self.fail(UpstreamUnavailable("Logged out.", protocol="imap"))


def _verb(pieces: Sequence[Piece]) -> str:
    """Of a command, as RFC 9051 names it: nothing that a caller chose."""
    first = pieces[0].decode("ascii")
    return f"UID {pieces[1].decode('ascii')}" if first == "UID" else first


def _is_left_behind(answers: Sequence[Answer]) -> bool:
    said = [b"NO %b" % answer.status.text for answer in answers if answer.status.kind == "NO"]
    return any(map(_LEFT_BEHIND.match, said))


async def _has_news(untagged: Iterable[bytes]) -> bool:
    async for response in paced(untagged):
        if _NEWS.match(response):
            return True
    return False


STATE_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"


def state_of(numbers: Mapping[bytes, int]) -> str | None:
    """What changes with every change of a folder; None where the server does not tell all of it."""
    told = [numbers.get(item) for item in STATE_ITEMS[1:-1].split()]
    return ".".join(map(str, told)) if None not in told else None


def _told_numbers(untagged: Iterable[bytes]) -> dict[bytes, int]:
    """UIDNEXT and its kin from the answer to SELECT."""
    told = (status for line in untagged if line[:2].upper() == b"OK" and (status := read_status(line)))
    numbers = ((status.code.encode(), read_number(status.argument)) for status in told)
    return {name: value for name, value in numbers if value is not None}


def _note_selection(selected: Selected, response: bytes) -> None:
    if response[:6].upper() == b"FLAGS ":
        selected.flags = frozenset(response[6:_MAX_FLAGS].decode("ascii", "replace").lower().strip("() ").split())
        return
    if found := _NUMBERED.match(response):
        if found[2].upper() == b"EXISTS":
            selected.exists = number(found[1], MAX_UID)
        return
    status = read_status(response)
    if status is None:
        return
    match status.code:
        case "UIDVALIDITY":
            selected.uid_validity = read_number(status.argument, MAX_UID) or 0
        case "PERMANENTFLAGS":
            words = status.argument[:_MAX_FLAGS].decode("ascii", "replace").lower()
            selected.permanent = frozenset(words.strip("()").split())
        case "HIGHESTMODSEQ":
            selected.has_modseq = True
        case "NOMODSEQ":
            selected.has_modseq = False
