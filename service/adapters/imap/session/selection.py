"""The folder that a connection has selected, and what the server reports about it (RFC 9051, 6.3.2 and 7.3)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from service.adapters.imap.session.connection import Arguments, Connection
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.commands import Answer
from service.adapters.imap.wire.pace import paced, slices
from service.adapters.imap.wire.responses import ListedFolder, list_rows, status_rows
from service.adapters.imap.wire.status import error_from, read_status
from service.adapters.imap.wire.values.numbers import MAX_UID, count, number, read_ranges
from service.mail.errors import MailError, NotFound, NotPermitted, UpstreamError, UpstreamProtocol, UpstreamUnavailable
from service.mail.numbers import read_number

STATE_ITEMS = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
SELECT_AGAIN_SECONDS = 2.0
"""How long a selection of a legacy server is considered current."""
# Responses that report a change: flags without the UID or with MODSEQ, unlike what was requested; removed messages.
# Gmail puts labels, which are sent on request alone, before the UID.
_NEWS = re.compile(rb"\d{1,10} (?:EXPUNGE|FETCH \((?!UID |X-GM-LABELS )|FETCH \(.*MODSEQ \()|VANISHED ", re.IGNORECASE)
# What a page is mostly answered with: flags of known rows, and rows. No server sends an ENVELOPE by itself.
_FLAGS = re.compile(rb"\d{1,10} FETCH \(UID \d{1,10} FLAGS \([^()]*\)\)\Z")
_ROW = re.compile(rb"\d{1,10} FETCH \(UID \d{1,10} ")
_OF_ROW = b" ENVELOPE ("
_VANISHED = re.compile(rb"VANISHED ([\d:,]+)\Z", re.IGNORECASE)
"""Messages removed just now; ``VANISHED (EARLIER)`` reports older removals."""
_LOST = re.compile(rb"NO .*(?:deleted under us|Internal error occurred)", re.IGNORECASE)
"""Dovecot's words, tagged or untagged, after the selected folder was removed or renamed. If another folder takes the
name, Dovecot may go on describing the old one."""
_FORBIDDEN = re.compile(r"permi|denied|not allowed|forbidden|unsafe|access|rights?\b", re.IGNORECASE)
"""Words of a server that knows the folder and does not let this user or this client in."""
_MAX_FLAGS = 256 << 10
"""Octets of a list of flags that are read; ten thousand keywords have fewer."""
_NUMBERED = re.compile(rb"(\d{1,20}) (EXISTS|EXPUNGE)\b", re.IGNORECASE)


class News(NamedTuple):
    """The answers to NOOP, STATUS and other commands, and whether nothing came that was not asked for."""

    answers: Sequence[Answer]
    is_quiet: bool

    def untagged(self) -> list[bytes] | None:
        """The untagged responses to the commands; None if there was news. Raises the error of a refusal."""
        for answer in self.answers:
            if answer.status.kind != "OK":
                raise error_from(answer.status)
        return self.answers[-1].untagged if self.is_quiet else None


class Selection:
    """Created by ``select``. Holds for as long as the connection has the folder selected."""

    def __init__(self, connection: Connection, name: bytes) -> None:
        self.connection = connection
        self.name = name
        self.uid_validity = 0
        self.exists = 0
        """Messages in the folder; follows the server's responses."""
        self.uid_next = 0
        """This session may not know messages with this UID or a higher one yet."""
        self.is_read_only = False
        self.flags: frozenset[str] = frozenset()
        """The flags that any message has, lower case, as far as the server reported them."""
        self.permanent_flags: frozenset[str] | None = None
        """The flags that can be kept, lower case; ``\\*`` for any keyword. None: all, because the server did not
        say."""
        self.has_modseq = False
        """Whether the server counts each change of a message in this folder (RFC 7162, 3.1.2)."""
        self.state: str | None = None
        """``state_of`` the folder when it was last selected or refreshed."""
        self.numbers: Mapping[bytes, int] = {}
        """The items of ``STATE_ITEMS`` when it was last selected or refreshed, as far as the server reported them."""
        self.change_before = 0
        """``last_change`` when the commands of the last ``ask`` were sent: what they brought is not older."""
        self.is_fresh = False
        """Whether the present holder of the connection selected or refreshed the folder: then nothing is newer."""
        self._is_lost = False
        self._has_news = False
        """Whether anything that was not asked for came since this was set to False."""
        self._selected_at = 0.0

    def may_have(self, flag: str) -> bool:
        """Whether a message may have the flag."""
        return self.keeps(flag) or not self.flags or flag.lower() in self.flags

    def keeps(self, flag: str) -> bool:
        """Whether a flag, as IMAP names it, will still be there in the next session."""
        word = flag.lower()
        if self.permanent_flags is None or word in self.permanent_flags:
            return True
        if self.permanent_flags == {"\\*"}:  # a server that lists no flag at all: only a STORE shows what it keeps
            return True
        return not word.startswith("\\") and "\\*" in self.permanent_flags

    @property
    def counts_changes(self) -> bool:
        """Whether each change of a message in this folder has a number (RFC 7162)."""
        return self.has_modseq and self.connection.has_modseq

    @property
    def reports_vanished(self) -> bool:
        """Whether the server can list what vanished since a change (RFC 7162, 3.2); see ``enable_qresync``."""
        return self.connection.is_qresync and self.counts_changes

    async def select(self, since: tuple[int, int] | None = None) -> Sequence[bytes]:
        """Select the folder, again too: its present state takes the place of what was known. One round trip.

        Returns the untagged responses. With ``since``, a UIDVALIDITY and a MODSEQ, they report what changed and what
        vanished after it (RFC 7162, 3.2.5); the connection must have QRESYNC enabled.

        Raises NotFound if the server does not have the folder. A refusal without a code costs another round trip. If
        the folder that was selected before is gone, Dovecot may say so now; then the connection is of no use.
        """
        self.connection.selection = None
        answer = await self._select(since)
        if _says_lost(answer):
            raise self.lost()
        if answer.status.kind != "OK":
            error = error_from(answer.status)
            raise await self._refusal(error) if type(error) is UpstreamError and answer.status.kind == "NO" else error
        await self._read(answer)
        self.connection.selection = self
        return answer.untagged

    async def _refusal(self, error: UpstreamError) -> MailError:
        """Returns the error for a NO without a code: NotFound, unless the server lists the folder. NetEase, for one,
        refuses clients that it does not know ("Unsafe Login")."""
        [answer] = await self.connection.attempt([b"LIST", b'""', arguments.string(self.name)])
        rows = await list_rows(answer.untagged) if answer.status.kind == "OK" else []
        if not any(self._is_listed_as(row) for row in rows):
            return NotFound("folder")
        return NotPermitted(error.detail) if _FORBIDDEN.search(error.detail) else error

    def _is_listed_as(self, row: ListedFolder) -> bool:
        is_same = row.name == self.name or row.name.upper() == self.name.upper() == b"INBOX"
        return is_same and row.attributes.isdisjoint({"\\noselect", "\\nonexistent"})

    async def _select(self, since: tuple[int, int] | None) -> Answer:
        """With CONDSTORE, so that the server counts changes from now on (RFC 7162, 3.1.8)."""
        connection, name = self.connection, arguments.string(self.name)
        if "CONDSTORE" in connection.capabilities:
            parameter = b"(QRESYNC (%d %d))" % since if since else b"(CONDSTORE)"
            [answer] = await connection.attempt([b"SELECT", name, parameter])
            if answer.status.kind != "BAD":
                return answer
            connection.disable("CONDSTORE", "QRESYNC")
        [answer] = await connection.attempt([b"SELECT", name])
        return answer

    async def _read(self, answer: Answer) -> None:
        before, self.uid_validity, self.exists, self.has_modseq = self.uid_validity, 0, 0, False
        self.flags, self.permanent_flags = frozenset(), None
        async for response in paced(answer.untagged):
            self._note_description(response)
        if not self.uid_validity:
            error = UpstreamProtocol("The mail server gives no UIDVALIDITY.", protocol="imap")
            self.connection.fail(error)
            raise error
        if before and before != self.uid_validity:
            raise self._renumbered()
        numbers = self.numbers = {b"MESSAGES": self.exists, **await _numbers(answer.untagged)}
        self.uid_next = numbers.get(b"UIDNEXT", 0)
        self.is_read_only = answer.status.code == "READ-ONLY"
        self.state = state_of(numbers) if self.has_modseq else None
        self._selected_at = self.connection.now()
        self.is_fresh = True

    async def refresh(self) -> None:
        """Learn what came and went since the folder was selected. One round trip; none if the selection is fresh."""
        if self.is_fresh:
            return
        if self.connection.is_legacy and self.connection.now() > self._selected_at + SELECT_AGAIN_SECONDS:
            await self.select()
        else:
            (await self.refresh_with()).untagged()

    async def ask(self, command: Arguments, *before: Arguments) -> Sequence[Answer]:
        """Run commands on the present state of the folder, the first of them last; returns the answers in the order in
        which they ran. They may be refusals. One round trip, and one more if there is news."""
        commands = (*before, command)
        if not self.is_fresh and not self.connection.is_legacy:
            return (await self.refresh_with(*commands, repeats=True)).answers[-len(commands) :]
        await self.refresh()
        self.change_before = self.last_change
        return await self.connection.attempt(*commands)

    async def refresh_with(self, *commands: Arguments, repeats: bool = False) -> "News":
        """Refresh, and run commands in the same round trip.

        If there is news, the answers may be older than it: servers run commands that are sent together in any order
        (Dovecot looks for news last). STATUS is asked again then, for the same reason, and so is the rest if it
        ``repeats``.
        """
        status = [[b"STATUS", arguments.string(self.name), STATE_ITEMS]] if self.counts_changes else []
        was_quiet = self.quiet_since()
        self.change_before = self.last_change
        answers = await self.connection.attempt([b"NOOP"], *status, *commands)
        is_quiet = was_quiet()
        again = [] if is_quiet else [*status, *(commands if repeats else ())]
        if status:
            await self._read_status(answers[-1])
        if again:
            self.change_before = self.last_change
            answers = await self.connection.attempt(*again)
            if status:
                await self._read_status(answers[-1])
        self.is_fresh = all(answer.status.kind == "OK" for answer in answers)
        return News(answers, is_quiet)

    async def _read_status(self, answer: Answer) -> None:
        numbers = self.numbers = (await status_rows(answer.untagged)).get(self.name, {})
        self.state = state_of(numbers)
        self.uid_next = max(self.uid_next, numbers.get(b"UIDNEXT", 0))

    @property
    def last_change(self) -> int:
        """The number of a change that this session has seen (RFC 7162, 3.1); 0 if changes are not counted."""
        return self.numbers.get(b"HIGHESTMODSEQ", 0) if self.counts_changes else 0

    def quiet_since(self) -> Callable[[], bool]:
        """Returns a function that says if the server has reported nothing of the folder by itself since."""
        exists, self._has_news = self.exists, False
        return lambda: self.exists == exists and not self._has_news

    async def catch_up(self, uids: Iterable[int]) -> None:
        """Ask for news if one of these messages may be newer than what this session knows. Dovecot treats a UID that
        it has not announced to the session as missing, and still says OK to a STORE of it."""
        newest = max(uids, default=0)
        if self.is_fresh or newest < self.uid_next:
            return
        if self.connection.is_legacy:
            await self.refresh()
        else:
            await self.connection.run([b"NOOP"])
        self.uid_next = max(self.uid_next, newest + 1)

    async def enable_qresync(self) -> None:
        """Make the server report the UIDs of what vanishes, if it can. No round trip, unless the first command of the
        connection was an APPEND: then three, once, and the folder is selected again, because ENABLE is not allowed
        while one is selected (RFC 5161, 3.1)."""
        connection = self.connection
        if connection.is_qresync or not connection.capabilities >= {"QRESYNC", "ENABLE", "UNSELECT"}:
            return
        await connection.run([b"UNSELECT"])
        connection.selection = None
        [answer] = await connection.attempt([b"ENABLE", b"QRESYNC"])
        if answer.status.kind == "OK":
            connection.is_qresync = True
        else:
            connection.disable("QRESYNC")
        await self.select()

    def note(self, response: bytes) -> None:
        """Take in an untagged response. Raises UpstreamUnavailable if the folder was renumbered."""
        if _FLAGS.match(response) or (_OF_ROW in response and _ROW.match(response)):
            return
        if _NEWS.match(response):
            self._has_news = True
        if found := _NUMBERED.match(response):
            if found[2].upper() == b"EXISTS":
                self.exists = number(found[1], MAX_UID)
            else:
                self.exists = max(0, self.exists - 1)
        elif response[:1].isdigit():
            pass  # FETCH, most of the time
        elif vanished := _VANISHED.match(response):
            self.exists = max(0, self.exists - count(read_ranges(vanished[1])))
        elif response[:2].upper() == b"OK":
            before = self.uid_validity
            self._note_description(response)
            if self.uid_validity != before:
                raise self._renumbered()
        elif response[:3].upper() == b"NO ":
            self._is_lost |= _LOST.match(response) is not None

    def _note_description(self, response: bytes) -> None:
        """Take in what SELECT is answered with: FLAGS, EXISTS, and codes of untagged OK."""
        if response[:6].upper() == b"FLAGS ":
            words = response[6:_MAX_FLAGS].decode("ascii", "replace").lower()
            self.flags = frozenset(words.strip("() ").split())
        elif found := _NUMBERED.match(response):
            if found[2].upper() == b"EXISTS":
                self.exists = number(found[1], MAX_UID)
        elif status := read_status(response):
            self._note_code(status.code, status.argument)

    def _note_code(self, code: str, argument: bytes) -> None:
        match code:
            case "UIDVALIDITY":
                self.uid_validity = read_number(argument, MAX_UID) or 0
            case "PERMANENTFLAGS":
                words = argument[:_MAX_FLAGS].decode("ascii", "replace").lower()
                self.permanent_flags = frozenset(words.strip("()").split())
            case "HIGHESTMODSEQ":
                self.has_modseq = True
            case "NOMODSEQ":
                self.has_modseq = False

    def require_kept(self, answers: Sequence[Answer]) -> None:
        """Raises UpstreamUnavailable if the server says, in these answers or since the last, that the folder was
        renamed or removed. Not while the selection is fresh: then the words are about something else."""
        is_lost = any(map(_says_lost, answers)) or self._is_lost
        self._is_lost = False
        if is_lost and not self.is_fresh:
            raise self.lost()

    def lost(self) -> UpstreamUnavailable:
        """The error to raise, after closing the connection, if the name belongs to another folder now."""
        return self._closed("The folder was renamed or removed just now.")

    def _renumbered(self) -> UpstreamUnavailable:
        """As ``lost``, if UIDVALIDITY changed: what was read so far names nothing any more."""
        return self._closed("The folder was renumbered just now.")

    def _closed(self, detail: str) -> UpstreamUnavailable:
        error = UpstreamUnavailable(detail, protocol="imap", retry_after=1)
        self.connection.fail(error)
        return error


def _says_lost(answer: Answer) -> bool:
    return answer.status.kind == "NO" and _LOST.match(b"NO %b" % answer.status.text) is not None


async def select(connection: Connection, name: bytes) -> Selection:
    """Select a folder on the connection. One round trip. Raises NotFound as ``Selection.select``."""
    selection = Selection(connection, name)
    await selection.select()
    return selection


def state_of(numbers: Mapping[bytes, int]) -> str | None:
    """A text that changes with every change of a folder; None if the server does not report all of it."""
    values = [numbers.get(item) for item in STATE_ITEMS[1:-1].split()]
    return ".".join(map(str, values)) if None not in values else None


async def _numbers(untagged: Iterable[bytes]) -> dict[bytes, int]:
    """UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ from the answer to SELECT."""
    numbers: dict[bytes, int] = {}
    async for responses in slices(untagged):
        for response in responses:
            status = read_status(response) if response[:2].upper() == b"OK" else None
            if status and (value := read_number(status.argument)) is not None:
                numbers[status.code.encode()] = value
    return numbers
