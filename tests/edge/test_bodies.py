"""Bodies, and what is around their content: never a header, never without measure."""

import asyncio
import time
from itertools import count

import pytest

from service.http.connection import HttpConnection
from service.http.inflow import FramingOverhead
from tests.deploy.replica import Replica
from tests.edge.conftest import BODY_SECONDS, NOBODY, patient
from tests.edge.raw import Raw, connected, memory
from tests.edge.tricks import CHUNKED, GET, HOST, LAST, MARKED, POST, chunk

pytestmark = pytest.mark.asyncio(loop_scope="module")
MEGABYTE = 1 << 20
GROWTH = 32 << 20
PATIENCE = 2.0
"""Of a probe, on a machine that does other things too; unbounded, one read alone took longer."""
NOWHERE = POST.replace(b"/v1/sessions", b"/nowhere")
ME = b"GET /v1/accounts/me HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
CUTTINGS = (1, 7, 1 << 20)


async def in_pieces(raw: Raw, octets: bytes, size: int) -> None:
    for at in range(0, len(octets), size):
        await raw.send(octets[at : at + size])


@pytest.mark.parametrize("size", CUTTINGS)
@pytest.mark.parametrize("content", [b"", chunk(b"{}")])
async def test_a_trailer_does_not_sign_in(replica: Replica, content: bytes, size: int) -> None:
    """R-HTTP-21: a trailer signs in neither this request nor, by what is left of it, the next one."""
    trailer = b"Authorization: Basic YTpi\r\nX-Request-Id: " + MARKED + b"\r\n\r\n"
    async with connected(replica.port) as raw:
        await in_pieces(raw, ME + b"\r\n" + content + b"0\r\n" + trailer, size)
        await raw.send(ME + b"\r\n" + LAST)
        await raw.send(ME + b"Authorization: Basic YTpi\r\n\r\n" + LAST)
        told = [await raw.answer() for _ in range(3)]
    assert [answer.status for answer in told if answer] == [401, 401, 503]
    assert MARKED.decode() not in [answer.headers["x-request-id"] for answer in told if answer]


async def test_no_address_is_forged_by_a_trailer() -> None:
    """R-HTTP-21, R-HTTP-04: a trusted proxy passes trailers on and did not write them."""
    env = NOBODY | {"CASELLA_RATES__ADDRESS": "3/hour", "CASELLA_TRUSTED_PROXIES": '["127.0.0.0/8"]'}
    ask = b"GET /v1/servers HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    async with Replica(env) as replica, connected(replica.port) as raw:
        for number in range(10):
            await raw.send(ask + b"0\r\nX-Forwarded-For: 192.0.2.%d\r\n\r\n" % number)
        told = [await raw.answer() for _ in range(10)]
    assert [answer.status for answer in told if answer] == [200] * 3 + [429] * 7


