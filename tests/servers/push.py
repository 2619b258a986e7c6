"""The other side of pushes: a server that takes them, as a push service, a back end, FCM or Apple's does, and devices.

    async with PushDouble() as double:
        phone = Phone(double)
        phone.subscription                     # what an app sends to Casella
        push = await phone.next()              # decrypted by the phone's key, with what decrypts it written by others

By the first step of an endpoint's path it answers: ``/410/…`` with that status, ``/hang/…`` never, ``/unfinished/…`` in part,
``/redirect/…`` elsewhere.
"""

import asyncio
import json
import ssl
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_bytes, token_hex
from types import TracebackType
from typing import Any, Self

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers.process import HOST

SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """A request, and when it had arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class PushDouble:
    """Takes pushes on a free port. ``answer`` may be replaced: it gets a request and returns a status and a body. The
    answer to a path in ``hold`` waits for the event."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.hold: dict[str, asyncio.Event] = {}
        self.answer: Callable[[Received], tuple[int, bytes]] | None = None
        self._queues: dict[str, asyncio.Queue[Received]] = defaultdict(asyncio.Queue)
        self._context = context
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in [*self._open]:
            writer.transport.abort()
        await self._server.wait_closed()

    async def next(self, path: str, seconds: float = SECONDS) -> Received:
        """The next request to this path that nobody has seen."""
        async with asyncio.timeout(seconds):
            return await self._queues[path].get()

    def waiting(self, path: str) -> int:
        """How many of them there are."""
        return self._queues[path].qsize()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                fields = dict(line.split(": ", 1) for line in lines if line)
                headers = {name.lower(): value for name, value in fields.items()}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                received = Received(first.split()[1], headers, body, asyncio.get_running_loop().time())
                self.received.append(received)
                self._queues[received.path].put_nowait(received)
                writer.write(await self._answer(received))
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    async def _answer(self, received: Received) -> bytes:
        if received.path in self.hold:
            await self.hold[received.path].wait()
        if self.answer is not None:
            status, body = self.answer(received)
            return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
        match received.path.split("/")[1]:
            case "hang":
                await asyncio.Event().wait()
            case "redirect":
                return f"HTTP/1.1 307 x\r\nLocation: {self.url}/elsewhere\r\nContent-Length: 0\r\n\r\n".encode()
            case "endless":
                return b"HTTP/1.1 201 x\r\nContent-Length: 1000000000\r\n\r\n" + bytes(1 << 20)
            case "unfinished":
                return b"HTTP/1.1 201 x\r\nContent-Length: 10\r\n\r\nmore"
            case step if step.isdigit():
                return f"HTTP/1.1 {step} x\r\nContent-Length: 0\r\n\r\n".encode()
        return b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Phone:
    """A device with keys of its own. ``kind`` is the first step of its endpoint's path."""

    double: PushDouble
    kind: str = "push"
    name: str = field(default_factory=lambda: f"phone-{token_hex(4)}")
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: token_bytes(16))

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.name}"

    @property
    def subscription(self) -> dict[str, Any]:
        """What its app sends."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": text(point), "auth": text(self.auth)}
        return {"kind": "webpush", "endpoint": self.double.url + self.path, "keys": keys, "device": self.name}

    def opened(self, push: Received) -> dict[str, Any]:
        """What is in a push for it."""
        assert push.headers["content-encoding"] == "aes128gcm"
        octets = http_ece.decrypt(push.body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        said: dict[str, Any] = json.loads(octets)
        return said

    async def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        """What the next push says."""
        return self.opened(await self.double.next(self.path, seconds))


def text(octets: bytes) -> str:
    """As base64url."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
