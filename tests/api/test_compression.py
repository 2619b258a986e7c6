"""Compressed responses: smaller, the same octets, and never where it would harm."""

import gzip
from collections.abc import AsyncIterator

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
import zstandard

from service.api.middleware.compression import MIN_OCTETS, PIECE
from tests.api.served import FIRST, ME, Served, served
from tests.servers.scripted import Imap, ScriptedServer

DONE = b"{tag} OK done\r\n"
ROW = (
    b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2026 08:00:00 +0100" RFC822.SIZE 4711 ENVELOPE'
    b' ("Thu, 1 Jan 2026 08:00:00 +0100" "Subject %d" (("Ann" NIL "ann%d" "example.org")) NIL NIL NIL NIL NIL NIL "<m%d@example.org>")'
    b' BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 5 1 NIL NIL NIL NIL) BODY[1]<0> {%d}\r\n%b BODY[]<0> {%d}\r\n%b)\r\n'
)
LONG = b"a line of text\r\n" * 12_000
READ = {"zstd": zstandard.decompress, "br": brotli.decompress, "gzip": gzip.decompress}


def rows(count: int) -> bytes:
    return b"".join(ROW % (uid, uid, uid, uid, uid, len(LONG), LONG, len(LONG), LONG) for uid in range(1, count + 1))


@pytest.fixture
async def app() -> AsyncIterator[Served]:
    answers = {"FETCH": rows(20) + DONE, "UID FETCH": rows(1) + DONE}
    async with (
        ScriptedServer([Imap(exists=20, uid_validity=7, uid_next=21, answers=answers)]) as server,
        served(server) as running,
    ):
        yield running


async def get(app: Served, path: str, accepted: str) -> tuple[httpx.Response, bytes]:
    """The response, and its octets as they came."""
    async with app.client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("br;q=1.0, gzip;q=0.8", "br"), ("GZIP", "gzip"), ("*", "zstd"),
        ("zstd;q=0, br;q=0, gzip;q=1", "gzip"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [f"{ME}/folders/inbox/messages", FIRST, "/openapi.json"])
async def test_what_programs_read_is_compressed(app: Served, path: str, accepted: str, coding: str) -> None:
    """R-HTTP-41: a page, a long message, which is compressed in pieces, and the contract."""
    plain, octets = await get(app, path, "identity")
    small, compressed = await get(app, path, accepted)
    assert (plain.status_code, small.status_code) == (200, 200)
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == coding
    assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert small.headers.get("etag") == plain.headers.get("etag")
    assert len(compressed) < len(octets) / 3
    read = (
        READ[coding](compressed)
        if coding != "zstd"
        else zstandard.ZstdDecompressor().decompressobj().decompress(compressed)
    )
    assert read == octets
    assert len(octets) > (PIECE if path == FIRST else MIN_OCTETS)


@pytest.mark.parametrize("path", [f"{FIRST}/parts/1", f"{FIRST}/source", "/healthz"])
async def test_files_and_short_responses_are_as_they_are(app: Served, path: str) -> None:
    """R-HTTP-41: a part has ranges and a length."""
    answer, octets = await get(app, path, "gzip, br, zstd")
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
    if path != "/healthz":
        assert octets == LONG
        assert answer.headers["content-length"] == str(len(LONG))


async def test_what_shows_a_token_is_not_compressed(app: Served) -> None:
    """R-HTTP-41: its length would say something of it (BREACH)."""
    made = await app.client.post(
        "/v1/sessions", json={"username": "u@example.org", "password": "x" * 4000}, headers={"Accept-Encoding": "gzip"}
    )
    assert made.status_code == 201
    assert len(made.content) > MIN_OCTETS
    assert "content-encoding" not in made.headers


async def test_a_current_list_is_304_whatever_is_accepted(app: Served) -> None:
    """R-HTTP-41: the ETag says what the list is, not how it travels."""
    page = f"{ME}/folders/inbox/messages"
    answer, _ = await get(app, page, "gzip")
    again = await app.client.get(page, headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "br"})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in again.headers
