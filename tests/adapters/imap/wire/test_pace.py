"""Work in slices, and news that come too fast."""

import asyncio
import random
from time import perf_counter

import pytest

from service.adapters.imap.wire.octets.flow import OVERHEAD, Flood
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.pace import SLICE_SECONDS, Pace, ascending, paced
from service.adapters.imap.wire.protocol import WireProtocol
from service.adapters.imap.wire.responses import fetch_rows, found_uids, list_rows
from service.mail.errors import UpstreamProtocol


async def test_other_tasks_run_between_slices() -> None:
    """R-IMAP-30."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    async for _ in paced(range(5)):
        began = perf_counter()
        while perf_counter() < began + SLICE_SECONDS * 1.1:
            pass
    running.cancel()
    assert turns >= 5


async def test_work_beyond_its_budget_ends_with_an_error() -> None:
    """R-IMAP-30."""
    pace = Pace(budget=0.02)
    with pytest.raises(UpstreamProtocol):
        while True:
            if pace.is_due:
                await pace.turn()


async def test_many_numbers_are_put_in_order_in_slices() -> None:
    numbers = [random.randrange(1 << 32) for _ in range(70_000)]
    assert await ascending([*numbers, *numbers[:100]]) == sorted(set(numbers))
    assert await ascending(numbers[:500]) == sorted(set(numbers[:500]))


@pytest.mark.parametrize(
    ("untagged", "most"),
    [([b"SEARCH" + b" 1" * 20_000], 3), ([b"SEARCH 1"] * 20_000, 3), ([b"ESEARCH UID ALL 1:999999"], 3),
     ([b"ESEARCH UID ALL 1:4294967295"], 1 << 31), ([b"SEARCH" + b" 1" * 500_000], 1 << 31)],
    ids=["numbers", "answers", "a range", "all", "more than can be read"],
)  # fmt: skip
async def test_search_results_are_counted_against_the_folder(untagged: list[bytes], most: int) -> None:
    """R-IMAP-32: a search cannot find more than there is, give or take what came meanwhile."""
    with pytest.raises(UpstreamProtocol):
        await found_uids(untagged, most)


async def test_a_folder_with_a_name_too_long_for_an_address_is_left_out() -> None:
    """R-IMAP-24: the others are listed."""
    listed = await list_rows([b'LIST () "/" "' + b"x" * 20_000 + b'"', b'LIST () "/" INBOX'])
    assert [row.name for row in listed] == [b"INBOX"]


async def test_rows_are_counted_before_they_are_stored() -> None:
    """R-IMAP-30."""
    with pytest.raises(UpstreamProtocol):
        await fetch_rows(b"%d FETCH (UID %d FLAGS ())" % (uid, uid) for uid in range(1, 30_000))


def test_a_flood_is_read_at_a_steady_rate() -> None:
    """R-IMAP-34: a burst is read at once; then as much a second as ``RATE``."""
    flood, now = Flood(), 100.0
    while not flood.pause(now):
        flood.note(1000 - OVERHEAD, now)
    octets, began = 0, now
    while now < began + 10:
        now += flood.pause(now)
        flood.note(1000 - OVERHEAD, now)
        octets += 1000
    assert octets == pytest.approx(10 * Flood.RATE, rel=0.02)
    assert not flood.pause(now + 60)


class _Transport(asyncio.Transport):
    """Notes whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def abort(self) -> None:
        self.is_read = False


async def test_a_flood_of_news_holds_the_server_back() -> None:
    """R-IMAP-34: other connections are not slowed down."""
    protocol, transport = WireProtocol(asyncio.get_running_loop(), Limits(), "home"), _Transport()
    protocol.connection_made(transport)
    protocol.data_received(b"* OK ready\r\n")
    heard = 0

    def hear(_: bytes) -> None:
        nonlocal heard
        heard += 1

    protocol.on_news = hear
    for _ in range(30):
        protocol.data_received(b"* 3 EXISTS\r\n" * 2000)
    assert not transport.is_read
    assert heard < 60_000
    protocol.fail(UpstreamProtocol("enough", protocol="imap"))
