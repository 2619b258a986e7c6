"""How often a call leaves the event loop for a thread, and what slow disks and callers who leave do to others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from service.adapters.maildir.backend import MaildirBackend
from service.adapters.maildir.disk.content import WINDOW
from service.adapters.maildir.disk.threads import BULK_THREADS, INTERACTIVE_THREADS, DiskThreads, checkpoint
from service.mail.errors import UpstreamUnavailable
from service.mail.exchange import Span
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from tests.adapters.maildir.conftest import USER
from tests.adapters.maildir.post import Post
from tests.contract.conftest import PATIENCE, read
from tests.contract.letters import RICH, plain
from tests.contract.test_writing import Octets

MESSAGES = 60
Ids = list[str]


class Hops:
    """Counts the work given to any pool of threads of the process."""

    def __init__(self) -> None:
        self.count = 0

    async def of(self, call: Awaitable[object]) -> int:
        before = self.count
        await call
        return self.count - before


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> Hops:
    counted, submit = Hops(), ThreadPoolExecutor.submit

    def counting(self: ThreadPoolExecutor, /, *args: Any, **kwargs: Any) -> Future[Any]:
        counted.count += 1
        return submit(self, *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counting)
    return counted


@pytest.fixture
async def ids(post: Post, backend: MaildirBackend) -> Ids:
    """A signed-in mailbox with messages and a second folder."""
    for number in range(MESSAGES):
        post.deliver(USER, RICH if number % 2 else plain(number))
    post.make(post.maildir(USER) / ".Archive")
    return [row.id for row in (await backend.list_messages("inbox", ListQuery(limit=200))).items]


async def whole_part(backend: MaildirBackend, ids: Ids) -> bytes:
    """A span of a decoded part, read to its end."""
    return await read(await backend.open_part(ids[0], "1", span=Span(0, 3)))


ONE_HOP: dict[str, Callable[[MaildirBackend, Ids], Awaitable[object]]] = {
    "check": lambda backend, _: backend.check(),
    "folders": lambda backend, _: backend.list_folders(),
    "folder": lambda backend, _: backend.get_folder("archive"),
    "new folder": lambda backend, _: backend.create_folder("New"),
    "list": lambda backend, _: backend.list_messages("inbox", ListQuery()),
    "previews": lambda backend, _: backend.list_messages("inbox", ListQuery(with_preview=True)),
    "sorted list": lambda backend, _: backend.list_messages("inbox", ListQuery(sort=(Order(SortKey.SUBJECT),))),
    "search": lambda backend, _: backend.search_messages(None, ListQuery(filter=Condition(Criterion.BODY, "x"))),
    "state": lambda backend, _: backend.get_state("inbox"),
    "sync token": lambda backend, _: backend.get_sync_token(None),
    "50 rows": lambda backend, ids: backend.get_messages(ids[:50]),
    "message": lambda backend, ids: backend.get_message(ids[0]),
    "headers": lambda backend, ids: backend.list_headers(ids[0]),
    "part": whole_part,
    "flags": lambda backend, ids: backend.get_flags(ids[0]),
    "new flags": lambda backend, ids: backend.set_flags(ids[0], ["$seen", "keyword"]),
    "changed flags": lambda backend, ids: backend.change_flags(ids[0], ["$seen"], []),
    "flags of many": lambda backend, ids: backend.change_many(ids, ["$seen"], ["$flagged"]),
    "move": lambda backend, ids: backend.move_messages(ids[:1], "archive"),
    "move of many": lambda backend, ids: backend.move_messages(ids, "archive"),
    "copy of many": lambda backend, ids: backend.copy_messages(ids, "archive"),
    "deletion of many": lambda backend, ids: backend.delete_messages(ids),
    "emptying": lambda backend, _: backend.empty_folder("inbox"),
}


@pytest.mark.parametrize("call", ONE_HOP)
async def test_a_call_is_one_thread_hop(backend: MaildirBackend, ids: Ids, hops: Hops, call: str) -> None:
    assert await hops.of(ONE_HOP[call](backend, ids)) == 1


async def test_changes_are_one_thread_hop(backend: MaildirBackend, ids: Ids, hops: Hops) -> None:
    mark, account_mark = await backend.get_sync_token("inbox"), await backend.get_sync_token(None)
    assert await hops.of(backend.list_changes("inbox", mark)) == 1
    assert await hops.of(backend.list_all_changes(account_mark)) == 1


@pytest.mark.parametrize("windows", [1, 2, 3, 9])
async def test_a_download_has_a_thread_hop_for_each_window(
    post: Post, backend: MaildirBackend, hops: Hops, windows: int
) -> None:
    """The one that opens it reads the first window. None only finds the end."""
    source = plain("x", body="y" * (windows * WINDOW - 1000))
    assert (windows - 1) * WINDOW < len(source) < windows * WINDOW
    post.deliver(USER, source)
    [row] = (await backend.list_messages("inbox", ListQuery())).items
    before = hops.count
    assert await read(await backend.open_source(row.id)) == source
    assert hops.count - before == windows


@pytest.mark.parametrize("windows", [0, 1, 4])
async def test_an_append_has_a_thread_hop_for_each_window(backend: MaildirBackend, hops: Hops, windows: int) -> None:
    """Two besides: one opens the file, one gives it its name. Small chunks are collected first."""
    await backend.check()
    source = plain("x", body="y" * (windows * WINDOW + 10_000))
    assert await hops.of(backend.append_message("inbox", Octets(source))) == windows + 2


async def test_a_disk_that_does_not_answer_delays_no_other() -> None:
    """R-OPS-11: each disk has its own few threads; work that takes long has others than work on one message."""
    slow, other, go = DiskThreads(), DiskThreads(), threading.Event()
    running: list[int] = []

    def hang() -> None:
        running.append(1)
        go.wait(PATIENCE)

    hanging = [asyncio.ensure_future(slow.bulk.run(hang)) for _ in range(3 * BULK_THREADS)]
    try:
        async with asyncio.timeout(PATIENCE):
            while len(running) < BULK_THREADS:
                await asyncio.sleep(0)
            assert await slow.interactive.run(len, "abc") == 3
            hanging += [asyncio.ensure_future(slow.interactive.run(hang)) for _ in range(3 * INTERACTIVE_THREADS)]
            while len(running) < BULK_THREADS + INTERACTIVE_THREADS:
                await asyncio.sleep(0)
            assert await other.interactive.run(len, "abc") == 3
            await asyncio.gather(*(asyncio.to_thread(str) for _ in range(50)))
        assert len(running) == BULK_THREADS + INTERACTIVE_THREADS
    finally:
        go.set()
    await asyncio.gather(*hanging)


async def test_a_caller_who_leaves_ends_work_between_two_messages_and_waits_for_that() -> None:
    """R-OPS-10: nothing goes on behind a cancelled call, and nothing ends within a step."""
    lane = DiskThreads().bulk
    steps, begun = [], threading.Event()
    waiting = threading.Event()

    def work() -> None:
        for number in range(1000):
            checkpoint()
            steps.append(f"begin {number}")
            begun.set()
            waiting.wait(PATIENCE)
            steps.append(f"end {number}")

    task = asyncio.create_task(lane.run(work))
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    waiting.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begin 0", "end 0"]


async def test_work_of_a_caller_who_left_never_starts() -> None:
    """R-OPS-10."""
    lane, go, started = DiskThreads().bulk, threading.Event(), threading.Event()
    busy = [asyncio.ensure_future(lane.run(go.wait, PATIENCE)) for _ in range(BULK_THREADS)]
    task = asyncio.create_task(lane.run(started.set))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await asyncio.gather(*busy)
    assert await lane.run(started.is_set) is False


async def test_a_bulk_deletion_that_is_cancelled_ends_and_leaves_whole_messages(
    post: Post, backend: MaildirBackend, ids: Ids
) -> None:
    """R-OPS-10: every message is there, octet for octet, or gone; and what is there stays."""
    new = post.maildir(USER) / "new"
    deleting = asyncio.create_task(backend.delete_messages(ids))
    while len(list(new.iterdir())) == MESSAGES:
        await asyncio.sleep(0)
    deleting.cancel()
    await asyncio.gather(deleting, return_exceptions=True)
    left = sorted(new.iterdir())
    assert {file.read_bytes() for file in left} <= {RICH, *(plain(number) for number in range(MESSAGES))}
    page = await backend.list_messages("inbox", ListQuery(limit=200))
    assert page.total == len(left) == len(sorted(new.iterdir()))


async def test_an_error_of_the_disk_while_octets_are_read_is_one_of_the_mailbox() -> None:
    """No foreign exception leaves a thread, and no path is in its text."""

    def fail() -> None:
        raise FileNotFoundError(2, "No such file", "/a/path")

    with pytest.raises(UpstreamUnavailable) as error:
        await DiskThreads().interactive.run(fail)
    assert "/a/path" not in str(error.value)
