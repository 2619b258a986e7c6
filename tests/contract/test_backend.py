"""The port's promises, kept by every backend: what it is, what it lists, what it deletes."""

from datetime import UTC, datetime, timedelta

import pytest

from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound, NotSupported
from service.mail.model import Address, Capability
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.contract.conftest import Mailbox, OpenMailbox
from tests.contract.letters import (
    RICH,
    Letter,
    plain,
    plains,
)

METHODS = {
    Capability.FLAGS: ("get_flags", "set_flags", "change_flags"),
    Capability.SETTINGS: ("get_settings", "set_settings"),
}
"""The capabilities that have methods of their own."""
MANY = 23


async def test_a_claimed_capability_has_its_methods_and_no_other_has(mailbox: Mailbox) -> None:
    await mailbox.backend.check()
    for capability, methods in METHODS.items():
        for method in methods:
            is_overridden = getattr(type(mailbox.backend), method) is not getattr(Backend, method)
            assert is_overridden == (capability in mailbox.backend.capabilities), method


async def test_a_mailbox_has_an_inbox_known_by_id_and_role(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    folders = await mailbox.backend.list_folders()
    inbox = folders[0]
    assert inbox.role == "inbox"
    assert inbox.path == (inbox.name,)
    assert inbox.is_selectable
    assert inbox.total_messages == 3
    assert [folder.role for folder in folders].count("inbox") == 1
    assert len({folder.id for folder in folders}) == len(folders)
    assert (await mailbox.backend.get_folder("inbox")).id == inbox.id
    assert (await mailbox.backend.get_folder(inbox.id)).id == inbox.id
    by_id, by_role = [await mailbox.backend.list_messages(name, ListQuery()) for name in (inbox.id, "inbox")]
    assert by_id.items == by_role.items
    assert {row.folder_id for row in by_id.items} == {inbox.id}


async def test_what_a_mailbox_lacks_is_refused_with_its_name(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain("one")))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    if Capability.FLAGS not in backend.capabilities:
        for call in (
            backend.get_flags(message),
            backend.set_flags(message, ["$seen"]),
            backend.change_flags(message, ["$seen"], []),
        ):
            with pytest.raises(NotSupported) as refused:
                await call
            assert refused.value.capability == "flags"
    if Capability.SETTINGS not in backend.capabilities:
        for settings_call in (backend.get_settings(), backend.set_settings(b"{}")):
            with pytest.raises(NotSupported) as refused:
                await settings_call
            assert refused.value.capability == "settings"
    if Capability.SEARCH not in backend.capabilities:
        query = ListQuery(filter=Condition(Criterion.SUBJECT, "one"))
        with pytest.raises(NotSupported) as refused:
            await backend.list_messages("inbox", query)
        assert refused.value.capability == "search"


async def test_an_empty_mailbox_has_an_empty_page(mailbox: Mailbox) -> None:
    page = await mailbox.backend.list_messages("inbox", ListQuery())
    assert page.items == ()
    assert page.next_cursor is None
    assert page.total == 0
    assert (await mailbox.backend.get_folder("inbox")).total_messages == 0


async def test_the_newest_arrival_comes_first(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(5))
    page = await mailbox.backend.list_messages("inbox", ListQuery())
    assert [row.subject for row in page.items] == ["4", "3", "2", "1", "0"]
    assert page.next_cursor is None
    assert page.total == 5


