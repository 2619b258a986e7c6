"""The cache of rows: what is counted is what is kept, whatever happens in between."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.ids import Ids
from service.adapters.imap.lists.page import Pages
from service.adapters.imap.messages.cache import PAGE_COST, PAGES, CachedMessage, FolderKey, MessageCache
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.messages.known_flags import COST
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import Selection, select
from service.mail.errors import UpstreamUnavailable
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.held import Held
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

BUDGET = 12_000
MESSAGES = 20
"""More than the budget holds."""
INBOX: FolderKey = ("account", b"INBOX", 1)


def cached(octets: int = 100) -> CachedMessage:
    return CachedMessage(b"x" * octets, b"{}")


def counted_again(rows: MessageCache) -> int:
    """What all that is kept takes, from its messages up."""
    return sum(
        folder.own_octets
        + PAGE_COST * len(folder.pages)
        + COST * sum(len(each.flags) for each in folder.flags.reads)
        + sum(one.cost for one in folder.messages.values())
        for folder in rows.folders
    )


def assert_true(rows: MessageCache, budget: int) -> None:
    assert rows.octets == rows.kept_octets == counted_again(rows) <= budget
    assert not any(folder.is_empty for folder in rows.folders)


class Churn(RuleBasedStateMachine):
    """Accounts that read, extend and forget in any order."""

    places = st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from([b"INBOX", b"Sent"]), st.integers(1, 2))
    uids = st.integers(1, 9)
    cached_messages = st.builds(cached, st.integers(0, 2 * BUDGET) | st.integers(0, 500))

    def __init__(self) -> None:
        super().__init__()
        self.rows = MessageCache(BUDGET)

    @rule(place=places, cached_messages=st.dictionaries(uids, cached_messages))
    def keep(self, place: FolderKey, cached_messages: dict[int, CachedMessage]) -> None:
        self.rows.keep(place, cached_messages)
        kept = self.rows.folder(place).messages
        for uid, one in cached_messages.items():
            assert kept.get(uid) in {one, None}

    @rule(place=places, text=st.text(max_size=256))
    def extend(self, place: FolderKey, text: str) -> None:
        kept = self.rows.folder(place).messages
        self.rows.keep(place, {uid: replace(one, preview=text) for uid, one in kept.items()})

    @rule(place=places, below=st.integers(1, 400))
    def see_pages(self, place: FolderKey, below: int) -> None:
        for at in range(below, below + 5):
            self.rows.keep_page(place, 50, at, at - 1)

    @rule(place=places)
    def look(self, place: FolderKey) -> None:
        folder = self.rows.folder(place)
        assert all(uid >= folder.lowest for uid in folder.messages)

    @invariant()
    def all_is_counted(self) -> None:
        assert_true(self.rows, BUDGET)


def test_what_is_counted_is_what_is_kept_after_any_step() -> None:
    """R-OPS-20"""
    run_state_machine_as_test(Churn, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


def test_an_entry_larger_than_the_budget_is_not_kept_and_pushes_nothing_out() -> None:
    """R-OPS-20"""
    rows = MessageCache(BUDGET)
    rows.keep(INBOX, {1: cached()})
    rows.keep(INBOX, {2: cached(BUDGET), 3: cached()})
    rows.keep(("other", b"INBOX", 1), {1: cached(BUDGET)})
    assert set(rows.folder(INBOX).messages) == {1, 3}
    rows.keep(INBOX, {1: cached(BUDGET)})
    assert set(rows.folder(INBOX).messages) == {3}
    assert_true(rows, BUDGET)


def test_without_a_budget_nothing_is_kept() -> None:
    """R-OPS-20"""
    rows = MessageCache(0)
    rows.keep(INBOX, {1: cached()})
    rows.keep_page(INBOX, 50, 100, 50)
    assert rows.folders == []
    assert_true(rows, 0)


def test_texts_added_later_are_counted() -> None:
    """R-OPS-20: previews and thread ids, as octets of memory."""
    rows = MessageCache(BUDGET)
    rows.keep(INBOX, {1: cached()})
    before = rows.octets
    rows.keep(INBOX, {1: replace(cached(), preview="\N{SNOWMAN}" * 256, thread_id="t_0")})
    assert rows.octets > before + 512
    assert_true(rows, BUDGET)


def test_ends_of_pages_are_counted_and_bounded() -> None:
    """R-OPS-20"""
    rows = MessageCache(1 << 20)
    for below in range(2, 2 * PAGES):
        rows.keep_page(INBOX, 50, below, below - 1)
    assert len(rows.folder(INBOX).pages) == PAGES
    assert_true(rows, 1 << 20)


def test_a_folder_larger_than_the_budget_keeps_what_was_read_last() -> None:
    """R-OPS-20"""
    rows = MessageCache(BUDGET)
    for uid in range(1, 200):
        rows.keep(INBOX, {uid: cached()})
    kept = rows.folder(INBOX).messages
    assert list(kept) == list(range(200 - len(kept), 200))
    assert len(kept) > 10
    assert_true(rows, BUDGET)


def test_the_folder_used_least_recently_goes_first_and_measuring_is_no_use() -> None:
    """R-OPS-20"""
    rows = MessageCache(3 * 4000)
    for account in ("first", "second", "third"):
        rows.keep((account, b"INBOX", 1), {1: cached(2000)})
    rows.folder(("first", b"INBOX", 1))
    assert rows.kept_octets == rows.octets
    rows.keep(("fourth", b"INBOX", 1), {1: cached(2000)})
    kept = [bool(rows.folder((account, b"INBOX", 1)).messages) for account in ("first", "second", "third", "fourth")]
    assert kept == [True, False, True, True]


@pytest.fixture
async def selection(dovecot: Dovecot) -> AsyncIterator[Selection]:
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: %d\r\n\r\nx\r\n" % number, (), None) for number in range(MESSAGES)])
    endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
    connection = await Connection.open(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
    yield await select(connection, b"INBOX")
    connection.fail(UpstreamUnavailable())


@pytest.mark.dovecot
async def test_rows_of_a_folder_that_others_pushed_out_meanwhile_are_not_counted_for_ever(
    selection: Selection,
) -> None:
    """R-OPS-20: two accounts that begin before either reads, on a cache that holds less than one of them, again and again; then
    a list. Such rows once used up the budget, until every list of every account failed."""
    rows = MessageCache(BUDGET)
    uids = range(1, MESSAGES + 1)
    for number in range(40):
        waiting = [FolderMessages(rows, Ids(f"{name}{number}"), selection) for name in ("first", "second", "third")]
        for one in reversed(waiting):  # who reads first pushes the others' folders out
            assert len(await one.get(uids)) == MESSAGES
            assert_true(rows, BUDGET)
        for one in waiting:
            cached_messages = await one.get(uids[:2])
            extended = one.extend(cached_messages, previews=dict.fromkeys(cached_messages, "p" * 200))
            assert {cached.preview for cached in extended.values()} == {"p" * 200}
            assert_true(rows, BUDGET)
    selection.is_fresh = False
    for account in ("first", "second", "third"):
        page = await Pages(Held(selection, Ids(account)), rows).read(b"INBOX", ListQuery())
        assert len(page.items) == MESSAGES
    assert rows.octets > 0
    assert_true(rows, BUDGET)


@pytest.mark.dovecot
async def test_texts_of_rows_that_were_pushed_out_meanwhile_are_shown_and_not_kept(selection: Selection) -> None:
    """R-OPS-20"""
    rows = MessageCache(BUDGET)
    folder = FolderMessages(rows, Ids("account"), selection)
    cached_messages = await folder.get([1, 2])
    rows.keep(("other", b"INBOX", 1), {1: cached(BUDGET - 2000)})
    assert folder.known(1) is None
    extended = folder.extend(cached_messages, threads={1: "t_1"})
    assert {uid: one.thread_id for uid, one in extended.items()} == {1: "t_1", 2: None}
    assert folder.known(1) is None
    assert_true(rows, BUDGET)
