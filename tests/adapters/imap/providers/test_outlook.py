"""Outlook and Exchange: late answers, few extensions, keywords that are dropped."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.sync import watch
from service.adapters.imap.wire.commands import AnswerTimes, Timing
from service.mail.errors import NotPermitted
from service.mail.model import EvaluatedBy
from service.mail.search.filter import Condition, Criterion, ListQuery, Order, SortKey
from service.mail.search.grammar.parser import parse_query
from tests.adapters.imap.providers.conftest import TIMING, At, searches
from tests.servers.providers.mail import WHEN, Letter, Mailbox
from tests.servers.providers.outlook import Outlook, mailbox

LATE = 0.2
"""Seconds, for the fifteen of the real one; deadlines that are patched are a quarter of it."""


@pytest.fixture
def mail() -> Mailbox:
    mail = mailbox()
    for number, subject in enumerate(["Budget", "agenda", "Übersicht", "Re: agenda"]):
        mail.deliver(Letter(subject, sent=WHEN + timedelta(hours=-number)), "INBOX")
    return mail


async def ids(backend: ImapBackend) -> list[str]:
    return [row.id for row in (await backend.list_messages("inbox", ListQuery())).items]


def test_no_deadline_ends_before_an_answer_of_fifteen_seconds() -> None:
    """R-IMAP-77: for any answer, the greeting included."""
    timing = Timing()
    assert min(timing.greeting, timing.login, timing.progress, timing.command, timing.patience) > 15
    times = AnswerTimes()
    times.note(15)
    assert times.allowed(3, timing.progress) > 15
    assert times.allowed(3, 10) == 10
    assert times.allowed(20, 60, 4) == 60  # a bound, whatever the server does
    for _ in range(10):
        times.note(0.1)
    assert times.allowed(3, timing.progress) == 3


async def test_a_late_server_is_asked_by_no_more_connections_than_configured(at: At, mail: Mailbox) -> None:
    """R-IMAP-77: ten requests at once share two connections, again and again."""
    async with at(lambda: Outlook(mail, LATE / 4), connections=2) as (server, backend):
        for _ in range(2):
            pages = await asyncio.gather(*(backend.list_messages("inbox", ListQuery(limit=n + 1)) for n in range(10)))
            assert [len(page.items) for page in pages] == [1, 2, 3, 4, 4, 4, 4, 4, 4, 4]
        assert server.connections <= 2


async def test_requests_wait_as_long_as_a_late_server_needs(at: At, mail: Mailbox) -> None:
    """R-IMAP-77: four answers to sign in, two to list; the usual patience is that of one answer."""
    timing = replace(TIMING, patience=LATE * 1.2)
    async with at(lambda: Outlook(mail, LATE), connections=1, timing=timing) as (server, backend):
        pages = await asyncio.gather(*(backend.list_messages("inbox", ListQuery(limit=n + 1)) for n in range(2)))
        assert [len(page.items) for page in pages] == [1, 2]
        assert server.connections == 1


async def test_a_late_answer_to_noop_costs_no_connection(
    at: At, mail: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-IMAP-77: a connection that was idle is tested with the patience that the server's own answers suggest."""
    monkeypatch.setattr("service.adapters.imap.session.connection.NOOP_SECONDS", LATE / 4)
    monkeypatch.setattr("service.adapters.imap.session.pool.PROBE_SECONDS", 0)
    async with at(lambda: Outlook(mail, LATE)) as (server, backend):
        for _ in range(2):
            assert len(await ids(backend)) == 4
        assert server.connections == 1


