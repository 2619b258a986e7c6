"""One conversation with the server: connect, EHLO, STARTTLS, EHLO again, commands (RFC 5321, 3; RFC 3207; RFC 2920).

A failed exchange is the last one: a deadline, a cancelled caller, an unexpected octet and any other fault close the
connection, so that none is ever used again while an answer is on its way.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from aiosmtplib.esmtp import parse_esmtp_extensions

from service.accounts.servers import Endpoint, Security
from service.adapters.shared.network_errors import network_error, network_errors
from service.adapters.shared.sign_in.conversation import Respond
from service.adapters.smtp.wire.errors import (
    goodbye_error_from,
    greeting_error_from,
    insecure,
    is_goodbye,
)
from service.adapters.smtp.wire.protocol import WireProtocol
from service.adapters.smtp.wire.replies import PROTOCOL, Reply
from service.adapters.smtp.wire.timing import Timing
from service.mail.errors import UpstreamUnavailable
from service.telemetry.upstream import Command

IN_FLIGHT = 100
"""Pipelined commands without an answer."""
CHALLENGE, READY = 334, 220
NAME = "[127.0.0.1]"
"""What EHLO says. A submission server need not look it up (RFC 6409), and this name does not show the network here."""


class Connection:
    """The commands, before and after login."""

    def __init__(self, wire: WireProtocol, timing: Timing) -> None:
        self.wire = wire
        self._timing = timing
        self.extensions: Mapping[str, str] = {}
        """Parameters by keyword, upper case."""
        self.mechanisms: frozenset[str] = frozenset()
        self._has_learned_late = False
        self.ends_at: float | None = None
        """When the secret of the login ends, by the monotonic clock."""

    @property
    def has_ended(self) -> bool:
        """Whether the secret of the login has ended: the server may refuse what comes now."""
        return self.ends_at is not None and time.monotonic() >= self.ends_at

    @classmethod
    async def open(cls, endpoint: Endpoint, timing: Timing) -> Self:
        """Connects, reads the greeting and the extensions, and starts TLS if the endpoint requires it."""
        loop = asyncio.get_running_loop()
        context = endpoint.tls_context() if endpoint.security is Security.TLS else None
        with network_errors(PROTOCOL):
            async with asyncio.timeout(timing.connect):
                _, wire = await endpoint.connect(lambda: WireProtocol(loop, endpoint.server), context)
        connection = cls(wire, timing)
        try:
            await connection._greet()
            await connection._learn()
            if endpoint.security is Security.STARTTLS:
                await connection._secure(endpoint)
                await connection._learn()
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def tls(self) -> object:
        """The SSLObject of the connection, if it has one."""
        return self.wire.link.get_extra_info("ssl_object")

    @property
    def limit(self) -> int | None:
        """The octets of the largest message (RFC 1870); None if the server states none."""
        stated = self.extensions.get("SIZE", "")
        return int(stated) or None if stated.isascii() and stated.isdigit() and len(stated) < 20 else None

    async def ask(self, line: str) -> Reply:
        """Sends a command. Raises the error of 421, which may answer any."""
        [reply] = await self.ask_each([line])
        return reply

    async def ask_each(self, lines: Sequence[str]) -> list[Reply]:
        """Sends commands, pipelined if the server offers it: one round trip for ``IN_FLIGHT`` of them, else for each.

        If the server refuses the first one, the answers to the others may be missing.
        """
        replies: list[Reply] = []
        size = IN_FLIGHT if "PIPELINING" in self.extensions else 1
        with self._exchange(lines[-1], len(lines)) as command:
            try:
                for start in range(0, len(lines), size):
                    if replies and not replies[0].is_ok:
                        break
                    due = self.wire.send([line.encode() for line in lines[start : start + size]])
                    for each in due:
                        replies.append(await self._reply(each, self._timing.command))  # noqa: PERF401 - kept if it raises
            except UpstreamUnavailable:
                if not replies or replies[0].is_ok:
                    raise
            command.outcome = next((reply.outcome for reply in replies if reply.outcome != "ok"), "ok")
        return replies

    async def reset(self) -> None:
        """Forgets the message that was begun, so that another one can be sent. Closes the connection if that fails."""
        if self.wire.is_open and not (await self.ask("RSET")).is_ok:
            self.abort()

    async def learn_late(self) -> None:
        """Asks for the extensions after login, once: Dovecot has more then, those of the server that it relays to."""
        if not self._has_learned_late:
            self._has_learned_late = True
            await self._learn()

    async def converse(self, line: str, respond: Respond) -> Reply:
        """Sends a command that the server may answer with challenges (RFC 4954, 4)."""
        with self._exchange(line) as command:
            async with asyncio.timeout(self._timing.login):
                [due] = self.wire.send([line.encode()])
                while (reply := await self._reply(due, None)).code == CHALLENGE:
                    answer = await respond(reply.lines[0] if reply.lines else b"")
                    [due] = self.wire.send([answer.encode()])
            command.outcome = reply.outcome
        return reply

    async def close(self) -> None:
        """Closes at once, and waits until the socket is closed."""
        self.abort()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.quit):
                await asyncio.shield(self.wire.closed)

    def leave(self) -> None:
        """Sends QUIT. The connection closes with the answer, or without it a little later."""
        if not self.wire.is_open:
            self.abort()
            return
        [answer] = self.wire.send([b"QUIT"])
        late = asyncio.get_running_loop().call_later(self._timing.quit, self.abort)
        answer.add_done_callback(lambda _: self.abort())
        self.wire.closed.add_done_callback(lambda _: late.cancel())

    def abort(self) -> None:
        """Closes at once. A message without its end is not sent."""
        self.wire.fail(goodbye_error_from(None, is_signed_in=self.wire.is_signed_in))

    async def _greet(self) -> None:
        with self._ends_if_it_fails():
            reply = await self._reply(self.wire.greeting, self._timing.greeting)
        if reply.code != READY:
            raise greeting_error_from(reply)

    async def _learn(self) -> None:
        """Asks for the extensions, which may change after TLS (RFC 3207, 4.2)."""
        reply = await self.ask(f"EHLO {NAME}")
        if not reply.is_ok:
            raise greeting_error_from(reply)
        text = "\n".join(line.decode("ascii", "replace") for line in reply.lines)
        extensions, mechanisms = parse_esmtp_extensions(text)
        self.extensions = {keyword.upper(): parameters.strip() for keyword, parameters in extensions.items()}
        self.mechanisms = frozenset(map(str.upper, mechanisms))

    async def _secure(self, endpoint: Endpoint) -> None:
        """STARTTLS or nothing: on this endpoint no secret is ever sent in clear."""
        if "STARTTLS" not in self.extensions:
            raise insecure("The mail server offers no TLS on this port.")
        with self._exchange("STARTTLS") as command:
            [due] = self.wire.send([b"STARTTLS"], seals=True)
            reply = await self._reply(due, self._timing.command)
            command.outcome = reply.outcome
            if reply.code != READY:
                raise insecure("The mail server refused TLS.")
            async with asyncio.timeout(self._timing.connect):
                await self.wire.start_tls_at(endpoint)

    async def _reply(self, due: "asyncio.Future[Reply]", seconds: float | None) -> Reply:
        async with asyncio.timeout(seconds):
            reply = await due
        if is_goodbye(reply):
            raise goodbye_error_from(reply, is_signed_in=self.wire.is_signed_in)
        return reply

    @contextmanager
    def _exchange(self, line: str, count: int = 1) -> Iterator[Command]:
        """The server may send only within an exchange, and only what was requested."""
        verb = line.partition(" ")[0]
        with self._ends_if_it_fails(), Command(PROTOCOL, self.wire.server, verb, count) as command:
            yield command

    @contextmanager
    def _ends_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.abort()
            if (failure := network_error(error, PROTOCOL)) is None:
                raise
            raise failure from error
