"""The demo mailbox by POP3 (RFC 1939, RFC 2449): the inbox, one client at a time, deletions at QUIT.

It is strict, so that it is a real test of a client: a command that the RFC does not define is answered with -ERR.
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
    """The command is answered with -ERR and this text."""


@dataclass(frozen=True, slots=True)
class _Item:
    source: bytes
    unique_id: bytes


class Maildrop:
    """The messages in the order of arrival. A session locks it from login to its end."""

    def __init__(self, sources: Iterable[bytes], username: str, password: str) -> None:
        self.items = [
            _Item(source, b"%d.%b" % (number, blake2s(source, digest_size=12).hexdigest().encode()))
            for number, source in enumerate(sources, 1)
        ]
        self.login = (username, password)
        self.is_locked = False


class _Session:
    """One connection. Its numbering is fixed at login; ``_deleted`` are the indexes marked for deletion."""

    def __init__(self, maildrop: Maildrop) -> None:
        self.is_over = False
        self._maildrop = maildrop
        self._user: str | None = None
        self._items: list[_Item] = []
        self._deleted: set[int] = set()
        self._is_logged_in = False
        self._awaits_response = False  # to AUTH PLAIN

    def answer(self, line: str) -> bytes:
        """The answer to one line. Raises Refused if the command is wrong, or not allowed in this state."""
        if self._awaits_response:
            self._awaits_response = False
            return self._log_in(*_plain(line))
        verb, *words = line.split(" ")
        match verb.upper(), words:
            case "CAPA", []:
                return _lines(_CAPABILITIES)
            case "QUIT", []:
                self.is_over = True
                self.end(commit=True)
                return b"+OK bye\r\n"
        return self._serve(verb.upper(), words) if self._is_logged_in else self._authenticate(verb.upper(), line, words)

    def end(self, *, commit: bool) -> None:
        """Unlocks the maildrop. Only QUIT deletes the marked messages (RFC 1939, 6)."""
        if not self._is_logged_in:
            return
        if commit:
            deleted = {self._items[index].unique_id for index in self._deleted}
            self._maildrop.items = [item for item in self._maildrop.items if item.unique_id not in deleted]
        self._is_logged_in = False
        self._maildrop.is_locked = False

    def _authenticate(self, verb: str, line: str, words: list[str]) -> bytes:
        """User names and passwords may contain spaces (RFC 1939, 7)."""
        user, self._user = self._user, None
        match verb, words:
            case "USER", [_, *_] if line[5:].strip():
                self._user = line[5:]
                return b"+OK send the password\r\n"
            case "PASS", [_, *_] if user is not None:
                return self._log_in(user, line[5:])
            case "AUTH", [mechanism] if mechanism.upper() == "PLAIN":
                self._awaits_response = True
                return b"+ \r\n"
            case "AUTH", [mechanism, response] if mechanism.upper() == "PLAIN":
                return self._log_in(*_plain(response))
        raise Refused("log in first, by USER and PASS or by AUTH PLAIN")

    def _log_in(self, username: str, password: str) -> bytes:
        """One client at a time (RFC 1939, 4; RFC 2449, 8.1.1)."""
        if (username, password) != self._maildrop.login:
            raise Refused("[AUTH] wrong login")
        if self._maildrop.is_locked:
            raise Refused("[IN-USE] another session has the maildrop locked")
        self._maildrop.is_locked = True
        self._is_logged_in = True
        self._items = list(self._maildrop.items)
        return b"+OK logged in\r\n"

    def _serve(self, verb: str, words: list[str]) -> bytes:
        match verb, words:
            case "STAT", []:
                indexes = self._not_deleted()
                return b"+OK %d %d\r\n" % (len(indexes), sum(len(self._items[index].source) for index in indexes))
            case "LIST" | "UIDL", []:
                return _lines(self._row(verb, index) for index in self._not_deleted())
            case "LIST" | "UIDL", [number]:
                return b"+OK " + self._row(verb, self._index(number)) + _CRLF
            case "RETR", [number]:
                return _body(self._items[self._index(number)].source)
            case "TOP", [number, count] if count.isascii() and count.isdigit():
                return _body(_top(self._items[self._index(number)].source, int(count)))
            case "DELE", [number]:
                self._deleted.add(self._index(number))
                return b"+OK marked\r\n"
            case "RSET", []:
                self._deleted.clear()
                return b"+OK nothing is marked\r\n"
            case "NOOP", []:
                return b"+OK\r\n"
        raise Refused("no such command, or not with these arguments")

    def _not_deleted(self) -> list[int]:
        return [index for index in range(len(self._items)) if index not in self._deleted]

    def _row(self, verb: str, index: int) -> bytes:
        item = self._items[index]
        return b"%d %b" % (index + 1, item.unique_id if verb == "UIDL" else b"%d" % len(item.source))

    def _index(self, number: str) -> int:
        index = int(number) - 1 if number.isascii() and number.isdigit() else -1
        if not 0 <= index < len(self._items) or index in self._deleted:
            raise Refused("no such message")
        return index


def _plain(response: str) -> tuple[str, str]:
    """The user name and password of a PLAIN response (RFC 4616). Acting for another user is refused."""
    try:
        authorization_id, username, password = b64decode(response, validate=True).decode().split("\0")
    except (Error, ValueError):
        raise Refused("not a valid PLAIN response") from None
    if authorization_id not in {"", username}:
        raise Refused("[AUTH] wrong login")
    return username, password


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + _CRLF for line in lines) + b".\r\n"


def _body(source: bytes) -> bytes:
    """The lines that begin with a dot get another one (RFC 1939, 3)."""
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
                writer.write(b"-ERR the line is too long\r\n")
                return
            except (Refused, UnicodeDecodeError) as refusal:
                writer.write(f"-ERR {refusal}\r\n".encode())
            await writer.drain()


@asynccontextmanager
async def pop3_mailbox(
    messages: Iterable[DemoMessage], username: str, password: str, port: int = 0
) -> AsyncIterator[int]:
    """Serves the messages of the inbox in their order while the context is open; yields the port."""
    maildrop = Maildrop((message.source for message in messages if message.folder == "INBOX"), username, password)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(maildrop)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await _converse(session, reader, writer)
        finally:
            session.end(commit=False)

    async with listening(converse, port, LINE) as bound_port:
        yield bound_port
