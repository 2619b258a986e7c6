"""The demo mailbox by POP3 (RFC 1939, RFC 2449): the inbox, one client at a time, deletions at QUIT."""

import asyncio
from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from hashlib import blake2s

from service.demo.messages import DemoMessage

LINE = 512
IDLE_SECONDS = 600
_CAPABILITIES = ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "SASL PLAIN", "IMPLEMENTATION Casella-demo")


class Refused(Exception):
    """Answered with -ERR."""


class Maildrop:
    """The messages, oldest first, and whether somebody is in."""

    def __init__(self, sources: Iterable[bytes], username: str, password: str) -> None:
        self.messages = [(source, blake2s(source, digest_size=12).hexdigest()) for source in sources]
        self.login = (username, password)
        self.is_taken = False


class _Session:
    """One connection: its own numbering, fixed at login, and what it has marked for deletion."""

    def __init__(self, drop: Maildrop) -> None:
        self._drop = drop
        self._user = ""
        self._messages: list[tuple[bytes, str]] = []
        self._deleted: set[int] = set()
        self._is_in = False

    def answer(self, line: str) -> bytes:
        """To one command; Refused where it is wrong or not allowed now."""
        verb, *words = line.split(" ")
        verb = verb.upper()
        if verb in {"CAPA", "USER", "PASS", "AUTH", "QUIT"}:
            return self._before_login(verb, line, words)
        if not self._is_in:
            raise Refused("log in first")
        match verb, words:
            case "STAT", []:
                left = self._left()
                return b"+OK %d %d\r\n" % (len(left), sum(len(self._messages[at][0]) for at in left))
            case "LIST" | "UIDL", []:
                return _lines(b"%d %b" % (at + 1, self._told(verb, at)) for at in self._left())
            case "LIST" | "UIDL", [number]:
                at = self._at(number)
                return b"+OK %d %b\r\n" % (at + 1, self._told(verb, at))
            case "RETR", [number]:
                return _body(self._messages[self._at(number)][0])
            case "TOP", [number, count] if count.isdigit():
                return _body(_top(self._messages[self._at(number)][0], int(count)))
            case "DELE", [number]:
                self._deleted.add(self._at(number))
                return b"+OK marked\r\n"
            case "RSET" | "NOOP", []:
                self._deleted -= self._deleted if verb == "RSET" else set()
                return b"+OK\r\n"
        raise Refused("no such command")

    def log_in(self, username: str, password: str) -> bytes:
        """One client at a time (RFC 1939, 4)."""
        if self._is_in or (username, password) != self._drop.login:
            raise Refused("[AUTH] wrong login")
        if self._drop.is_taken:
            raise Refused("[IN-USE] somebody else is in the maildrop")
        self._drop.is_taken = True
        self._is_in = True
        self._messages = list(self._drop.messages)
        return b"+OK come in\r\n"

    def leave(self, *, commit: bool) -> None:
        """Deletions happen by QUIT alone (RFC 1939, 6)."""
        if not self._is_in:
            return
        if commit:
            gone = {self._messages[at][1] for at in self._deleted}
            self._drop.messages = [one for one in self._drop.messages if one[1] not in gone]
        self._is_in = False
        self._drop.is_taken = False

    def _before_login(self, verb: str, line: str, words: list[str]) -> bytes:
        match verb, words:
            case "CAPA", []:
                return _lines(name.encode() for name in _CAPABILITIES)
            case "USER", [_, *_]:
                self._user = line[5:]
                return b"+OK\r\n"
            case "PASS", _:
                return self.log_in(self._user, line[5:])
            case "AUTH", ["PLAIN", response]:
                return self.log_in(*_plain(response))
            case "QUIT", []:
                self.leave(commit=True)
                return b"+OK bye\r\n"
        raise Refused("that is not how it is said")

    def _left(self) -> list[int]:
        return [at for at in range(len(self._messages)) if at not in self._deleted]

    def _told(self, verb: str, at: int) -> bytes:
        source, unique = self._messages[at]
        return unique.encode() if verb == "UIDL" else b"%d" % len(source)

    def _at(self, number: str) -> int:
        if not number.isdigit() or not 0 < int(number) <= len(self._messages) or int(number) - 1 in self._deleted:
            raise Refused("no such message")
        return int(number) - 1


def _plain(response: str) -> tuple[str, str]:
    try:
        _, username, password = b64decode(response, validate=True).decode().split("\0")
    except (Error, ValueError):
        raise Refused("that is no PLAIN response") from None
    return username, password


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"


def _body(source: bytes) -> bytes:
    """Dots doubled at the beginning of lines (RFC 1939, 3)."""
    stuffed = (b"\r\n" + source).replace(b"\r\n.", b"\r\n..")[2:]
    return b"+OK\r\n" + stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _top(source: bytes, count: int) -> bytes:
    header, gap, body = source.partition(b"\r\n\r\n")
    return header + gap + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:count])


async def _converse(session: _Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+OK Casella demo maildrop\r\n")
    while True:
        async with asyncio.timeout(IDLE_SECONDS):
            line = await reader.readuntil(b"\r\n")
        try:
            writer.write(session.answer(line[:-2].decode()))
        except (Refused, UnicodeDecodeError) as refusal:
            writer.write(f"-ERR {refusal}\r\n".encode())
        await writer.drain()
        if line[:4].upper() == b"QUIT":
            return


@asynccontextmanager
async def pop3_mailbox(
    messages: Iterable[DemoMessage], username: str, password: str, port: int = 0
) -> AsyncIterator[int]:
    """Serves those of the inbox while the context is open; yields the port."""
    drop = Maildrop((message.source for message in messages if message.folder == "INBOX"), username, password)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        session = _Session(drop)
        try:
            with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await _converse(session, reader, writer)
        finally:
            session.leave(commit=False)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=LINE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()
