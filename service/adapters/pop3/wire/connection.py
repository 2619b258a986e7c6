"""POP3 commands on one connection (RFC 1939, RFC 2449, RFC 2595).

A failed exchange is the last one: a deadline, a cancelled caller, an unexpected octet and any other fault close the
connection, so that none is ever used again while an answer is on its way.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self, TypeAlias

from service.accounts.servers import Endpoint, Security
from service.adapters.pop3.wire.dot_stuffing import Unstuffer
from service.adapters.pop3.wire.reader import Wire, dial
from service.adapters.pop3.wire.replies import PROTOCOL, Reply, broken, greeting_error_from, insecure
from service.adapters.pop3.wire.timing import Timing
from service.adapters.shared.network_errors import network_error, network_errors
from service.adapters.shared.sign_in.conversation import Respond
from service.mail.errors import MailError, UpstreamTimeout
from service.mail.model import Protocol
from service.telemetry.upstream import Command

IN_FLIGHT = 50
"""Pipelined commands without an answer: about a kilobyte, which every server's receive buffer takes, so that neither
side waits for the other to read."""
CAPA_LIMIT = 64 * 1024
AT_ONCE = 16 * 1024
"""Octets of short answers that are read together. What belongs to the next answer is put back."""
CHALLENGE = re.compile(rb"<[!-;=?A-~]+@[!-;=?A-~]+>")
"""A msg-id and nothing else: a challenge of another form may be made to reveal the password (CVE-2007-1558)."""
KEYWORD = re.compile(r"[!-~]{1,64}")

Capabilities: TypeAlias = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply and, if it was +OK to a multi-line command, the lines after it without dot-stuffing."""

    reply: Reply
    body: bytes = b""


