"""A service that fails in turn, for the retries of the SDKs."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.servers.process import HOST
from tests.servers.visits import Visits

RETRY_AFTER = 1.0
"""Seconds, before the account is answered."""
_FOLDER = {"id": "f_1", "name": "Work", "path": ["Work"], "isSubscribed": True, "isSelectable": True}
_ACCOUNT = {"id": "a_1", "username": "ann@example.org", "server": "home", "protocol": "imap", "capabilities": []}


def _problem(name: str, status: int, *, retryable: bool) -> dict[str, object]:
    members: dict[str, object] = {"type": f"/problems/{name}", "title": name, "status": status, "detail": "Said so."}
    return members | {"instance": "/v1", "retryable": retryable, "requestId": "r1"}


def _answer(status: int, body: object, *headers: str, kind: str = "application/json") -> bytes:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(octets)}", "Connection: close"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + octets


_PROBLEM = "application/problem+json"
_PROXY = _answer(502, b"<h1>Bad Gateway</h1>", kind="text/html")
_ANSWERS = (
    _answer(503, _problem("busy", 503, retryable=True), "Retry-After: 0", kind=_PROBLEM),
    b"",
    _answer(201, _FOLDER, "Casella-Token: two"),
    _answer(429, _problem("too-many-requests", 429, retryable=True), f"Retry-After: {RETRY_AFTER:.0f}", kind=_PROBLEM),
    _answer(200, _ACCOUNT),
    _answer(403, _problem("not-permitted", 403, retryable=False), kind=_PROBLEM),
    *[_PROXY] * 4,
)


class Asked(NamedTuple):
    line: str
    authorization: str | None
    key: str | None
    at: float


@dataclass
class Flaky:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request for each connection. The second is closed without an answer."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # opened ahead of need, and not used
            return
        line, *rest = head.splitlines()
        fields = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        await reader.readexactly(int(fields.get("content-length", 0)))
        answer = _ANSWERS[len(self.asked)]
        self.asked.append(
            Asked(
                line[: -len(" HTTP/1.1")], fields.get("authorization"), fields.get("idempotency-key"), time.monotonic()
            )
        )
        writer.write(answer)
        await writer.drain()


@asynccontextmanager
async def failing() -> AsyncIterator[Flaky]:
    flaky = Flaky()
    async with Visits(flaky.serve) as visits:
        flaky.url = f"http://{HOST}:{visits.port}"
        yield flaky
