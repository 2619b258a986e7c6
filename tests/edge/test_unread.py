"""Requests whose content is not read, requested or awaited, and requests sent before the last one is answered."""

import asyncio

import pytest

from service.http.connection import HttpConnection
from tests.deploy.replica import Replica
from tests.edge.conftest import BODY_SECONDS, NOBODY, patient
from tests.edge.raw import Answer, Raw, connected, memory
from tests.edge.test_bodies import GROWTH, MEGABYTE, NOWHERE, PATIENCE, flooded, in_pieces, probes
from tests.edge.tricks import CHUNKED, GET, LAST, MARKED, MARKER, POST, chunk, sized

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXPECTING = b"Expect: 100-continue\r\n"
KEEP_ALIVE_SECONDS = 1


async def statuses(raw: Raw, number: int) -> list[int]:
    return [answer.status for _ in range(number) if (answer := await raw.answer())]


@pytest.mark.parametrize("size", [MEGABYTE, 1000])
async def test_a_connection_is_used_again_after_unread_content(replica: Replica, size: int) -> None:
    """R-HTTP-24: the answer comes before the content; what follows the content is the next request."""
    for start, content in (
        (b"Content-Length: %d\r\n\r\n" % size, b" " * size),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunk(b" " * size) + LAST),
    ):
        async with connected(replica.port) as raw:
            await raw.send(NOWHERE + start)
            assert await statuses(raw, 1) == [404]
            await raw.send(content + GET)
            assert await statuses(raw, 1) == [200]


async def test_unread_content_is_bounded(replica: Replica) -> None:
    """R-HTTP-24: the connection ends with it, without another answer."""
    before = memory(replica.pid)
    async with connected(replica.port) as raw:
        await raw.send(NOWHERE + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 40))
        assert await statuses(raw, 1) == [404]
        total = HttpConnection.unread_octets + 100 * MEGABYTE
        longest, most = await probes(replica, asyncio.create_task(flooded(raw, b"", b" ", total)))
        assert await raw.answers() == []
    assert most - before < GROWTH
    assert longest < PATIENCE


@pytest.mark.parametrize("rest", [b"", b"fffff\r\n" + MARKER, b"x" + MARKER, b"1\r\n  " + MARKER])
async def test_unread_content_gets_no_second_response(replica: Replica, rest: bytes) -> None:
    """R-HTTP-24, R-HTTP-07: if it is late or malformed the connection is closed; a refusal would be the next answer."""
    before = len(replica.log)
    async with connected(replica.port) as raw:
        await raw.send(NOWHERE + b"Transfer-Encoding: chunked\r\n\r\n")
        assert await statuses(raw, 1) == [404]
        await raw.send(rest)
        async with asyncio.timeout(BODY_SECONDS + 10):
            assert await raw.answers() == []
    assert MARKED.decode() not in replica.log[before:]


async def test_an_answered_connection_is_not_kept_for_ever() -> None:
    """R-HTTP-24, R-HTTP-08: idle after a response, after the rest of unread content, and between both."""
    async with Replica(NOBODY, patient(BODY_SECONDS, KEEP_ALIVE_SECONDS)) as replica:
        for ask, rest in ((GET, b""), (NOWHERE + b"Content-Length: 2\r\n\r\n", b"{}"), (GET, b"\r\n")):
            async with connected(replica.port) as raw:
                await raw.send(ask)
                assert (await statuses(raw, 1))[0] in {200, 404}
                await raw.send(rest)
                async with asyncio.timeout(KEEP_ALIVE_SECONDS + 10):
                    assert [answer.status for answer in await raw.answers()] in ([], [408])


async def test_content_is_asked_for_if_it_is_read(replica: Replica) -> None:
    """R-HTTP-24: once, and the connection can be used again."""
    for framing, content in ((b"Content-Length: 2\r\n\r\n", b"{}"), (b"Transfer-Encoding: chunked\r\n\r\n", LAST)):
        async with connected(replica.port) as raw:
            await raw.send(POST + EXPECTING + framing)
            assert await statuses(raw, 1) == [100]
            await raw.send(content + GET)
            assert await statuses(raw, 2) == [422, 200]


async def test_content_that_was_not_asked_for_ends_the_connection(replica: Replica) -> None:
    """R-HTTP-24, R-HTTP-07: what comes after the answer may be content or a request, and is neither."""
    before = len(replica.log)
    async with connected(replica.port) as raw:
        await raw.send(NOWHERE + EXPECTING + b"Content-Length: 90\r\n\r\n")
        answer = await raw.answer()
        assert answer
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        await raw.send(MARKER * 2)
        assert await raw.answers() == []
    assert MARKED.decode() not in replica.log[before:]


async def test_no_continue_is_sent_unless_the_client_waits_for_it(replica: Replica) -> None:
    """R-HTTP-24: without content, in HTTP/1.0, or if content came already (RFC 9110, 10.1.1)."""
    old = sized(b"{}", EXPECTING).replace(b"HTTP/1.1", b"HTTP/1.0")
    without = POST + EXPECTING + b"\r\n"
    for ask in (old, sized(b"{}", EXPECTING), without):
        async with connected(replica.port) as raw:
            await raw.send(ask)
            assert await statuses(raw, 1) == [422]


PIPELINES = {
    "requests": b"GET /v1/servers HTTP/1.1\r\nHost:a\r\n\r\n",
    "probes": b"GET /healthz HTTP/1.1\r\nHost:a\r\n\r\n",
    "content": sized(b"{}"),
    "chunks": CHUNKED + chunk(b"{}") + LAST,
    "content nobody reads": NOWHERE + b"Content-Length: 2\r\n\r\n{}",
    "content just beyond a portion": sized(b" " * (64 << 10)),
}


@pytest.mark.parametrize("ask", PIPELINES.values(), ids=PIPELINES)
async def test_a_pipeline_costs_little(replica: Replica, ask: bytes) -> None:
    """R-HTTP-25: 20 MiB of requests whose responses are not read are not kept. Others are answered meanwhile."""
    before = memory(replica.pid)

    async def unread() -> None:
        async with connected(replica.port, receive_buffer=4096) as raw:
            sending = asyncio.create_task(flooded(raw, b"", ask, 20 * MEGABYTE))
            await asyncio.wait([sending], timeout=3)
            sending.cancel()

    longest, most = await probes(replica, asyncio.create_task(unread()))
    assert most - before < GROWTH
    assert longest < PATIENCE


@pytest.mark.parametrize("size", [1 << 20, 5003, 97])
async def test_a_pipeline_is_answered_whole_and_in_order(replica: Replica, size: int) -> None:
    """R-HTTP-25: content of any length, requests in any cutting."""
    ask, expected = b"", []
    for number in range(60):
        content = b" " * (number * number * 20)
        ask += GET + sized(content) + CHUNKED + chunk(content or b" ") + LAST + sized(content).replace(POST, NOWHERE)
        expected += [200, 422, 422, 404]
    async with connected(replica.port) as raw:
        sending = asyncio.create_task(in_pieces(raw, ask + GET, size))
        assert await statuses(raw, len(expected) + 1) == [*expected, 200]
        await sending


async def test_a_pipeline_that_ends_in_half_a_head_is_closed(replica: Replica) -> None:
    """R-HTTP-25, R-HTTP-08: the half came with a whole request, in one read."""
    async with connected(replica.port) as raw:
        await raw.send(GET + GET[:-2])
        told: list[Answer] = await raw.answers()
    assert [answer.status for answer in told] == [200, 408]