FLOODS = {
    "trailers": (CHUNKED + b"0\r\n", b"a:\r\n"),
    "trailers behind content": (CHUNKED + chunk(b"{}") + b"0\r\n", b"Authorization: Basic YTpi\r\n"),
    "trailers nobody reads": (NOWHERE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n"),
    "one trailer": (CHUNKED + b"0\r\na: ", b"b"),
    "one name of a trailer": (CHUNKED + b"0\r\n", b"a"),
    "one extension": (CHUNKED + b"1;", b"a"),
    "one quoted extension": (CHUNKED + b'1;a="', b" "),
    "extensions": (CHUNKED + b"1", b";a"),
    "tiny chunks with extensions": (CHUNKED, chunk(b" ", b";" + b"a" * 50)),
    "tiny chunks with large extensions": (CHUNKED, chunk(b" ", b";" + b"a" * 5000)),
    "tiny chunks with large extensions nobody reads": (
        NOWHERE + b"Transfer-Encoding: chunked\r\n\r\n",
        chunk(b" ", b";" + b"a" * 5000),
    ),
    "zeros before a size": (CHUNKED, b"0"),
}
"""How a flood begins, and what it goes on with."""


async def probes(replica: Replica, busy: asyncio.Task[None]) -> tuple[float, int]:
    """The longest that another client waits meanwhile, and the most memory there was."""
    longest, most = 0.0, 0
    async with connected(replica.port) as raw:
        while not busy.done():
            began = time.monotonic()
            await raw.send(GET)
            assert await raw.answer()
            longest, most = max(longest, time.monotonic() - began), max(most, memory(replica.pid))
            await asyncio.sleep(0.005)
    await busy
    return longest, most


async def flooded(raw: Raw, start: bytes, more: bytes, total: int = 40 * MEGABYTE) -> None:
    """Sends until all is sent or the server closes."""
    piece = more * (MEGABYTE // len(more))
    await raw.send(start)
    for _ in range(total // len(piece)):
        if raw.writer.is_closing():
            break
        await raw.send(piece)


@pytest.mark.parametrize(("start", "more"), FLOODS.values(), ids=FLOODS)
async def test_what_is_around_content_is_bounded(replica: Replica, start: bytes, more: bytes) -> None:
    """R-HTTP-21, R-HTTP-23: 40 MiB are refused early and not kept; others are answered meanwhile."""
    before = memory(replica.pid)
    async with connected(replica.port) as raw:
        longest, most = await probes(replica, asyncio.create_task(flooded(raw, start, more)))
        told = await raw.answers()
    expected = [404] if start.startswith(NOWHERE[:20]) else [431]
    assert [answer.status for answer in told] in (expected, [])  # a reset may swallow it
    assert most - before < GROWTH
    assert longest < PATIENCE


@pytest.mark.parametrize("start", [b"1;", b"0\r\na: ", b"0\r\n"], ids=["extension", "trailer", "name"])
async def test_a_refusal_of_framing_says_so(replica: Replica, start: bytes) -> None:
    """R-HTTP-23: little beyond the bound, so that no reset swallows it."""
    async with connected(replica.port) as raw:
        await raw.send(CHUNKED)
        await raw.send(start + b"a" * (20 << 10))
        [answer] = await raw.answers()
    assert (answer.status, answer.problem, answer.headers["connection"]) == (431, "head-too-large", "close")


@pytest.mark.parametrize("size", CUTTINGS)
async def test_small_chunks_extensions_and_trailers_are_fine(replica: Replica, size: int) -> None:
    """R-HTTP-23: what clients may well send, in any cutting."""
    tiny = b"".join(chunk(b" ", b";n=%d" % number) for number in range(2000))
    ask = CHUNKED + tiny + b"0;last\r\nServer-Timing: all;dur=1\r\nX-Checksum: " + b"f" * 4000 + b"\r\n\r\n"
    async with connected(replica.port) as raw:
        await in_pieces(raw, ask, size)
        await raw.send(GET)
        told = [await raw.answer() for _ in range(2)]
    assert [answer.status for answer in told if answer] == [422, 200]


async def test_framing_is_bounded_by_content() -> None:
    """R-HTTP-23: chunks of one octet for ever; as much of an extension as of content; and not much more."""
    overhead = FramingOverhead()
    assert not any(overhead.exceeds(6 * 100, 100, 100) for _ in range(10_000))
    assert not any(overhead.exceeds(3000, 1000, 1) for _ in range(10_000))
    assert next(n for n in count() if overhead.exceeds(4096, 0, 0)) == 4
    assert next(n for n in count() if FramingOverhead().exceeds(n, 0, 0)) == (16 << 10) + 1


DRIPS = {
    "content": (POST + b"Content-Length: 100000\r\n\r\n", b" "),
    "content that was asked for": (POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n", b" "),
    "content of a chunk": (CHUNKED + b"fffff\r\n", b" "),
    "tiny chunks": (CHUNKED, b"1\r\n \r\n"),
    "zeros before a size": (CHUNKED, b"0"),
    "an extension": (CHUNKED + b"1;", b"a"),
    "a quoted extension": (CHUNKED + b'1;a="', b" "),
    "trailers": (CHUNKED + b"0\r\n", b"a:\r\n"),
    "a trailer": (CHUNKED + b"0\r\na: ", b"b"),
    "content nobody reads": (NOWHERE + b"Content-Length: 100000\r\n\r\n", b" "),
    "trailers nobody reads": (NOWHERE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n"),
}


@pytest.mark.parametrize(("start", "drip"), DRIPS.values(), ids=DRIPS)
async def test_an_octet_now_and_then_holds_no_connection(replica: Replica, start: bytes, drip: bytes) -> None:
    """R-HTTP-22: an octet of any part of it."""
    async with connected(replica.port) as raw:
        await raw.send(start)
        answers = asyncio.create_task(raw.answers())
        async with asyncio.timeout(BODY_SECONDS + 10):
            for number in count():
                if answers.done():
                    break
                await raw.send(drip[number % len(drip)].to_bytes())
                await asyncio.sleep(BODY_SECONDS / 30)
        told = [answer.status for answer in await answers if answer.status != 100]
    assert told == ([404] if start.startswith(NOWHERE[:20]) else [408])


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_slow_upload_goes_on(is_chunked: bool) -> None:
    """R-HTTP-22: two kilobytes a second, for longer than silence would be borne."""
    seconds, pause, size = 4.0, 0.1, 200
    pieces = int(seconds * 1.5 / pause)
    assert size / pause > HttpConnection.body_rate
    async with Replica(NOBODY, patient(seconds)) as replica, connected(replica.port) as raw:
        began = time.monotonic()
        await raw.send(CHUNKED if is_chunked else POST + b"Content-Length: %d\r\n\r\n" % (pieces * size))
        for _ in range(pieces):
            await raw.send(chunk(b" " * size) if is_chunked else b" " * size)
            await asyncio.sleep(pause)
        await raw.send(LAST if is_chunked else b"")
        answer = await raw.answer()
        assert time.monotonic() - began > seconds
    assert answer
    assert answer.status == 422