class Connection:
    """The commands, before and after login."""

    def __init__(self, wire: Wire, timing: Timing) -> None:
        self._wire = wire
        self._timing = timing
        self.capabilities: Capabilities | None = None
        """None if the server does not know CAPA: then its capabilities are unknown."""
        self.challenge: bytes | None = None
        """The challenge of the greeting, for APOP. None after STLS, because it was sent in clear text."""

    @classmethod
    async def open(cls, endpoint: Endpoint, timing: Timing) -> Self:
        """Connects, reads the greeting and the capabilities, and starts TLS if the endpoint requires it."""
        with network_errors(Protocol.POP3):
            wire = await dial(endpoint, timing)
        connection = cls(wire, timing)
        try:
            await connection._greet()
            await connection.learn()
            if endpoint.security is Security.STARTTLS:
                await connection._secure(endpoint)
                await connection.learn()
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def alive(self) -> bool:
        """Whether it is open, and the server is silent as it has to be between commands."""
        return self._wire.alive and not self._wire.waiting

    @property
    def transport(self) -> asyncio.BaseTransport:
        """The transport, for what it knows of the connection."""
        return self._wire.transport

    def offers(self, capability: str) -> bool:
        """Whether CAPA names it."""
        return self.capabilities is not None and capability in self.capabilities

    async def learn(self) -> None:
        """Reads the capabilities, which may change after TLS and after login (RFC 2449, 5)."""
        (answer,) = await self.ask_all(["CAPA"], limit=CAPA_LIMIT)
        self.capabilities = _capabilities(answer.body) if answer.reply.ok else None

    async def ask(self, line: str) -> Reply:
        """Sends a command that has an answer of one line."""
        async with self._asking(line) as command:
            self._send(line)
            return record(command, await self._reply())

    async def converse(self, line: str, respond: Respond) -> Reply:
        """Sends a command that the server may answer with challenges (RFC 5034, 4). ``respond`` returns the answer to
        each."""
        async with self._asking(line) as command:
            self._send(line)
            while (challenge := await self._wire.line()) == b"+" or challenge.startswith(b"+ "):
                self._send(await respond(challenge[2:]))
            return record(command, Reply.read(challenge))

    async def ask_each(self, lines: Sequence[str]) -> list[Reply]:
        """Sends commands that have an answer of one line each, pipelined if the server offers it (RFC 2449, 6.6)."""
        if not lines:
            return []
        async with self._asking(*lines) as command:
            return [record(command, await self._reply()) for _ in self._sent(lines)]

    async def ask_all(self, lines: Sequence[str], *, limit: int, keep: int | None = None) -> list[Answer]:
        """Sends multi-line commands, pipelined if the server offers it. An answer above ``limit`` octets closes the
        connection; of one below it the first ``keep`` octets are returned."""
        if not lines:
            return []
        keep = limit if keep is None else keep
        async with self._asking(*lines) as command:
            return [await self._answer(command, limit, keep) for _ in self._sent(lines)]

    async def retrieve(self, number: int, take: Callable[[bytes], object]) -> Reply:
        """Sends RETR and passes the message to ``take`` as it arrives. If ``take`` raises, the connection is closed."""
        async with self._exchange(None):
            with self._command("RETR") as command:
                self._send(f"RETR {number}")
                async with asyncio.timeout(self._timing.command):
                    reply = record(command, await self._reply())
                if reply.ok:
                    await self._pour(take)
                return reply

    async def quit(self) -> Reply:
        """Sends QUIT, without which deletions do not happen (RFC 1939, 6), and closes the connection."""
        try:
            return await self.ask("QUIT")
        finally:
            await self.close()

    async def leave(self) -> None:
        """Sends QUIT and closes. Nothing depends on the answer."""
        try:
            async with asyncio.timeout(self._timing.quit):
                await self.ask("QUIT")
        except (MailError, TimeoutError):
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes at once, and waits until the socket is closed."""
        self.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.quit):
                await self._wire.closed()

    def abort(self) -> None:
        """Closes at once. Deletions without QUIT do not happen."""
        self._wire.abort()

    async def _greet(self) -> None:
        async with self._exchange(self._timing.greeting):
            line = await self._wire.line()
            greeting = Reply.read(line)
        challenge = CHALLENGE.search(line)
        self.challenge = challenge[0] if challenge else None
        if not greeting.ok:
            raise greeting_error_from(greeting)

    async def _secure(self, endpoint: Endpoint) -> None:
        """STLS or nothing: on this endpoint no secret is ever sent in clear."""
        if self.capabilities is not None and not self.offers("STLS"):
            raise insecure("The mail server offers no TLS on this port.")
        async with self._exchange(self._timing.connect):
            with self._command("STLS") as command:
                self._send("STLS")
                reply = record(command, await self._reply())
            if not reply.ok:
                raise insecure("The mail server refused TLS.")
            await self._wire.secure(endpoint)
        self.challenge = None

    @asynccontextmanager
    async def _asking(self, *lines: str) -> AsyncIterator[Command]:
        """An exchange with these commands."""
        async with self._exchange(self._timing.command):
            with self._command(lines[-1].partition(" ")[0], len(lines)) as command:
                yield command

    def _command(self, verb: str, count: int = 1) -> Command:
        return Command(PROTOCOL, self._wire.server, verb, count)

    @asynccontextmanager
    async def _exchange(self, seconds: float | None) -> AsyncIterator[None]:
        """The server may send only within an exchange, and only what was requested."""
        try:
            async with asyncio.timeout(seconds):
                yield
            if self._wire.waiting:
                raise broken("The mail server said more than it was asked.")
        except BaseException as error:
            self.abort()
            if (failure := network_error(error, Protocol.POP3)) is None:
                raise
            raise failure from error

    def _sent(self, lines: Sequence[str]) -> Iterator[None]:
        """Yields once for each answer due, with as many commands sent ahead as may be in flight."""
        window = IN_FLIGHT if self.offers("PIPELINING") else 1
        for due in range(len(lines)):
            ahead = lines[due + window - 1 : due + window] if due else lines[:window]
            if ahead:
                self._send(*ahead, in_flight=window > 1 and due > 0)
            yield

    def _send(self, *lines: str, in_flight: bool = False) -> None:
        """Raises UpstreamProtocol if an answer is here although none is due."""
        if self._wire.waiting and not in_flight:
            raise broken("The mail server answered before it was asked.")
        self._wire.send("".join(f"{line}\r\n" for line in lines).encode())

    async def _reply(self) -> Reply:
        return Reply.read(await self._wire.line())

    async def _answer(self, command: Command, limit: int, keep: int) -> Answer:
        reply = record(command, await self._reply())
        body = bytearray()
        if reply.ok:
            await self._collect(body, limit, keep)
        return Answer(reply, bytes(body))

    async def _collect(self, body: bytearray, limit: int, keep: int) -> None:
        unstuffer, seen = Unstuffer(), 0
        while not unstuffer.ended:
            octets = unstuffer.feed(await self._wire.chunk(AT_ONCE))
            seen += len(octets)
            if seen > limit:
                raise broken("The mail server's answer does not end within the limit.")
            body += octets[: max(0, keep - len(body))]
        self._wire.put_back(unstuffer.rest)

    async def _pour(self, take: Callable[[bytes], object]) -> None:
        unstuffer, clock = Unstuffer(), asyncio.get_running_loop().time
        since, arrived = clock(), 0
        while not unstuffer.ended:
            octets = await self._wire.chunk()
            take(unstuffer.feed(octets))
            arrived += len(octets)
            if (span := clock() - since) >= self._timing.idle:
                if arrived < self._timing.slowest * span and not unstuffer.ended:
                    raise UpstreamTimeout("The mail server sends the message too slowly.", protocol=PROTOCOL)
                since, arrived = clock(), 0
        self._wire.put_back(unstuffer.rest)


def record(command: Command, reply: Reply) -> Reply:
    """Records the reply as the command's outcome."""
    command.outcome = "ok" if reply.ok else "err"
    return reply


def _capabilities(body: bytes) -> Capabilities:
    """The lines of CAPA by their upper-case tag. Lines without a valid tag are skipped."""
    found: Capabilities = {}
    for line in body.decode("ascii", "replace").upper().splitlines():
        tag, *rest = line.split() or [""]
        if KEYWORD.fullmatch(tag):
            found[tag] = tuple(rest)
    return found
