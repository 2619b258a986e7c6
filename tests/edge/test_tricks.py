"""Request smuggling: nothing that is refused, answered or unfinished hides a request."""

import asyncio

import pytest

from service.api.middleware.requests import SAFE_HEADERS
from tests.deploy.replica import Replica
from tests.edge.conftest import NOBODY
from tests.edge.raw import Answer, connected
from tests.edge.tricks import ANSWERED, GET, MARKED, MARKER, REFUSED, UNFINISHED, Answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
LAST = GET[:-2] + b"Connection: close\r\n\r\n"


async def test_there_are_many_tricks() -> None:
    """R-HTTP-07: an empty table would test nothing."""
    assert len(REFUSED) + len(ANSWERED) + len(UNFINISHED) >= 60


async def answers(replica: Replica, octets: bytes) -> list[Answer]:
    """All octets until the server closes. The marker was not read as a request."""
    before = len(replica.log)
    async with connected(replica.port) as raw:
        await raw.send(octets)
        found = await raw.answers()
    assert MARKED.decode() not in replica.log[before:]
    assert all(answer.headers["x-request-id"] != MARKED.decode() for answer in found)
    return found


async def test_the_marker_is_seen_if_it_is_a_request() -> None:
    """R-HTTP-07: so that its absence means something."""
    async with Replica(NOBODY) as replica, connected(replica.port) as raw:
        await raw.send(MARKER)
        answer = await raw.answer()
        assert answer
        assert answer.headers["x-request-id"] == MARKED.decode()
        async with asyncio.timeout(10):
            while MARKED.decode() not in replica.log:  # the line comes after the answer
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("octets", REFUSED.values(), ids=REFUSED)
async def test_what_others_may_read_differently_is_refused(replica: Replica, octets: bytes) -> None:
    """R-HTTP-07: one 400, and nothing that follows on the connection is a request."""
    [answer] = await answers(replica, octets + MARKER)
    assert (answer.status, answer.problem) == (400, "malformed-request")
    assert answer.headers["connection"] == "close"
    assert answer.headers.items() >= {name.decode(): value.decode() for name, value in SAFE_HEADERS.items()}.items()


@pytest.mark.parametrize("trick", ANSWERED.values(), ids=ANSWERED)
async def test_content_of_a_request_is_not_read_as_a_request(replica: Replica, trick: Answered) -> None:
    """R-HTTP-07, R-HTTP-21: one answer, and the next one belongs to the next request."""
    first, *more = await answers(replica, trick.octets + LAST)
    assert first.status == trick.status
    assert [b"alive" in answer.body for answer in more] == ([] if trick.is_last else [True])


@pytest.mark.parametrize("octets", UNFINISHED.values(), ids=UNFINISHED)
async def test_what_has_no_end_gets_one_refusal(replica: Replica, octets: bytes) -> None:
    """R-HTTP-07, R-HTTP-08: in time or at once, and the connection is closed."""
    [answer] = await answers(replica, octets)
    assert answer.status in {400, 408, 413}
    assert answer.headers["connection"] == "close"
