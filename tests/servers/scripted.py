"""A server on the wire that says what a test wants said, right or wrong.

    imap = Imap(exists=2, answers={"UID FETCH": b"* 1 FETCH (UID 1 FLAGS ())\\r\\n{tag} OK done\\r\\n"})
    async with ScriptedServer([imap]) as server:
        ...              # connect to server.host, server.port
    server.commands      # b"LOGIN {4}\\r\\nuser secret", b"SELECT INBOX": whole, without tag and last line break
    server.round_trips   # how often octets came after the server had had its say

A script is a list of steps, played once on each connection. A connection whose script is over is closed.
"""

import asyncio
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, TypeAlias

from tests.servers.visits import closed

_LITERAL = re.compile(rb"~?\{(\d+)([+-]?)\}\Z")
_PIECE = 64 << 10


class Gone(Exception):
    """The client closed the connection; the script ends here."""


class Connection(asyncio.Protocol):
    """One client, and what it said."""

    def __init__(self, server: "ScriptedServer") -> None:
        self.server = server
        self.tag = b"*"
        self.commands: list[bytes] = []
        self.lost = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_over = False
        self._has_spoken = True
        self._play: asyncio.Task[None] | None = None
        self.inflate: Callable[[bytes], bytes] = bytes
        self.deflate: Callable[[bytes], bytes] = bytes

    @property
    def offers_tls(self) -> bool:
        """Whether STARTTLS is still to come."""
        return self.server.tls is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._play is None:
            self._play = asyncio.get_running_loop().create_task(self.server.play(self))

    def data_received(self, data: bytes) -> None:
        self.server.octets += len(data)
        if self._has_spoken:
            self.server.round_trips += 1
            self._has_spoken = False
        self._buffer += self.inflate(data)
        self._arrived.set()

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    async def send(self, octets: bytes) -> None:
        """Returns when the client took enough of it. They are compressed once that was agreed on."""
        await self.send_raw(self.deflate(octets))

    async def send_raw(self, octets: bytes) -> None:
        """The octets as they are."""
        await asyncio.sleep(0)  # what is on its way belongs to the same burst
        if self._is_over:
            raise Gone
        self._has_spoken = True
        self.transport.write(octets)
        await self._writable.wait()

    def compress(self) -> None:
        """From here on both sides compress (RFC 4978)."""
        self.inflate = zlib.decompressobj(-15).decompress
        deflater = zlib.compressobj(wbits=-15)
        self.deflate = lambda octets: deflater.compress(octets) + deflater.flush(zlib.Z_SYNC_FLUSH)

    async def line(self) -> bytes:
        """The next line without its line break."""
        while (end := self._buffer.find(b"\n")) < 0:
            await self._more()
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    async def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._more()
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    async def through(self, end: bytes) -> bytes:
        """The octets up to ``end``, with it."""
        scanned = 0
        while (at := self._buffer.find(end, max(0, scanned - len(end)))) < 0:
            scanned = len(self._buffer)
            await self._more()
        return await self.exactly(at + len(end))

    async def command(self, continuation: bytes) -> bytes | None:
        """The next command whole, its tag put aside; None where ``continuation`` refused a literal of it."""
        self.tag, _, command = (await self.line()).partition(b" ")
        is_refused = False
        while (literal := _LITERAL.search(command)) and not is_refused:
            if not literal[2]:
                await self.send(continuation.replace(b"{tag}", self.tag))
                is_refused = not continuation.startswith(b"+")
            if not is_refused:
                command += b"\r\n" + await self.exactly(int(literal[1]))
                command += await self.line()
        self.server.commands.append(command)
        self.commands.append(command)
        return None if is_refused else command

    async def until_end(self, *, reads: bool) -> None:
        """Silence, until the client leaves; without reading that is not noticed."""
        if not reads:
            self.transport.pause_reading()
        while not self._is_over:
            self._buffer.clear()
            self._arrived.clear()
            await self._arrived.wait()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            wrapped = await loop.start_tls(self.transport, self, context, server_side=True)
        except BaseException as error:
            self.connection_lost(None)  # the transport beneath tells nobody but the handshake
            raise (Gone if isinstance(error, OSError) else error) from None
        assert isinstance(wrapped, asyncio.Transport)
        self._transport = wrapped

    async def end(self) -> None:
        """Stop whatever is played and close at once."""
        if self._play is not None:
            self._play.cancel()
            await asyncio.gather(self._play, return_exceptions=True)
        if self._transport is not None:
            self._transport.abort()
            await self.lost

    async def _more(self) -> None:
        if self._is_over:
            raise Gone
        self._arrived.clear()
        await self._arrived.wait()

    def _end(self) -> None:
        self._is_over = True
        self._arrived.set()
        self._writable.set()


