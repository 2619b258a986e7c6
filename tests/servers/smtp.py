"""A cooperative SMTP server as a step of a script (tests/servers/scripted.py), and what it was sent.

smtp = Smtp(answers={"RCPT": lambda command: b"550 5.1.1 nobody\\r\\n"})
async with ScriptedServer([smtp]) as server:
    ...                      # connect to server.host, server.port
server.commands              # b"EHLO [127.0.0.1]", b"MAIL FROM:<a@example.org>", ..., without line breaks
smtp.messages                # octets as they were sent, dots stuffed, without the end
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from tests.servers.scripted import Answer, Answers, Connection, Expect, Send, StartTls, play_all

_END = b"\r\n.\r\n"
_LINE = Expect(tagged=False)
EXTENSIONS = (b"PIPELINING", b"SIZE 50000000", b"8BITMIME", b"SMTPUTF8", b"DSN", b"ENHANCEDSTATUSCODES")


@dataclass
class Smtp:
    """Plays until QUIT. ``answers`` replaces what it says by verb: octets, steps, or a function of the command that
    returns either. ``END`` is the answer to a message, ``MESSAGE`` replaces reading it. ``greeting`` None says none.
    """

    extensions: tuple[bytes, ...] = EXTENSIONS
    mechanisms: bytes = b"PLAIN LOGIN"
    greeting: bytes | None = b"220 mx.example.org ESMTP\r\n"
    answers: Answers = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)

    async def play(self, connection: Connection) -> None:
        if self.greeting is not None:
            await connection.send(self.greeting)
        verb = ""
        while verb != "QUIT":
            command = await connection.line()
            connection.commands.append(command)
            connection.server.commands.append(command)
            verb = command.split(b" ", 1)[0].decode("latin-1").upper()
            if await self._answer(verb, command, connection):
                await self._message(connection)

    async def _message(self, connection: Connection) -> None:
        if "MESSAGE" in self.answers:
            await self._answer("MESSAGE", b"", connection)
            return
        start = await connection.exactly(3)
        self.messages.append(b"" if start == b".\r\n" else (start + await connection.through(_END))[: -len(b".\r\n")])
        await self._answer("END", b"", connection)

    async def _answer(self, verb: str, command: bytes, connection: Connection) -> bool:
        """Whether a message follows."""
        answer = self.answers.get(verb)
        if answer is None:
            answer = self._usual(verb, command, connection)
        if callable(answer):
            said = answer(command)
            answer = await said if isinstance(said, Awaitable) else said
        await play_all([answer] if isinstance(answer, bytes) else answer, connection)
        return isinstance(answer, bytes) and answer.startswith(b"354")

    def _usual(self, verb: str, command: bytes, connection: Connection) -> Answer:
        match verb:
            case "EHLO":
                return ehlo(*self.extensions, *self._offers(connection))
            case "STARTTLS" if connection.offers_tls:
                return [Send(b"220 begin\r\n"), StartTls()]
            case "AUTH" if command.upper() == b"AUTH LOGIN":
                return [b"334 VXNlcm5hbWU6\r\n", _LINE, b"334 UGFzc3dvcmQ6\r\n", _LINE, b"235 2.7.0 in\r\n"]
            case "AUTH":
                return b"235 2.7.0 in\r\n" if command.count(b" ") == 2 else [b"334 \r\n", _LINE, b"235 2.7.0 in\r\n"]
        return _USUAL.get(verb, b"500 5.5.2 what\r\n")

    def _offers(self, connection: Connection) -> tuple[bytes, ...]:
        if connection.offers_tls:
            return (b"STARTTLS",)
        return (b"AUTH " + self.mechanisms,) if self.mechanisms else ()


_USUAL = {
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n",
    "END": b"250 2.0.0 queued\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "NOOP": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


def ehlo(*extensions: bytes) -> bytes:
    """The answer to EHLO."""
    lines = [b"mx.example.org", *extensions]
    return b"".join(b"250%b%b\r\n" % (b" " if line is lines[-1] else b"-", line) for line in lines)
