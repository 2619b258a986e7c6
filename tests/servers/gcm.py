"""The push service that is built into Chromium: it registers at Google, keeps a connection there, and is woken by it.

    async with GcmDouble() as google:
        chromium.launch_persistent_context(..., args=[*google.arguments])    # no private window: those have no push
        google.port                              # where a push to the endpoint of a subscription has to come

Chromium has switches for its three addresses. What it speaks are protocol buffers, of which few fields are needed: check-in
(android_id, security_token), registration (a form), and MCS (login, and a message with the encrypted octets as they came).
"""

import asyncio
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qs

from tests.servers.process import HOST
from tests.servers.tls import make_certificate

_NAMES = "subjectAltName=DNS:*.google.com,DNS:fcm.googleapis.com,DNS:localhost,IP:127.0.0.1"
_VERSION, _LOGIN, _LOGGED_IN, _MESSAGE = 41, 2, 3, 8
"""Of MCS: its version, and the tags of what is sent."""
_ANDROID_ID, _SECURITY_TOKEN = 1_234_567_890_123, 9_876_543_210


class Registration(NamedTuple):
    """``app`` names the service worker, ``sender`` is the application server key."""

    app: str
    sender: str


class GcmDouble:
    """Google's side, on free ports of this machine."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gcm-")
        self.certificate = make_certificate(Path(self._folder.name), _NAMES)
        self.registered: dict[str, Registration] = {}
        self.pushed: list[dict[str, str]] = []
        """The header fields of each push."""
        self.port = 0
        self._mcs_port = 0
        self._servers: list[asyncio.Server] = []
        self._phones: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._count = 0

    @property
    def arguments(self) -> Iterator[str]:
        """Of Chromium."""
        yield f"--gcm-checkin-url=https://{HOST}:{self.port}/checkin"
        yield f"--gcm-registration-url=https://{HOST}:{self.port}/register"
        yield f"--gcm-mcs-endpoint=https://{HOST}:{self._mcs_port}"
        yield "--ignore-certificate-errors"

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext = self.certificate.server_context()
        for serve in (self._http, self._mcs):
            server = await asyncio.start_server(serve, HOST, 0, ssl=context)
            self._servers.append(server)
        self.port, self._mcs_port = (server.sockets[0].getsockname()[1] for server in self._servers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for writer in [*self._open]:
            writer.transport.abort()
        self._folder.cleanup()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
                fields = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                status, answer = self._answer(head.split()[1], fields, body)
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer)
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    def _answer(self, path: str, fields: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if path == "/checkin":
            return 200, _number(1, 1) + _fixed(7, _ANDROID_ID) + _fixed(8, _SECURITY_TOKEN)
        if path == "/register":
            form = parse_qs(body.decode())
            token = token_urlsafe(32)
            self.registered[token] = Registration(form.get("X-subtype", [""])[0], form["sender"][0])
            return 200, f"token={token}".encode()
        registration = self.registered.get(path.rpartition("/")[2])
        if registration is None:
            return 404, b""
        if fields["authorization"].rpartition("k=")[2] != registration.sender:
            return 403, b""
        self.pushed.append(fields)
        self._wake(registration, fields["content-encoding"], body)
        return 201, b""

    def _wake(self, registration: Registration, encoding: str, body: bytes) -> None:
        self._count += 1
        data = {"subtype": registration.app, "content-encoding": encoding}
        message = (
            _text(3, registration.sender)
            + _text(5, "org.chromium.linux")
            + b"".join(_octets(7, _text(1, name) + _text(2, value)) for name, value in data.items())
            + _text(9, f"0:{self._count}")
            + _octets(21, body)
        )
        for phone in self._phones:
            phone.write(bytes([_MESSAGE]) + _varint(len(message)) + message)

    async def _mcs(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            assert (await reader.readexactly(1))[0] == _VERSION
            writer.write(bytes([_VERSION]))
            while True:
                tag, size = (await reader.readexactly(1))[0], await _read_varint(reader)
                await reader.readexactly(size)
                if tag == _LOGIN:
                    answer = _text(1, "chrome")
                    writer.write(bytes([_LOGGED_IN]) + _varint(len(answer)) + answer)
                    self._phones.add(writer)
        self._phones.discard(writer)
        self._open.discard(writer)
        writer.close()


def _varint(number: int) -> bytes:
    octets = b""
    while number > 127:
        octets += bytes([number & 127 | 128])
        number >>= 7
    return octets + bytes([number])


async def _read_varint(reader: asyncio.StreamReader) -> int:
    number = shift = 0
    while True:
        octet = (await reader.readexactly(1))[0]
        number |= (octet & 127) << shift
        if octet < 128:
            return number
        shift += 7


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _fixed(field: int, value: int) -> bytes:
    return _varint(field << 3 | 1) + value.to_bytes(8, "little")


def _octets(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _octets(field, value.encode())