@dataclass(frozen=True)
class Send:
    """Octets, with ``{tag}`` for that of the last command. Plain bytes in a script are the same."""

    octets: bytes

    async def play(self, connection: Connection) -> None:
        await connection.send(self.octets.replace(b"{tag}", connection.tag))


@dataclass(frozen=True)
class Expect:
    """Reads a command; the test fails where it does not match: a pattern from its beginning, letter case aside, or a
    predicate. ``tagged`` False reads a bare line instead, as after a challenge. Literals are asked for by
    ``continuation``; one that does not begin with + refuses them and ends the command."""

    what: bytes | Callable[[bytes], bool] = b""
    tagged: bool = True
    continuation: bytes = b"+ go on\r\n"

    async def play(self, connection: Connection) -> None:
        if self.tagged:
            await connection.command(self.continuation)
            told = connection.commands[-1]
        else:
            told = await connection.line()
        fits = re.match(self.what, told, re.IGNORECASE) if isinstance(self.what, bytes) else self.what(told)
        if not fits:
            raise AssertionError(f"expected {self.what!r}, got {told!r}")


@dataclass(frozen=True)
class Chunked:
    """Octets in pieces, each a read of its own for a client on this event loop."""

    octets: bytes
    size: int = 1

    async def play(self, connection: Connection) -> None:
        octets = self.octets.replace(b"{tag}", connection.tag)
        for at in range(0, len(octets), self.size):
            await connection.send(octets[at : at + self.size])
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Drip:
    """Octets in pieces with a pause after each."""

    octets: bytes
    seconds: float
    size: int = 1

    async def play(self, connection: Connection) -> None:
        octets = self.octets.replace(b"{tag}", connection.tag)
        for at in range(0, len(octets), self.size):
            await connection.send(octets[at : at + self.size])
            await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Flood:
    """Octets again and again, as fast as they are read, until ``total`` were sent or the client leaves."""

    octets: bytes
    total: int | None = None

    async def play(self, connection: Connection) -> None:
        piece = self.octets * max(1, _PIECE // len(self.octets))
        left = self.total
        while left is None or left > 0:
            await connection.send(piece if left is None else piece[:left])
            connection.server.flooded += len(piece) if left is None else min(left, len(piece))
            left = None if left is None else left - len(piece)


@dataclass(frozen=True)
class StartTls:
    """The handshake, by the server's ``tls``. What answers the command is sent before by another step."""

    async def play(self, connection: Connection) -> None:
        assert connection.server.tls is not None, "give the ScriptedServer a tls context"
        await connection.start_tls(connection.server.tls)


@dataclass(frozen=True)
class Compress:
    """Agrees to COMPRESS. ``behind`` is sent compressed in the same go, all of it in pieces of ``size`` octets."""

    behind: bytes = b""
    size: int = _PIECE

    async def play(self, connection: Connection) -> None:
        octets = b"%b OK begin\r\n" % connection.tag
        connection.compress()
        octets += connection.deflate(self.behind)
        for at in range(0, len(octets), self.size):
            await connection.send_raw(octets[at : at + self.size])


@dataclass(frozen=True)
class Raw:
    """Octets that are not compressed, whatever was agreed on."""

    octets: bytes

    async def play(self, connection: Connection) -> None:
        await connection.send_raw(self.octets)


@dataclass(frozen=True)
class Close:
    """The connection ends, after what was sent; with ``reset`` at once and rudely."""

    reset: bool = False

    async def play(self, connection: Connection) -> None:
        if self.reset:
            connection.transport.abort()
        raise Gone


@dataclass(frozen=True)
class Hang:
    """Nothing more is said; what the client says is read and forgotten, or with ``reads`` False left on the wire."""

    reads: bool = True

    async def play(self, connection: Connection) -> None:
        await connection.until_end(reads=self.reads)


@dataclass(frozen=True)
class Repeat:
    """Steps over and over: ``times``, or for ever."""

    steps: "Sequence[Step]"
    times: int | None = None

    async def play(self, connection: Connection) -> None:
        played = 0
        while self.times is None or played < self.times:
            await play_all(self.steps, connection)
            played += 1


Answer: TypeAlias = "bytes | Sequence[Step]"
Answers: TypeAlias = Mapping[str, "Answer | Callable[[bytes], Answer | Awaitable[Answer]]"]


@dataclass
class Imap:
    """Plays a cooperative IMAP server until LOGOUT: one INBOX, any login.

    ``answers`` replaces what it says by verb, as "SELECT" or "UID FETCH" ("UID" stands for all of them): octets, steps,
    or a function of the command that returns either. ``greeting`` None says none: another step has done that.
    """

    exists: int = 0
    uid_validity: int = 1
    uid_next: int = 1
    capabilities: bytes = b"IMAP4rev1 UIDPLUS LITERAL+ SPECIAL-USE LIST-EXTENDED LIST-STATUS"
    greeting: bytes | None = b"* OK ready\r\n"
    continuation: bytes = b"+ go on\r\n"
    answers: Answers = field(default_factory=dict)

    async def play(self, connection: Connection) -> None:
        if self.greeting is not None:
            await connection.send(self.greeting)
        verb = ""
        while verb != "LOGOUT":
            command = await connection.command(self.continuation)
            if command is not None:
                verb = verb_of(command)
                await self._answer(verb, command, connection)

    async def _answer(self, verb: str, command: bytes, connection: Connection) -> None:
        """All of an answer that is octets goes out at once."""
        answer = self.answers.get(verb, self.answers.get(verb.split(" ", maxsplit=1)[0]))
        if answer is None:
            answer = self._usual(verb, command, connection)
        if callable(answer):
            told = answer(command)
            answer = await told if isinstance(told, Awaitable) else told
        await play_all([answer] if isinstance(answer, bytes) else answer, connection)

    def _usual(self, verb: str, command: bytes, connection: Connection) -> Answer:
        signed_in = Send(b"{tag} OK [CAPABILITY " + self.capabilities + b"] signed in\r\n")
        match verb:
            case "CAPABILITY":
                offers = b" STARTTLS" if connection.offers_tls else b""
                return b"* CAPABILITY " + self.capabilities + offers + b"\r\n{tag} OK done\r\n"
            case "LOGIN":
                return [signed_in]
            case "AUTHENTICATE":
                has_response = command.count(b" ") > 1
                return [signed_in] if has_response else [Send(b"+ \r\n"), Expect(tagged=False), signed_in]
            case "STARTTLS" if connection.offers_tls:
                return [Send(b"{tag} OK begin\r\n"), StartTls()]
            case "SELECT" | "EXAMINE":
                return self._selected(verb)
            case "COMPRESS" if b"COMPRESS=DEFLATE" in self.capabilities:
                return [Compress()]
            case "STATUS":
                return b"* STATUS INBOX (MESSAGES %d UNSEEN 0)\r\n{tag} OK done\r\n" % self.exists
        return _USUAL.get(verb, b"{tag} BAD unknown command\r\n")

    def _selected(self, verb: str) -> bytes:
        return (
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
            b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] limited\r\n"
            b"* %d EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n"
            b"{tag} OK [%b] done\r\n"
        ) % (self.exists, self.uid_validity, self.uid_next, b"READ-WRITE" if verb == "SELECT" else b"READ-ONLY")