async def test_a_late_answer_to_done_costs_no_connection(
    at: At, mail: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-IMAP-77: IDLE is renewed on the same connection."""
    monkeypatch.setattr("service.adapters.imap.wire.protocol.DONE_SECONDS", LATE / 4)
    monkeypatch.setattr(watch, "PROBE_SECONDS", 0.05)
    async with at(lambda: Outlook(mail, LATE)) as (server, backend), backend.watch(), asyncio.timeout(10):
        while server.verbs.count("IDLE") < 3:
            await asyncio.sleep(0.01)
        health = backend.watch_health()
        assert health is not None
        assert (health.mode, health.losses, server.connections) == ("idle", 0, 1)


async def test_a_list_is_sorted_here_and_says_so(at: At, mail: Mailbox) -> None:
    """R-IMAP-23: no SORT is offered, and none is sent."""
    async with at(lambda: Outlook(mail)) as (server, backend):
        page = await backend.list_messages("inbox", ListQuery(sort=(Order(SortKey.SUBJECT),)))
        assert [row.subject for row in page.items] == ["agenda", "Re: agenda", "Budget", "Übersicht"]
        assert page.evaluated_by is EvaluatedBy.LOCAL
        page = await backend.list_messages("inbox", ListQuery(with_thread=True))
        assert all(row.thread_id for row in page.items)
        assert not {"UID SORT", "UID THREAD", "SORT", "THREAD"} & set(server.verbs)


async def test_a_keyword_that_the_folder_does_not_keep_is_refused(at: At, mail: Mailbox) -> None:
    """R-IMAP-78: PERMANENTFLAGS says so, and nothing is sent."""
    async with at(lambda: Outlook(mail)) as (server, backend):
        message, *_ = await ids(backend)
        with pytest.raises(NotPermitted):
            await backend.change_flags(message, ["$work"], [])
        [outcome] = await backend.change_many([message], ["$work"], [])
        assert isinstance(outcome.error, NotPermitted)
        assert "UID STORE" not in server.verbs
        assert (await backend.change_flags(message, ["$seen", "$mdnsent"], ["$work"])).flags == ("$seen",)


async def test_a_keyword_that_is_dropped_in_silence_is_never_reported_as_set(at: At, mail: Mailbox) -> None:
    """R-IMAP-78: STORE says OK; the answer has the flags that are there, and many messages say which did not get it."""
    async with at(lambda: Outlook(mail, promises=True)) as (_, backend):
        first, second, *_ = await ids(backend)
        assert (await backend.change_flags(first, ["$work", "$seen"], [])).flags == ("$seen",)
        assert (await backend.set_flags(first, ["$work", "$flagged"])).flags == ("$flagged",)
        outcomes = await backend.change_many([first, second], ["$flagged", "$work"], [])
        assert [type(outcome.error) for outcome in outcomes] == [NotPermitted, NotPermitted]
        outcomes = await backend.change_many([first, second], ["$flagged"], ["$work"])
        assert [outcome.error for outcome in outcomes] == [None, None]


@pytest.mark.parametrize(("criterion", "found"), [(Criterion.HAS_KEYWORD, 0), (Criterion.NOT_KEYWORD, 4)])
async def test_a_search_for_a_keyword_that_cannot_be_there_needs_no_server(
    at: At, mail: Mailbox, criterion: Criterion, found: int
) -> None:
    """R-IMAP-78: Exchange calls the key a wrong argument, and is asked once."""
    query = ListQuery(filter=Condition(criterion, "work"))
    async with at(lambda: Outlook(mail)) as (server, backend):
        for _ in range(2):
            assert (await backend.list_messages("inbox", query)).total == found
        assert sum("KEYWORD" in search for search in searches(server)) == 1


async def test_text_beyond_ascii_is_searched_here_after_one_refusal(at: At, mail: Mailbox) -> None:
    """R-IMAP-80: BADCHARSET; what is ASCII is still the server's."""
    async with at(lambda: Outlook(mail)) as (server, backend):
        for _ in range(2):
            page = await backend.list_messages("inbox", ListQuery(filter=parse_query("subject:übersicht is:unread")))
            assert (page.total, page.evaluated_by) == (1, EvaluatedBy.MIXED)
        assert sum("CHARSET" in search for search in searches(server)) == 1
        page = await backend.list_messages("inbox", ListQuery(filter=parse_query("subject:agenda")))
        assert (page.total, page.evaluated_by) == (2, EvaluatedBy.SERVER)
