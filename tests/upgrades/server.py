"""A mail server that is asked to begin TLS, and everything on its wire.

It takes the octets apart itself, so that ``wire`` has all that the client sent and ``clear`` what of it could be read by
anybody: TLS records are left out of that, whatever became of the handshake.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.servers.visits import Visits

_RECORDS, _HEADER = range(0x14, 0x19), 5
_TAG = re.compile(rb"([A-Z]+)(\d+)")
_UPGRADES = {b"STARTTLS", b"STLS"}


class Stage(Enum):
    """How far a conversation got."""

    CONNECTED = auto()
    GREETED = auto()
    CONSENTED = auto()
    HELLO = auto()
    """The client's first record of TLS has come."""
    FLIGHT = auto()
    """The server's first records of TLS were sent."""
    SECURE = auto()
    NEVER = auto()


class End(Enum):
    """What happens there."""

    CLOSE = auto()
    RESET = auto()
    HANG = auto()


@dataclass(frozen=True, kw_only=True)
class Script:
    """``outside`` and ``inside`` answer commands by their verb, in clear and under TLS. ``{tag}`` is the last command's,
    ``{next}`` and ``{after}`` are those that the client will take for the next two."""

    greeting: bytes
    outside: Mapping[bytes, bytes]
    inside: Mapping[bytes, bytes]
    injected: Mapping[Stage, bytes] = field(default_factory=dict)
    """Sent in clear when the stage is reached; under TLS at ``SECURE``. With the octets before it for ``CONSENTED``."""
    segment: bytes = b""
    """As ``injected`` at ``CONSENTED``, but by a write of its own."""
    stops: Stage = Stage.NEVER
    ends: End = End.CLOSE
    consents: bool = True
    """Whether TLS begins after the answer to ``STARTTLS`` or ``STLS``. If not, what comes is read and not answered."""


class Gone(Exception):
    """The conversation is over."""


class Upgrading:
    """``async with upgrading.visits as visits: visits.port``; one script for every connection."""

    def __init__(self, script: Script, context: ssl.SSLContext) -> None:
        self.script = script
        self.context = context
        self.wire = bytearray()
        self.inside: list[bytes] = []
        """The commands that came under TLS, without tags."""
        self.visits = Visits(self._converse)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = _Visit(self, reader, writer)
        try:
            with suppress(Gone, ConnectionError, ssl.SSLError):
                await visit.run()
        finally:
            self.wire += visit.received

    @property
    def clear(self) -> bytes:
        """What came before TLS, and whatever else is no record of it."""
        return readable(bytes(self.wire))


def readable(wire: bytes) -> bytes:
    """The octets outside of TLS records."""
    clear = bytearray()
    at = 0
    while at < len(wire):
        if wire[at] in _RECORDS and wire[at + 1 : at + 2] == b"\x03" and len(wire) >= at + _HEADER:
            at += _HEADER + int.from_bytes(wire[at + 3 : at + 5])
        else:
            clear.append(wire[at])
            at += 1
    return bytes(clear)


class _Visit:
    def __init__(self, server: Upgrading, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._script = server, server.script
        self._reader, self._writer = reader, writer
        self.received = bytearray()
        self._lines = bytearray()
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._tag = b""

    async def run(self) -> None:
        await self._reach(Stage.CONNECTED)
        await self._say(self._script.greeting)
        await self._reach(Stage.GREETED)
        await self._outside()
        if not self._script.consents:
            await self._hang()
        await self._handshake()
        await self._reach(Stage.SECURE)
        while True:
            command = await self._command()
            self._server.inside.append(command)
            await self._say(_answer(self._script.inside, command))

    async def _outside(self) -> None:
        """Until TLS was asked for and answered."""
        command = b""
        while command.upper() not in _UPGRADES:
            command = await self._command()
            answer = _answer(self._script.outside, command)
            if command.upper() in _UPGRADES:
                answer += self._script.injected.get(Stage.CONSENTED, b"")
            await self._say(answer)
        if self._script.segment:
            await self._say(self._script.segment)
        await self._stop(Stage.CONSENTED)

    async def _handshake(self) -> None:
        self._came.write(await self._octets())
        await self._reach(Stage.HELLO)
        tls = self._server.context.wrap_bio(self._came, self._goes, server_side=True)
        has_flown = False
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not has_flown:
                    await self._reach(Stage.FLIGHT)
                    has_flown = True
                self._came.write(await self._octets())
            else:
                break
        await self._flush()
        self._tls = tls

    async def _reach(self, stage: Stage) -> None:
        if octets := self._script.injected.get(stage):
            await self._say(octets)
        await self._stop(stage)

    async def _stop(self, stage: Stage) -> None:
        if self._script.stops is not stage:
            return
        if self._script.ends is End.HANG:
            await self._hang()
        if self._script.ends is End.RESET:
            self._writer.transport.abort()
        raise Gone

    async def _hang(self) -> None:
        while True:
            await self._octets()

    async def _say(self, octets: bytes) -> None:
        """By a write of its own, whether in clear or not."""
        for at, name in enumerate((b"{tag}", b"{next}", b"{after}")):
            octets = octets.replace(name, _tag(self._tag, at))
        if self._tls is None:
            self._writer.write(octets)
            await self._writer.drain()
        elif octets:
            self._tls.write(octets)
            await self._flush()
        await asyncio.sleep(0)

    async def _flush(self) -> None:
        self._writer.write(self._goes.read())
        await self._writer.drain()

    async def _command(self) -> bytes:
        """Without its tag, where there is one."""
        line = await self._line()
        tag, _, command = line.partition(b" ")
        if not _TAG.fullmatch(tag):
            return line
        self._tag = tag
        return command

    async def _line(self) -> bytes:
        while (end := self._lines.find(b"\n")) < 0:
            self._lines += await self._octets() if self._tls is None else await self._opened(self._tls)
        line = bytes(self._lines[:end]).removesuffix(b"\r")
        del self._lines[: end + 1]
        return line

    async def _opened(self, tls: ssl.SSLObject) -> bytes:
        """What came under TLS; the client's first command may have come with the end of the handshake."""
        while True:
            with suppress(ssl.SSLWantReadError):
                return tls.read(1 << 14)
            self._came.write(await self._octets())

    async def _octets(self) -> bytes:
        octets = await self._reader.read(1 << 16)
        if not octets:
            raise Gone
        self.received += octets
        return octets


def _answer(answers: Mapping[bytes, bytes], command: bytes) -> bytes:
    """By the command's verb, else as to any other."""
    return answers.get(command.split(b" ", 1)[0].upper(), answers[b""])


def _tag(tag: bytes, later: int) -> bytes:
    """The tag that is so many later."""
    found = _TAG.fullmatch(tag)
    return found[1] + b"%d" % (int(found[2]) + later) if found else b""
