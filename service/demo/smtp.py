"""The demo's way to send (RFC 5321, RFC 4954): mail to the demo user comes into its inbox, all other mail ends here."""

import asyncio
import re
from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from service.demo.listener import listening

Deliver: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Puts a message into the inbox."""
MAX_OCTETS = 35 << 20
LINE = 64 << 10
IDLE_SECONDS = 300.0
_PATH = re.compile(r"(?:FROM|TO):<([^<>\s]*)>(?: .*)?", re.IGNORECASE)
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {MAX_OCTETS}", "AUTH PLAIN")


@asynccontextmanager
async def smtp_server(deliver: Deliver, username: str, password: str, port: int = 0) -> AsyncIterator[int]:
    """Takes mail while the context is open; yields the port. Only this user can sign in."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Session(reader, writer, deliver, (username, password)).run()

    async with listening(converse, port, LINE) as bound_port:
        yield bound_port


class _Session:
    """One connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deliver: Deliver, login: tuple[str, str]
    ) -> None:
        self._reader, self._writer = reader, writer
        self._deliver, self._login = deliver, login
        self._is_signed_in = False
        self._recipients: list[str] | None = None  # None: no MAIL yet

    async def run(self) -> None:
        """Answers until the client leaves."""
        self._say("220 demo.example.org Casella demo")
        try:
            while (line := await self._line()) is not None:
                if not await self._answer(line):
                    return
                await self._writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            return  # it has gone, or sends lines without end

    async def _line(self) -> str | None:
        async with asyncio.timeout(IDLE_SECONDS):
            octets = await self._reader.readline()
        return octets.decode("utf-8", "replace").rstrip("\r\n") if octets.endswith(b"\n") else None

    def _say(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())

    async def _answer(self, line: str) -> bool:
        """False once the client has said goodbye."""
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO" | "HELO":
                self._say("\r\n".join(["250-demo.example.org", *(f"250-{word}" for word in _EXTENSIONS), "250 HELP"]))
            case "AUTH":
                self._say(self._sign_in(rest))
            case "MAIL":
                self._say(self._begin(rest))
            case "RCPT":
                self._say(self._add(rest))
            case "DATA" if self._recipients:
                await self._take(self._recipients)
            case "RSET":
                self._recipients = None
                self._say("250 2.0.0 OK")
            case "NOOP":
                self._say("250 2.0.0 OK")
            case "QUIT":
                self._say("221 2.0.0 Bye")
                return False
            case _:
                self._say("503 5.5.1 Not now")
        return True

    def _sign_in(self, rest: str) -> str:
        mechanism, _, response = rest.partition(" ")
        try:
            _, username, password = b64decode(response, validate=True).decode().split("\0")
        except (Error, ValueError):
            return "501 5.5.2 AUTH PLAIN with an initial response"
        if mechanism.upper() != "PLAIN" or (username, password) != self._login:
            return "535 5.7.8 Wrong username or password"
        self._is_signed_in = True
        return "235 2.7.0 Signed in"

    def _begin(self, rest: str) -> str:
        if not self._is_signed_in:
            return "530 5.7.0 Sign in first"
        if _PATH.fullmatch(rest) is None:
            return "501 5.5.4 MAIL FROM:<address>"
        self._recipients = []
        return "250 2.1.0 OK"

    def _add(self, rest: str) -> str:
        path = _PATH.fullmatch(rest)
        if self._recipients is None or path is None or "@" not in path[1]:
            return "501 5.5.4 RCPT TO:<address>, after MAIL"
        self._recipients.append(path[1].lower())
        return "250 2.1.5 OK"

    async def _take(self, recipients: list[str]) -> None:
        self._recipients = None
        self._say("354 Go on")
        await self._writer.drain()
        message = await self._message()
        if message is None:
            self._say("552 5.3.4 Too large")
            return
        if self._login[0] in recipients:
            await self._deliver(message)
        self._say("250 2.0.0 Taken")

    async def _message(self) -> bytes | None:
        """The octets up to the line with a dot, without stuffed dots; None if they are too many."""
        message = bytearray()
        while (line := await self._reader.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                raise ConnectionResetError
            if len(message) <= MAX_OCTETS:
                message += line[1:] if line.startswith(b".") else line
        return bytes(message) if len(message) <= MAX_OCTETS else None
