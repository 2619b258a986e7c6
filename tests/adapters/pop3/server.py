"""A POP3 server for tests: it keeps the rules, but for the answers its ``twists`` name."""

import asyncio
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import md5
from pathlib import Path
from typing import TypeAlias

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.mail.model import Protocol
from tests.servers.process import HOST
from tests.servers.visits import Visits

USER = "user@example.org"
SECRET = "open-sesame"
CREDENTIALS = Credentials("test", Protocol.POP3, USER, SECRET)
GREETING = "greeting"
CHALLENGE = b"<1.2@example.org>"
CAPABILITIES = ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "SASL PLAIN")


class Act(Enum):
    """What a server may do instead of answering."""

    HANG = auto()
    CLOSE = auto()
    PLAY = auto()  # keep the rules after all


Twist: TypeAlias = bytes | Act
"""Octets to send in place of the right answer, or an act."""


@dataclass(frozen=True)
class Stored:
    """A message in the maildrop."""

    uidl: str
    octets: bytes


@dataclass
class Pop3Server:
    """``twists``: the beginning of a command (or GREETING) to one answer for ever, or to answers in turn."""

    messages: list[Stored] = field(default_factory=list)
    capabilities: tuple[str, ...] | None = CAPABILITIES
    twists: Mapping[str, Twist | list[Twist]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    cut: Act | None = None
    """What follows a twisted RETR."""
    drip: bytes = b""
    """Sent again and again after a twisted RETR."""
    lag: float = 0.0
    """Seconds from an octet's coming to its answer: what comes meanwhile is answered with it, as after one round trip."""
    is_locking: bool = False
    """Whether it lets one client in at a time, as RFC 1939, 4 says."""
    heard: list[str] = field(default_factory=list)
    turns: list[list[str]] = field(default_factory=list)
    """What was heard, by round trips."""
    logins: int = 0
    inside: int = 0
    most_inside: int = 0
    connections: int = 0
    open: int = 0
    _visits: Visits | None = None

    @property
    def verbs(self) -> list[str]:
        """What was asked, without arguments."""
        return [line.split(" ")[0] for line in self.heard]

    def end_all(self) -> None:
        """Close every connection, as a server does that had enough of waiting."""
        assert self._visits is not None
        self._visits.end_all()

    @asynccontextmanager
    async def running(self, security: Security = Security.NONE, ca_file: Path | None = None) -> AsyncIterator[Endpoint]:
        """Listens on a free port; everything it opened is closed afterwards."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self.open += 1
            try:
                with suppress(ssl.SSLError):
                    await Visit(self, reader, writer).run()
            finally:
                self.open -= 1

        async with Visits(converse, self.tls if self.implicit else None) as self._visits:
            yield Endpoint(HOST, self._visits.port, security, ca_file)


class Visit:
    """One connection."""

    def __init__(self, server: Pop3Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.view = list(server.messages)
        self.deleted: set[int] = set()
        self.signed_in = False

    async def run(self) -> None:
        try:
            if not await self._answer(GREETING):
                return
            while octets := await self._turn():
                lines = octets.decode("utf-8", "replace").split("\r\n")[:-1]
                self.server.turns.append(lines)
                for text in lines:
                    self.server.heard.append(text)
                    if not await self._answer(text):
                        return
        finally:
            if self.signed_in:
                self.server.inside -= 1

    async def _turn(self) -> bytes:
        """All lines that come until the answer is due."""
        octets = await self.reader.readline()
        if octets and self.server.lag:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.server.lag):
                    while more := await self.reader.readline():
                        octets += more
        return octets

    async def _answer(self, line: str) -> bool:
        twist = self._twist(line)
        if twist is Act.CLOSE:
            return False
        if twist is Act.HANG:
            await self.reader.read()
            return False
        octets = twist if isinstance(twist, bytes) else await self._play(line)
        self.writer.write(octets)
        await self.writer.drain()
        if isinstance(twist, bytes) and line.startswith("RETR"):
            return await self._trail()
        if line == "STLS" and self.server.tls is not None:
            await self.writer.start_tls(self.server.tls)
        return not line.upper().startswith("QUIT")

    async def _trail(self) -> bool:
        while self.server.drip:
            self.writer.write(self.server.drip)
            await self.writer.drain()
            await asyncio.sleep(0.01)
        if self.server.cut is Act.HANG:
            await self.reader.read()
        return self.server.cut is None

    def _twist(self, line: str) -> Twist:
        for start, twist in self.server.twists.items():
            if line.startswith(start) if start else not line:
                if not isinstance(twist, list):
                    return twist
                return twist.pop(0) if twist else Act.PLAY
        return Act.PLAY

    async def _play(self, line: str) -> bytes:
        if line == GREETING:
            return b"+OK ready " + CHALLENGE + b"\r\n"
        verb, *words = line.split(" ")
        play = getattr(self, f"_{verb.lower()}", None)
        return b"-ERR what?\r\n" if play is None else await play(*words)

    async def _capa(self) -> bytes:
        if self.server.capabilities is None:
            return b"-ERR unknown\r\n"
        return b"+OK\r\n" + b"".join(f"{name}\r\n".encode() for name in self.server.capabilities) + b".\r\n"

    async def _stls(self) -> bytes:
        return b"+OK begin\r\n" if self.server.tls else b"-ERR none\r\n"

    async def _user(self, *_: str) -> bytes:
        return b"+OK\r\n"

    async def _pass(self, *words: str) -> bytes:
        return self._enter(" ".join(words) == SECRET)

    async def _auth(self, mechanism: str, response: str | None = None) -> bytes:
        if response is None:
            self.writer.write(b"+ \r\n")
            response = (await self.reader.readline()).decode().strip()
            self.server.heard.append(response)
        return self._enter(SECRET.encode() in b64decode(response))

    async def _apop(self, name: str, digest: str) -> bytes:
        return self._enter(name == USER and digest == md5(CHALLENGE + SECRET.encode()).hexdigest())

    def _enter(self, known: bool) -> bytes:
        if not known:
            return b"-ERR [AUTH] <b>no</b>\r\n"
        if self.server.is_locking and self.server.inside:
            return b"-ERR [IN-USE] locked\r\n"
        self.view = list(self.server.messages)
        self.signed_in = True
        self.server.logins += 1
        self.server.inside += 1
        self.server.most_inside = max(self.server.most_inside, self.server.inside)
        return b"+OK in\r\n"

    async def _list(self) -> bytes:
        return self._lines(f"{n} {len(self.view[n - 1].octets)}" for n in self._numbers())

    async def _uidl(self, number: str | None = None) -> bytes:
        if number is not None:
            return f"+OK {number} {self.view[int(number) - 1].uidl}\r\n".encode()
        return self._lines(f"{n} {self.view[n - 1].uidl}" for n in self._numbers())

    async def _top(self, number: str, _: str) -> bytes:
        header = self.view[int(number) - 1].octets.partition(b"\r\n\r\n")[0]
        return b"+OK\r\n" + stuffed(header + b"\r\n\r\n") + b".\r\n"

    async def _retr(self, number: str) -> bytes:
        return b"+OK\r\n" + stuffed(self.view[int(number) - 1].octets) + b".\r\n"

    async def _dele(self, number: str) -> bytes:
        self.deleted.add(int(number))
        return b"+OK\r\n"

    async def _noop(self) -> bytes:
        return b"+OK\r\n"

    async def _quit(self) -> bytes:
        gone = {self.view[number - 1].uidl for number in self.deleted}
        self.server.messages = [stored for stored in self.server.messages if stored.uidl not in gone]
        return b"+OK bye\r\n"

    def _numbers(self) -> list[int]:
        return [number for number in range(1, len(self.view) + 1) if number not in self.deleted]

    def _lines(self, lines: Iterable[str]) -> bytes:
        return b"+OK\r\n" + b"".join(f"{line}\r\n".encode("latin-1") for line in lines) + b".\r\n"


def stuffed(octets: bytes) -> bytes:
    """As RFC 1939, 3 says, a line at a time; the last one is given a CRLF if it has none."""
    lines = octets.split(b"\r\n")
    if not lines[-1]:
        lines.pop()
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


def letter(name: str, body: str = "Hello.\r\n", **more: str) -> Stored:
    """A small message named by its unique-id."""
    header = {"From": "sender@example.org", "To": USER, "Subject": f"Letter {name}", **more}
    fields = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in header.items())
    return Stored(name, f"{fields}\r\n{body}".encode())


def letters(count: int) -> list[Stored]:
    return [letter(f"uid-{number}") for number in range(1, count + 1)]


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Waits for something that happens soon; fails if it does not."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)
