"""A server that takes every message and puts it into files: where the mail servers of the tests send theirs.

    with Sink() as sink:
        ...                             # give sink.port to a mail server as the host it relays to
        message = sink.wait_for("bob@example.net")
        message.recipients, message.parameters, message.octets

It runs as a process of its own, so that what it has in memory is not counted as the client's.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.servers.process import HOST, end, free_ports, greets_with

SECONDS = 60.0
_EHLO = ("sink.example.org", "PIPELINING", "SIZE 100000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")
_PATH = re.compile(r"(?:MAIL FROM|RCPT TO):\s*<(.*?)>(?:\s+(.*))?$", re.IGNORECASE)
_LONGEST = 1 << 20
"""Octets of a line."""


class Delivered(NamedTuple):
    """A message, and what was said about it. ``parameters`` are those of MAIL, then those of each RCPT."""

    sender: str
    recipients: tuple[str, ...]
    parameters: tuple[str, ...]
    file: Path

    @property
    def octets(self) -> bytes:
        """Without stuffed dots."""
        return self.file.read_bytes()


class Sink:
    """One sink with its own folder."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="sink-")

    def __enter__(self) -> "Sink":
        [self.port] = free_ports(1)
        command = [sys.executable, "-m", "tests.servers.sink", str(self.port), self._folder.name]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + SECONDS
        while not greets_with(self.port, b"2"):
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            end(self._process)
        self._folder.cleanup()

    def delivered_to(self, recipient: str) -> list[Delivered]:
        """What came for them so far, in the order of arrival."""
        files = sorted(Path(self._folder.name).glob("*.json"))
        messages = [_read(file) for file in files]
        return [message for message in messages if recipient in message.recipients]

    def wait_for(self, recipient: str, count: int = 1) -> Delivered:
        """The last of so many messages for them."""
        deadline = time.monotonic() + SECONDS
        while len(found := self.delivered_to(recipient)) < count:
            assert time.monotonic() < deadline, f"nothing came for {recipient}"
            time.sleep(0.02)
        return found[-1]


def _read(file: Path) -> Delivered:
    sender, recipients, parameters = json.loads(file.read_text())
    return Delivered(sender, tuple(recipients), tuple(parameters), file.with_suffix(".eml"))


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._reader, self._writer, self._folder = reader, writer, folder
        self._forget()

    async def run(self) -> None:
        self._say("220 sink.example.org ESMTP")
        verb = ""
        while verb != "QUIT" and (line := await self._reader.readline()):
            text = line.decode("utf-8", "surrogateescape").strip()
            verb = text.partition(" ")[0].upper()
            await self._answer(verb, text)
            await self._writer.drain()

    async def _answer(self, verb: str, text: str) -> None:
        match verb:
            case "EHLO" | "HELO":
                for each in _EHLO[:-1]:
                    self._say(f"250-{each}")
                self._say(f"250 {_EHLO[-1]}")
            case "MAIL" | "RCPT":
                path = _PATH.match(text)
                assert path is not None
                self._paths.append((path[1], path[2] or ""))
                self._say("250 2.1.0 ok")
            case "DATA":
                self._say("354 go on")
                await self._take()
                self._say("250 2.0.0 kept")
            case "QUIT":
                self._say("221 2.0.0 bye")
            case _:
                self._forget()
                self._say("250 2.0.0 ok")

    async def _take(self) -> None:
        name = self._folder / f"{time.time_ns():020}"
        with name.with_suffix(".eml").open("wb") as file:
            while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
                file.write(line.removeprefix(b"."))
        (sender, parameters), *recipients = self._paths
        written = [sender, [address for address, _ in recipients], [parameters, *(each for _, each in recipients)]]
        draft = name.with_suffix(".tmp")
        draft.write_text(json.dumps(written))
        draft.rename(name.with_suffix(".json"))
        self._forget()

    def _say(self, text: str) -> None:
        self._writer.write(text.encode() + b"\r\n")

    def _forget(self) -> None:
        self._paths: list[tuple[str, str]] = []


async def serve(port: int, folder: Path) -> None:
    """Until the process is ended."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await _Session(reader, writer, folder).run()
        writer.close()

    server = await asyncio.start_server(converse, HOST, port, limit=_LONGEST)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
