"""What reaches the listener, octet by octet, and what a client may keep it waiting."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from service.http.connection import HttpConnection
from service.http.head import MAX_FIELDS
from tests.deploy.replica import Replica
from tests.edge.conftest import BODY_SECONDS, HEAD_SECONDS, NOBODY, STALL_SECONDS
from tests.edge.raw import connected, memory
from tests.edge.tricks import CHUNKED, GET, POST, REFUSED

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECOND = b"GET /v1/servers HTTP/1.1\r\nHost: casella.example.org\r\n\r\n"


async def test_requests_are_answered_in_their_order(replica: Replica) -> None:
    """R-HTTP-07, R-HTTP-08: pipelined, one answer each."""
    async with connected(replica.port) as raw:
        await raw.send((GET + SECOND) * 3)
        told = [await raw.answer() for _ in range(6)]
        assert [b"alive" in one.body for one in told if one] == [True, False] * 3


async def test_a_refusal_does_not_overtake_an_answer(replica: Replica) -> None:
    """R-HTTP-07: the client would take it for the response to its previous request."""
    async with connected(replica.port) as raw:
        await raw.send(GET + REFUSED["two Hosts"] + SECOND)
        assert [answer.status for answer in await raw.answers()] == [200]


async def test_nothing_after_the_last_request_is_one(replica: Replica) -> None:
    """R-HTTP-07: neither after Connection: close nor after a request for another protocol."""
    for last in (b"Connection: close", b"Connection: Upgrade\r\nUpgrade: h2c"):
        async with connected(replica.port) as raw:
            await raw.send(GET.replace(b"\r\n\r\n", b"\r\n" + last + b"\r\n\r\n") + SECOND)
            assert [answer.status for answer in await raw.answers()] == [200]


@pytest.mark.parametrize(
    "body", [b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
async def test_another_protocol_may_be_wished_for(replica: Replica, body: bytes) -> None:
    """R-HTTP-07: as Java's client does with its first request in clear. It is answered in this one, and that is all."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    async with connected(replica.port) as raw:
        await raw.send(POST + b"Content-Type: application/json\r\n" + wish + body + SECOND)
        [answer] = await raw.answers()
    assert answer.status == 422
    assert b"body.username" in answer.body, "it was not read"


async def test_a_head_is_bounded(replica: Replica) -> None:
    """R-HTTP-07: in fields and octets, at the limit and beyond; 20 MB of it are not kept."""
    before = memory(replica.pid)
    field = b"X: y\r\n"
    for fields, status in ((MAX_FIELDS - 1, 200), (MAX_FIELDS, 431)):
        async with connected(replica.port) as raw:
            await raw.send(GET[:-2] + field * fields + b"\r\n")
            answer = await raw.answer()
            assert answer
            assert answer.status == status
    used = len(b"/healthzHostcasella.example.orgX")
    for octets, status in ((HttpConnection.head_octets - used, 200), (HttpConnection.head_octets - used + 1, 431)):
        async with connected(replica.port) as raw:
            await raw.send(GET[:-2] + b"X: " + b"y" * octets + b"\r\n\r\n")
            answer = await raw.answer()
            assert answer
            assert answer.status == status
    for endless in (GET[:-2] + b"X: ", GET[:-2] + b"X", b"GET /", GET[:-2] + field, b"\r\n"):
        async with connected(replica.port) as raw:
            await asyncio.gather(raw.send(endless + (endless[-6:] if endless.endswith(b"\n") else b"x") * (20 << 20)))
            told = await raw.answers()
            assert [one.status for one in told] in ([431], [])  # a reset may swallow it
    assert memory(replica.pid) - before < 32 << 20


async def test_who_never_finishes_a_head_is_sent_away(replica: Replica) -> None:
    """R-HTTP-08: an octet now and then does not help. A silent client gets no response."""
    async with connected(replica.port) as raw:
        assert await raw.answer() is None
    async with connected(replica.port) as raw:
        answers = asyncio.create_task(raw.answers())
        async with asyncio.timeout(HEAD_SECONDS + 5):
            for octet in GET[:-2] + b"X: " + b"y" * 10_000:
                if answers.done():
                    break
                await raw.send(bytes([octet]))
                await asyncio.sleep(HEAD_SECONDS / 30)
        [answer] = await answers
        assert (answer.status, answer.problem) == (408, "request-timeout")