@pytest.mark.parametrize("limit", [1, 2, 7, MANY - 1, MANY, MANY + 1, 200])
async def test_pages_have_every_message_once(open_mailbox: OpenMailbox, limit: int) -> None:
    mailbox = await open_mailbox(*plains(MANY))
    cursor, sizes, found = None, [], []
    while True:
        page = await mailbox.backend.list_messages("inbox", ListQuery(limit, cursor))
        assert page.total == MANY
        sizes.append(len(page.items))
        found += [row.subject for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert found == [str(number) for number in reversed(range(MANY))]
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit


async def test_mail_that_goes_between_pages_leaves_no_gap(open_mailbox: OpenMailbox) -> None:
    """One goes that was shown, one that is to come, and the one that the cursor stands on."""
    mailbox = await open_mailbox(*plains(12))
    ids = await mailbox.ids()
    first = await mailbox.backend.list_messages("inbox", ListQuery(4))
    await mailbox.backend.delete_messages([ids["11"], ids["8"], ids["6"]])
    second = await mailbox.backend.list_messages("inbox", ListQuery(4, first.next_cursor))
    await mailbox.backend.delete_messages([ids["3"], ids["2"]])
    third = await mailbox.backend.list_messages("inbox", ListQuery(4, second.next_cursor))
    assert [row.subject for row in second.items] == ["7", "5", "4", "3"]
    assert [row.subject for row in third.items] == ["1", "0"]
    assert third.next_cursor is None
    assert third.total == 7


async def test_a_row_says_what_the_header_and_the_mailbox_know(open_mailbox: OpenMailbox) -> None:
    received = datetime(2024, 3, 1, 9, 0, 2, tzinfo=UTC)
    mailbox = await open_mailbox(Letter(plain("one")), Letter(RICH, ["$seen"], received))
    row, other = await mailbox.all()
    assert row.subject == "Grüße aus Köln"
    assert row.from_ == (Address(name="Zoë Müller", email="zoe@example.org"),)
    assert row.to == (Address(name="Ben, the second", email="ben@example.org"), Address(email="cat@example.org"))
    assert row.sent_at == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert row.sent_at.utcoffset() == timedelta(hours=1)
    assert row.received_at == received
    assert row.size == len(RICH)
    assert row.message_id == "rich@example.org"
    assert row.in_reply_to == ("before@example.org",)
    assert row.has_attachment is not False
    assert not other.has_attachment
    if Capability.FLAGS in mailbox.backend.capabilities:
        assert (row.flags, other.flags) == (("$seen",), ())


async def test_an_invalid_cursor_is_an_invalid_request(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    for cursor in ("", "nonsense", "ö", "p_", "AAAA", "!" * 5000):
        with pytest.raises(InvalidRequest):
            await mailbox.backend.list_messages("inbox", ListQuery(1, cursor))


async def test_exactly_the_asked_messages_are_deleted(open_mailbox: OpenMailbox) -> None:
    """A neighbour that another client marked for deletion stays."""
    letters = [Letter(plain(number), ["$deleted"] if number == 5 else []) for number in range(10)]
    mailbox = await open_mailbox(*letters)
    ids = await mailbox.ids()
    asked = [ids["7"], ids["0"], ids["3"]]
    outcomes = await mailbox.backend.delete_messages(asked)
    assert [outcome.id for outcome in outcomes] == asked
    assert [outcome.error for outcome in outcomes] == [None] * 3
    left = await mailbox.all()
    assert [row.subject for row in left] == ["9", "8", "6", "5", "4", "2", "1"]
    assert {row.subject: row.id for row in left} == {name: ids[name] for name in ids if name not in {"7", "0", "3"}}


async def test_a_message_is_deleted_once(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    ids = await mailbox.ids()
    await mailbox.backend.delete_messages([ids["1"]])
    outcomes = await mailbox.backend.delete_messages([ids["2"], ids["1"], "m_nope", ids["0"]])
    assert [outcome.id for outcome in outcomes] == [ids["2"], ids["1"], "m_nope", ids["0"]]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), NotFound, NotFound, type(None)]
    assert await mailbox.all() == []


async def test_an_id_given_twice_is_answered_twice(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    message = (await mailbox.newest()).id
    outcomes = await mailbox.backend.delete_messages([message, message])
    assert [outcome.id for outcome in outcomes] == [message, message]
    assert outcomes[0].error is None
    assert [row.subject for row in await mailbox.all()] == ["0"]


async def test_deleting_nothing_is_done_at_once(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(2))
    assert await mailbox.backend.delete_messages([]) == ()
    assert len(await mailbox.all()) == 2


async def test_a_mailbox_that_was_closed_is_as_it_was(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    before = await mailbox.all()
    await mailbox.backend.aclose()
    assert await mailbox.all() == before
