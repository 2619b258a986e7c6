"""What an issuer may answer instead of tokens, and that none of it costs more than it should or shows a secret."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from service.mail.errors import (
    AuthorizationPending,
    ConsentRequired,
    MailError,
    NotSupported,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.oauth import client as module
from service.oauth.client import IssuerClient
from service.oauth.issuer import Issuer
from service.oauth.urls import is_endpoint
from tests.servers.process import HOST

REFRESH = "canary-5a1c-refresh"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def said(octets: bytes, status: str = "200 OK", more: str = "") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(octets)}\r\n{more}\r\n".encode() + octets)

    return answer


def error(code: object, status: str = "400 Bad Request") -> Answer:
    return said(json.dumps({"error": code, "error_description": "canary-of-the-issuer"}).encode(), status)


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        await writer.drain()


async def silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.close()


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An issuer that answers everything alike: its URL, and what it was sent."""
    heads: list[bytes] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await answer(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}", heads
    finally:
        server.close()
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[IssuerClient]:
    client = IssuerClient(Issuer("fake", "id", "canary-5a1c-secret", token_endpoint=f"{url}/token"))
    try:
        yield client
    finally:
        await client.aclose()


GZIP = "Content-Encoding: gzip\r\n"
TOKENS = {"access_token": "a", "refresh_token": "r", "expires_in": 60}
CASES: dict[str, tuple[Answer, type[MailError]]] = {
    "gone": (error("invalid_grant"), ConsentRequired),
    "denied": (error("access_denied"), ConsentRequired),
    "pending": (error("authorization_pending"), AuthorizationPending),
    "too fast": (error("slow_down"), AuthorizationPending),
    "another client": (error("invalid_client", "401 Unauthorized"), UpstreamError),
    "words in place of a code": (error("<b>canary-of-the-issuer</b>"), UpstreamError),
    "no text": (error({"a": 1}), UpstreamError),
    "not there": (error("temporarily_unavailable", "503 Service Unavailable"), UpstreamUnavailable),
    "a page": (said(b"<html>", "502 Bad Gateway"), UpstreamUnavailable),
    "too many": (said(b"<html>", "429 Too Many Requests"), TooManyRequests),
    "not JSON": (said(b"access_token=a"), UpstreamProtocol),
    "a list": (said(b"[]"), UpstreamProtocol),
    "deep": (said(b"[" * 60_000), UpstreamProtocol),
    "no token": (said(b"{}"), UpstreamProtocol),
    "a number": (said(json.dumps({**TOKENS, "access_token": 1}).encode()), UpstreamProtocol),
    "an odd life": (said(json.dumps({**TOKENS, "expires_in": "x"}).encode()), UpstreamProtocol),
    "a line break": (said(json.dumps({**TOKENS, "access_token": "a\r\nb"}).encode()), UpstreamProtocol),
    "a long token": (said(json.dumps({**TOKENS, "refresh_token": "r" * 9000}).encode()), UpstreamProtocol),
    "too long": (said(b" " * (module.MAX_OCTETS + 1) + json.dumps(TOKENS).encode()), UpstreamProtocol),
    "a bomb": (said(gzip.compress(json.dumps(TOKENS).encode() + b" " * 20_000_000), more=GZIP), UpstreamProtocol),
    "another kind": (said(json.dumps({**TOKENS, "token_type": "DPoP"}).encode()), UpstreamProtocol),
    "endless": (endless, UpstreamProtocol),
    "silent": (silent, UpstreamTimeout),
    "closed": (gone, UpstreamUnavailable),
    "redirect": (said(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), UpstreamUnavailable),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_answer_without_tokens_is_an_error_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 1.0)
    answer, expected = CASES[name]
    async with answering(answer) as (url, heads), client_of(url) as client:
        with pytest.raises(expected) as caught:
            await client.refresh(REFRESH)
    assert type(caught.value) is expected
    assert "canary" not in f"{caught.value.detail} {caught.value!r} {getattr(caught.value, 'code', '')}"
    assert len(heads) == 1


@pytest.mark.parametrize(("said_seconds", "seconds"), [(None, 3600), ("60", 60), (-5, 1), (10**30, 30 * 86400)])
async def test_the_life_of_a_token_is_bounded(said_seconds: object, seconds: int) -> None:
    answer = said(json.dumps({**TOKENS, "expires_in": said_seconds}).encode())
    async with answering(answer) as (url, _), client_of(url) as client:
        assert (await client.refresh(REFRESH)).seconds == seconds


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example.org", "token_endpoint": "https://other.example.org/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"issuer": "SELF", "token_endpoint": "http://token.example.org/"},
        {"issuer": "SELF", "token_endpoint": "file:///etc/passwd"},
        {"issuer": "SELF"},
    ],
)
async def test_an_issuer_that_describes_another_one_or_no_safe_place_is_refused(described: dict[str, str]) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        own = f"http://{HOST}:{writer.get_extra_info('sockname')[1]}"
        text = json.dumps({name: own if value == "SELF" else value for name, value in described.items()})
        await said(text.encode())(writer)

    async with answering(answer) as (url, _):
        client = IssuerClient(Issuer("fake", "id", url=url))
        with pytest.raises(UpstreamProtocol):
            await client.endpoints()
        await client.aclose()


async def test_an_issuer_without_device_codes_says_so() -> None:
    async with answering(said(b"{}")) as (url, heads), client_of(url) as client:
        with pytest.raises(NotSupported):
            await client.begin_device()
    assert heads == []


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://issuer.example.org/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://localhost/token", True),
        ("http://issuer.example.org/token", False),
        ("http://127.0.0.1.example.org/", False),
        ("https://user@issuer.example.org/", False),
        ("https://issuer.example.org/#x", False),
        ("https://issuer.example.org:x/", False),
        ("ftp://issuer.example.org/", False),
        ("https://", False),
    ],
)
def test_where_secrets_may_be_sent(url: str, is_good: bool) -> None:
    assert is_endpoint(url) is is_good