async def test_who_never_finishes_a_body_is_sent_away(replica: Replica) -> None:
    """R-HTTP-08: neither with a length nor in chunks."""
    for start in (POST + b"Content-Length: 100\r\n\r\n{", CHUNKED + b"5\r\n{"):
        async with connected(replica.port) as raw:
            await raw.send(start)
            async with asyncio.timeout(BODY_SECONDS + 5):
                [answer] = await raw.answers()
            assert (answer.status, answer.problem) == (408, "request-timeout")


async def test_who_does_not_read_is_cut_off(replica: Replica) -> None:
    """R-HTTP-08, R-OPS-08: responses that the client does not read are not kept."""
    large = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    async with connected(replica.port, receive_buffer=4096) as raw:
        await raw.send(large * 200)
        async with asyncio.timeout(STALL_SECONDS + 10):
            while not await has_lost(raw.writer):
                await asyncio.sleep(0.05)


async def has_lost(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side is gone; without reading that is known by writing."""
    try:
        writer.write(b"\r\n")
        await asyncio.wait_for(writer.drain(), 1)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return writer.is_closing()


async def test_idle_clients_cost_the_others_nothing(replica: Replica) -> None:
    """R-HTTP-08: a thousand connections that were used and are kept, and the platform is answered."""
    async with AsyncExitStack() as stack:
        for _ in range(1000):
            raw = await stack.enter_async_context(connected(replica.port))
            await raw.send(GET)
            assert await raw.answer()
        async with connected(replica.port) as raw:
            began = time.monotonic()
            await raw.send(GET)
            assert await raw.answer()
            assert time.monotonic() - began < 2


async def test_too_many_clients_get_503_at_once() -> None:
    """R-OPS-03: 503 and Retry-After, while the platform's probes are answered."""
    async with Replica(NOBODY | {"CASELLA_MAX_CONNECTIONS": "3"}) as replica, AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(connected(replica.port)) for _ in range(3)]
        for raw in (one, two):
            await raw.send(GET)
            assert await raw.answer()
        await three.send(SECOND)
        [answer] = await three.answers()
        assert (answer.status, answer.problem, answer.headers["retry-after"]) == (503, "busy", "1")
        assert answer.headers["x-content-type-options"] == "nosniff"
        async with connected(replica.port) as probe:
            await probe.send(GET)
            told = await probe.answer()
            assert told
            assert told.status == 200


async def test_a_process_is_ready_even_if_its_mail_servers_are_down(replica: Replica) -> None:
    """R-OPS-03: the mail servers' ports are closed."""
    async with connected(replica.port) as raw:
        for path, status in ((b"/v1/accounts/me", 503), (b"/healthz", 200), (b"/readyz", 200)):
            await raw.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n")
            answer = await raw.answer()
            assert answer
            assert answer.status == status


@pytest.mark.parametrize("framing", ["length", "chunks", "compressed"])
async def test_a_body_beyond_the_limit_is_not_read(replica: Replica, framing: str) -> None:
    """R-HTTP-06: 60 MB are rejected as soon as they are announced or the limit is exceeded. A body that claims to be compressed
    is refused, and is not decompressed."""
    before = memory(replica.pid)
    async with connected(replica.port) as raw:
        if framing == "length":
            await raw.send(POST + b"Content-Length: 60000000\r\n\r\n" + b" " * 60_000_000)
        elif framing == "chunks":
            await raw.send(CHUNKED + b"10000\r\n" + b" " * 65536 + b"\r\n")
            await raw.send((b"10000\r\n" + b" " * 65536 + b"\r\n") * 900)
        else:
            await raw.send(POST + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + b"\x1f\x8b" + b"\0" * 18)
        answer = await raw.answer()
    if answer is not None:  # a reset may swallow it
        assert answer.problem == ("unsupported-media-type" if framing == "compressed" else "too-large")
    assert memory(replica.pid) - before < 16 << 20
