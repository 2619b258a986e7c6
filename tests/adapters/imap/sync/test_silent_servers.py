"""Servers that accept IDLE or NOTIFY and report nothing by it: the watch notices, polls, and says how old news may be."""

import asyncio
from collections.abc import Callable

import pytest

from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.sync import news_record
from service.adapters.imap.sync import watch as watching
from service.adapters.imap.sync.news_record import NewsRecord, NewsRecords, is_news
from tests.adapters.imap.conftest import Scripted
from tests.servers.scripted import Expect, Send, Step

OK = b"{tag} OK done\r\n"
GO, DONE = Send(b"+ idling\r\n"), Expect(b"DONE", tagged=False)
IDLE = b"IMAP4rev1 IDLE"


def news_at_the_end(seen: list[int]) -> Callable[[bytes], list[Step]]:
    """As Courier does: another message is announced whenever IDLE ends."""

    def answer(_: bytes) -> list[Step]:
        seen.append(len(seen) + 4)
        return [GO, DONE, Send(b"* %d EXISTS\r\n" % seen[-1] + OK)]

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "UNPROVEN_SECONDS", 0.05)
    monkeypatch.setattr(watching, "AT_ONCE", 0.0)


def health(mailbox: ImapBackend) -> tuple[str, float | None]:
    report = mailbox.watch_health()
    assert report is not None
    return report.mode, report.inbox_within_seconds


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_news_that_idle_keeps_back_are_polled_for(scripted: Scripted) -> None:
    """R-IMAP-64: IDLE is kept short, so that the news it ends with are not old, and the account says so."""
    seen: list[int] = []
    async with scripted({"IDLE": news_at_the_end(seen)}, capabilities=IDLE) as (_, mailbox), mailbox.watch() as one:
        await until(lambda: mailbox._watcher.health.mode == "idle")
        assert health(mailbox) == ("idle", 0.05)
        await until(lambda: len(seen) > 4)
        assert await one.wait(5)
        assert health(mailbox) == ("poll", 0.05)
        assert mailbox._watcher.health.losses == 0


async def test_news_that_only_a_noop_brings_are_heard(scripted: Scripted) -> None:
    """R-IMAP-64: some servers say nothing when IDLE ends either."""
    answers = {"IDLE": lambda _: [GO, DONE, Send(OK)], "NOOP": b"* 4 EXISTS\r\n" + OK}
    async with scripted(answers, capabilities=IDLE) as (_, mailbox), mailbox.watch() as one:
        await until(lambda: mailbox._watcher.health.mode == "poll")
        assert await one.wait(5)


async def test_one_message_proves_idle(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-IMAP-64: after it an IDLE is long."""
    monkeypatch.setattr(watching, "UNPROVEN_SECONDS", 0.3)
    answers = {"IDLE": lambda _: [GO, Send(b"* OK Still here\r\n"), Send(b"* 4 EXISTS\r\n"), DONE, Send(OK)]}
    async with scripted(answers, capabilities=IDLE) as (server, mailbox), mailbox.watch() as one:
        assert await one.wait(5)
        await until(lambda: mailbox._watcher.health.inbox_within == watching.LATEST_SECONDS)
        assert health(mailbox) == ("idle", watching.LATEST_SECONDS)
        assert server.verbs.count("IDLE") == 2


async def test_a_sign_of_life_proves_nothing(scripted: Scripted) -> None:
    """R-IMAP-64."""
    answers = {"IDLE": lambda _: [GO, Send(b"* OK Still here\r\n"), DONE, Send(OK)]}
    async with scripted(answers, capabilities=IDLE) as (server, mailbox), mailbox.watch():
        await until(lambda: server.verbs.count("IDLE") > 3)
        assert health(mailbox) == ("idle", 0.05)


async def test_idle_that_is_refused_is_replaced_by_polling(scripted: Scripted) -> None:
    """R-IMAP-64: on the same connection, without another login."""
    answers = {"IDLE": b"{tag} BAD what?\r\n"}
    async with scripted(answers, capabilities=IDLE) as (server, mailbox), mailbox.watch() as one:
        assert await one.wait(5)
        await until(lambda: mailbox._watcher.health.mode == "poll")
        assert health(mailbox) == ("poll", watching.POLL_SECONDS)
        assert server.verbs.count("LOGIN") == 1
        assert mailbox._watcher.health.losses == 0


async def test_idle_that_ends_at_once_is_not_begun_again_at_once(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-IMAP-64."""
    monkeypatch.setattr(watching, "UNPROVEN_SECONDS", 0.3)
    answers = {"IDLE": lambda _: [GO, Send(OK)]}
    async with scripted(answers, capabilities=IDLE) as (server, mailbox), mailbox.watch() as one:
        assert await one.wait(5)
        await until(lambda: server.verbs.count("NOOP") >= 2)
        assert server.verbs.count("IDLE") <= 3


async def test_notify_that_reports_nothing_is_looked_behind(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-IMAP-64: each probe wakes the listeners, until NOTIFY was seen to report something."""
    monkeypatch.setattr(watching, "PROBE_SECONDS", 0.05)
    async with scripted({"NOTIFY": OK}, capabilities=b"IMAP4rev1 NOTIFY") as (_, mailbox), mailbox.watch() as one:
        for _ in range(4):
            assert await one.wait(5)
        assert health(mailbox) == ("notify", 0.05)


@pytest.mark.parametrize(
    ("news", "is_proven", "is_silent"),
    [("", False, False), ("t", True, False), ("l", False, False), ("ll", False, True), ("tl", True, False),
     ("tll", False, True), ("llt", True, False), ("tltltl", True, False)],
)  # fmt: skip
def test_what_a_server_did_last_counts(news: str, is_proven: bool, is_silent: bool) -> None:
    """R-IMAP-64: in time (t) or late (l); one that came just when IDLE ended is no proof against it."""
    record = NewsRecord()
    for each in news:
        record.note(in_time=each == "t")
    assert (record.is_proven, record.is_silent) == (is_proven, is_silent)


def test_mailboxes_of_a_server_share_its_record() -> None:
    """R-IMAP-64."""
    records = NewsRecords()
    one = records.named("mail.example.org")
    assert records.named("mail.example.org") is one
    assert records.named("other.example.org") is not one


def test_news_are_changes() -> None:
    assert all(
        map(is_news, (b"4 EXISTS", b"4 expunge", b"1 FETCH (FLAGS ())", b"VANISHED 3", b"STATUS x (MESSAGES 1)"))
    )
    assert not any(map(is_news, (b"OK Still here", b"0 RECENT", b"FLAGS ()", b"CAPABILITY IMAP4rev1")))
    assert news_record.AT_ONCE > 0
