"""Gmail: X-GM-EXT-1 as Google describes it, and as it was seen to answer.

Items come in an order of its own, its labels quoted; the label of the selected folder is left out. Text is compared word
by word. ``[Gmail]`` cannot be selected.
"""

import re
from collections.abc import Iterator

from tests.servers.providers import keys
from tests.servers.providers.arguments import Argument, Quoted
from tests.servers.providers.mail import Folder, Letter, Mailbox
from tests.servers.providers.server import Provider, Refused

ALL = "[Gmail]/All Mail"
_LABELS = {"INBOX": "\\Inbox", "[Gmail]/Sent Mail": "\\Sent", "[Gmail]/Starred": "\\Starred"}
_ATOM = re.compile(r"[\w&,+./-]+\Z", re.ASCII)
_TERM = re.compile(r'\s*(-?)(?:([{(])|([})])|(?:(\w+):)?(?:"([^"]*)"|([^\s(){}"]+)))')


def mailbox() -> Mailbox:
    """The folders of a new account, and the label ``Übung``."""
    return Mailbox(
        Folder("INBOX", uid_validity=1),
        Folder("[Gmail]", "\\HasChildren \\Noselect"),
        Folder(ALL, "\\All \\HasNoChildren", uid_validity=11),
        Folder("[Gmail]/Important", "\\HasNoChildren \\Important", uid_validity=9),
        Folder("[Gmail]/Sent Mail", "\\HasNoChildren \\Sent", uid_validity=5),
        Folder("[Gmail]/Spam", "\\HasNoChildren \\Junk", uid_validity=3),
        Folder("[Gmail]/Starred", "\\Flagged \\HasNoChildren", uid_validity=4),
        Folder("&ANw-bung", uid_validity=12),
    )


class Gmail(Provider):
    """No SORT, no THREAD, no OBJECTID."""

    offered = (
        b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE ESEARCH"
        b" LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
    )
    greets = b"* OK Gimap ready for requests from 192.0.2.1 k2if6111336rvb\r\n"

    def on_select(self, arguments: list[Argument]) -> Iterator[bytes]:
        *lines, done = super().on_select(arguments)
        yield from lines
        yield b"* OK [HIGHESTMODSEQ %d] counted" % self.mailbox.changes
        yield done

    def counted(self, folder: Folder) -> bytes:
        return b" HIGHESTMODSEQ %d" % self.mailbox.changes

    def item(self, item: bytes, uid: int, letter: Letter) -> Iterator[bytes]:
        match item:
            case b"X-GM-MSGID":
                yield b"X-GM-MSGID %d" % letter.number
            case b"X-GM-THRID":
                yield b"X-GM-THRID %d" % (letter.thread or letter.number)
            case b"MODSEQ":
                yield b"MODSEQ (%d)" % letter.changed
            case b"X-GM-LABELS":
                yield b"X-GM-LABELS (%b)" % b" ".join(map(_written, self._labels(letter)))
            case _:
                yield from super().item(item, uid, letter)

    def _labels(self, letter: Letter) -> list[str]:
        assert self.selected is not None
        own = _LABELS.get(self.selected.name, self.selected.name)
        return [label for label in letter.labels if label != own]

    def ordered(self, row: list[bytes]) -> list[bytes]:
        return sorted(row, key=lambda item: not item.startswith(b"X-GM-"))

    def has(self, text: str, wanted: str) -> bool:
        """Whole words, one after the other."""
        words, looked_for = (re.findall(r"\w+", each.casefold()) for each in (text, wanted))
        return any(words[at : at + len(looked_for)] == looked_for for at in range(len(words)))

    def take_charset(self, charset: bytes) -> None:
        if charset.upper() != b"UTF-8":
            raise Refused("NO [BADCHARSET (UTF-8 US-ASCII)] no")

    def own_key(self, key: bytes, rest: Iterator[Argument]) -> keys.Matches | None:
        if key == b"X-GM-THRID":
            thread = next(rest)
            assert isinstance(thread, bytes)
            return lambda uid, letter: (letter.thread or letter.number) == int(thread)
        if key != b"X-GM-RAW":
            return None
        query = next(rest)
        assert isinstance(query, Quoted)
        terms = _Terms(query.decode(), self)
        in_spam = self.selected is not None and self.selected.name == "[Gmail]/Spam"
        matches = terms.all_of()
        return lambda uid, letter: (terms.is_everywhere or not in_spam) and matches(uid, letter)


class _Terms:
    """Gmail's search syntax: terms, of which all hold, in braces one."""

    def __init__(self, query: str, server: Gmail) -> None:
        self._terms = _TERM.finditer(query)
        self._server = server
        self.is_everywhere = False

    def all_of(self) -> keys.Matches:
        """The whole query."""
        inner = [self._term(term) for term in self._terms]
        return lambda uid, letter: all(each(uid, letter) for each in inner)

    def _term(self, term: re.Match[str]) -> keys.Matches:
        matches = self._group(term[2]) if term[2] else self._word(term[4] or "", term[5] or term[6] or "")
        return (lambda uid, letter: not matches(uid, letter)) if term[1] else matches

    def _group(self, opening: str) -> keys.Matches:
        inner: list[keys.Matches] = []
        closing = {"{": "}", "(": ")"}[opening]
        for term in self._terms:
            if term[3] == closing:
                break
            inner.append(self._term(term))
        fold = any if opening == "{" else all
        return lambda uid, letter: fold(each(uid, letter) for each in inner)

    def _word(self, field: str, text: str) -> keys.Matches:
        if (field, text) == ("in", "anywhere"):
            self.is_everywhere = True
            return lambda uid, letter: True
        if (field, text) == ("has", "attachment"):
            return lambda uid, letter: bool(letter.attachment)
        key = {"": "TEXT", "from": "FROM", "cc": "CC", "bcc": "BCC", "subject": "SUBJECT"}[field]
        return lambda uid, letter: self._server.has(keys.words_of(letter, key), text)


def _written(label: str) -> bytes:
    """Gmail's own are quoted with their backslash doubled; the others are in modified UTF-7."""
    name = label.replace("Ü", "&ANw-")
    return name.encode() if _ATOM.match(name) else b'"%b"' % name.replace("\\", "\\\\").encode()
