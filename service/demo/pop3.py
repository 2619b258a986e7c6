"""The demo mailbox by POP3 (RFC 1939, RFC 2449): the inbox, one client at a time, deletions at QUIT.

Strict: what is not said the way the RFC says it gets -ERR, so that a client tried on it is tried on something.
"""

import asyncio
from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2s

from service.demo.listener import listening
from service.demo.messages import DemoMessage

LINE = 512
IDLE_SECONDS = 600.0
_CAPABILITIES = (
    b"TOP", b"UIDL", b"USER", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE", b"SASL PLAIN",
    b"IMPLEMENTATION Casella-demo",
)  # fmt: skip
_CRLF = b"\r\n"


class Refused(Exception):
    """Answered with -ERR."""


@dataclass(frozen=True, slots=True)
class _Item:
    source: bytes
    unique: bytes


class Maildrop:
    """The messages in the order they came in, and whether somebody is in."""

    def __init__(self, sources: Iterable[bytes], username: str, password: str) -> None:
        self.items = [
            _Item(source, b"%d.%b" % (at, blake2s(source, digest_size=12).hexdigest().encode()))
            for at, source in enumerate(sources, 1)
        ]
        self.login = (username, password)
        self.is_taken = False


class _Session:
    """One connection: its own numbering, fixed at login, and what it has marked for deletion."""

    def __init__(self, drop: Maildrop) -> None:
        self.is_over = False
        self._drop = drop
        self._user: str | None = None
        self._items: list[_Item] = []
        self._deleted: set[int] = set()
        self._is_in = False
        self._is_asked = False  # for the rest of AUTH PLAIN

    def answer(self, line: str) -> bytes:
        """To one line; Refused where it is wrong or not allowed now."""
        if self._is_asked:
            self._is_asked = False
            return self._log_in(*_plain(line))
        verb, *words = line.split(" ")
        match verb.upper(), words:
            case "CAPA", []:
                return _lines(_CAPABILITIES)
            case "QUIT", []:
                self.is_over = True
                self.leave(commit=True)
                return b"+OK bye\r\n"
        return self._serve(verb.upper(), words) if self._is_in else self._admit(verb.upper(), line, words)

    def leave(self, *, commit: bool) -> None:
        """Deletions happen by QUIT alone (RFC 1939, 6)."""
        if not self._is_in:
            return
        if commit:
            gone = {self._items[at].unique for at in self._deleted}
            self._drop.items = [item for item in self._drop.items if item.unique not in gone]
        self._is_in = False
        self._drop.is_taken = False

    def _admit(self, verb: str, line: str, words: list[str]) -> bytes:
        """Names and passwords may have spaces in them (RFC 1939, 7)."""
        user, self._user = self._user, None
        match verb, words:
            case "USER", [_, *_] if line[5:].strip():
                self._user = line[5:]
                return b"+OK and the password?\r\n"
            case "PASS", [_, *_] if user is not None:
                return self._log_in(user, line[5:])
            case "AUTH", [mechanism] if mechanism.upper() == "PLAIN":
                self._is_asked = True
                return b"+ \r\n"
            case "AUTH", [mechanism, response] if mechanism.upper() == "PLAIN":
                return self._log_in(*_plain(response))
        raise Refused("log in first, by USER and PASS or by AUTH PLAIN")

    def _log_in(self, username: str, password: str) -> bytes:
        """One client at a time (RFC 1939, 4; RFC 2449, 8.1.1)."""
        if (username, password) != self._drop.login:
            raise Refused("[AUTH] wrong login")
        if self._drop.is_taken:
            raise Refused("[IN-USE] somebody else is in the maildrop")
        self._drop.is_taken = True
        self._is_in = True
        self._items = list(self._drop.items)
        return b"+OK come in\r\n"

    def _serve(self, verb: str, words: list[str]) -> bytes:
        match verb, words:
            case "STAT", []:
                left = self._left()
                return b"+OK %d %d\r\n" % (len(left), sum(len(self._items[at].source) for at in left))
            case "LIST" | "UIDL", []:
                return _lines(self._told(verb, at) for at in self._left())
            case "LIST" | "UIDL", [number]:
                return b"+OK " + self._told(verb, self._at(number)) + _CRLF
            case "RETR", [number]:
                return _body(self._items[self._at(number)].source)
            case "TOP", [number, count] if count.isascii() and count.isdigit():
                return _body(_top(self._items[self._at(number)].source, int(count)))
            case "DELE", [number]:
                self._deleted.add(self._at(number))
                return b"+OK marked\r\n"
            case "RSET", []:
                self._deleted.clear()
                return b"+OK nothing is marked\r\n"
            case "NOOP", []:
                return b"+OK\r\n"
        raise Refused("no such command, or not with these arguments")

    def _left(self) -> list[int]:
        return [at for at in range(len(self._items)) if at not in self._deleted]

    def _told(self, verb: str, at: int) -> bytes:
        item = self._items[at]
        return b"%d %b" % (at + 1, item.unique if verb == "UIDL" else b"%d" % len(item.source))

    def _at(self, number: str) -> int:
        at = int(number) - 1 if number.isascii() and number.isdigit() else -1
        if not 0 <= at < len(self._items) or at in self._deleted:
            raise Refused("no such message")
        return at


def _plain(response: str) -> tuple[str, str]:
    """Whom it says to be by which password (RFC 4616). To act for somebody else is nobody's right."""
    try:
        acts_for, username, password = b64decode(response, validate=True).decode().split("\0")
    except (Error, ValueError):
        raise Refused("that is no PLAIN response") from None
    if acts_for not in {"", username}:
        raise Refused("[AUTH] wrong login")
    return username, password


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + _CRLF for line in lines) + b".\r\n"


def _body(source: bytes) -> bytes:
    """Dots doubled at the beginning of lines (RFC 1939, 3)."""
    stuffed = (_CRLF + source).replace(b"\r\n.", b"\r\n..")[2:]
    return b"+OK\r\n" + stuffed + (b"" if stuffed.endswith(_CRLF) else _CRLF) + b".\r\n"


def _top(source: bytes, count: int) -> bytes:
    head, gap, body = source.partition(b"\r\n\r\n")
    *lines, rest = body.split(_CRLF, count)
    if rest and len(lines) < count:
        lines.append(rest)
    return head + gap + b"".join(line + _CRLF for line in lines)


async def _converse(session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+OK Casella demo maildrop\r\n")
    while not session.is_over:
        async with asyncio.timeout(IDLE_SECONDS):
            try:
                line = await reader.readuntil(_CRLF)
                writer.write(session.answer(line[:-2].decode()))
            except asyncio.LimitOverrunError:
                writer.write(b"-ERR a line that long is none of POP3\r\n")
                return
            except (Refused, UnicodeDecodeError) as refusal:
                writer.write(f"-ERR {refusal}\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def pop3_mailbox(
    messages: Iterable[DemoMessage], username: str, password: str, port: int = 0
) -> AsyncIterator[int]:
    """Serves those of the inbox, in the order given, while the context is open; yields the port."""
    drop = Maildrop((message.source for message in messages if message.folder == "INBOX"), username, password)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(drop)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await _converse(session, reader, writer)
        finally:
            session.leave(commit=False)

    async with listening(converse, port, LINE) as listens_at:
        yield listens_at