_DONE = b"{tag} OK done\r\n"
_NOTHING_TO_SAY = (
    *("NOOP", "CHECK", "CLOSE", "UNSELECT", "ENABLE", "ID", "LSUB", "NAMESPACE"),
    *("FETCH", "UID FETCH", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE"),
)
_USUAL = dict.fromkeys(_NOTHING_TO_SAY, _DONE) | {
    "LIST": b'* LIST (\\HasNoChildren) "/" INBOX\r\n' + _DONE,
    "SEARCH": b"* SEARCH\r\n" + _DONE,
    "UID SEARCH": b"* SEARCH\r\n" + _DONE,
    "LOGOUT": b"* BYE see you\r\n" + _DONE,
}


class Plays(Protocol):
    """A step of a script."""

    async def play(self, connection: Connection) -> None: ...


Step: TypeAlias = "bytes | Plays"
Script: TypeAlias = Sequence[Step]


def verb_of(command: bytes) -> str:
    """``UID FETCH``, ``SELECT``: upper case."""
    words = command.split(b" ", 2)
    return b" ".join(words[: 2 if words[0].upper() == b"UID" else 1]).decode("latin-1").upper()


async def play_all(steps: Sequence[Step], connection: Connection) -> None:
    """One step after the other."""
    for step in steps:
        await (Send(step) if isinstance(step, bytes) else step).play(connection)


class ScriptedServer:
    """Listens on a free port of 127.0.0.1. ``script`` is for every connection; a function of the connection's number,
    from 0, gives each its own. With ``tls``, ``implicit`` says whether it is there from the first octet.

    At exit every connection is closed, and the first expectation that was not met is raised.
    """

    host = "127.0.0.1"

    def __init__(
        self, script: Script | Callable[[int], Script], *, tls: ssl.SSLContext | None = None, implicit: bool = False
    ) -> None:
        self.tls = tls
        self.port = 0
        self.connections = 0
        self.commands: list[bytes] = []
        self.octets = 0
        self.round_trips = 0
        self.flooded = 0
        self.failures: list[Exception] = []
        self._script = script
        self._implicit = implicit
        self._open: list[Connection] = []
        self._server: asyncio.Server | None = None

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return sum(not connection.lost.done() for connection in self._open)

    @property
    def connected(self) -> list[Connection]:
        """Those that are open now, in the order they came."""
        return [connection for connection in self._open if not connection.lost.done()]

    async def all_closed(self) -> None:
        """Returns when no client is connected any more."""
        await asyncio.gather(*(connection.lost for connection in self._open))

    @property
    def verbs(self) -> list[str]:
        """The commands without their arguments."""
        return [verb_of(command) for command in self.commands]

    async def __aenter__(self) -> "ScriptedServer":
        loop = asyncio.get_running_loop()
        context = self.tls if self._implicit else None
        self._server = await loop.create_server(self._connection, self.host, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._server is not None
        await closed(self._server)
        for connection in self._open:
            await connection.end()
        await self._server.wait_closed()
        if self.failures and kind is None:
            raise self.failures[0]

    def _connection(self) -> Connection:
        connection = Connection(self)
        self._open.append(connection)
        return connection

    async def play(self, connection: Connection) -> None:
        """The script of one connection, from its beginning to its end."""
        number, self.connections = self.connections, self.connections + 1
        script = self._script(number) if callable(self._script) else self._script
        try:
            with suppress(Gone):
                await play_all(script, connection)
        except Exception as failure:  # told at exit: here nobody listens
            self.failures.append(failure)
        finally:
            connection.transport.close()
