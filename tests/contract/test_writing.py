"""Messages put in, copied, moved, changed and removed, one and many."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from service.mail.errors import NotFound, NotSupported
from service.mail.exchange import Outcome
from service.mail.model import Capability
from service.mail.search.filter import ListQuery
from tests.contract.conftest import WITH_FLAGS, Mailbox, OpenMailbox, read
from tests.contract.letters import RICH, Letter, large, plain, plains
from tests.memory import digest_of

KINDS = WITH_FLAGS
OTHER = "trash"


@dataclass
class Octets:
    """A message to append."""

    octets: bytes
    message_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.octets)

    @property
    def digest(self) -> bytes:
        return digest_of(self.octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.octets), 1000):
            await asyncio.sleep(0)
            yield self.octets[at : at + 1000]


@pytest.fixture
async def other(mailbox: Mailbox) -> Mailbox:
    """A mailbox with a second folder that has a role."""
    if not any(folder.role == OTHER for folder in await mailbox.backend.list_folders()):
        await mailbox.backend.create_folder("Trash")
    return mailbox


async def subjects(mailbox: Mailbox, folder: str) -> list[str | None]:
    page = await mailbox.backend.list_messages(folder, ListQuery(limit=200))
    return [row.subject for row in page.items]


async def source_of(mailbox: Mailbox, message: str) -> bytes:
    return await read(await mailbox.backend.open_source(message))


@pytest.mark.parametrize("octets", [plain("x"), RICH, large(2_500_000)], ids=["plain", "rich", "large"])
async def test_an_appended_message_is_there_octet_for_octet(mailbox: Mailbox, octets: bytes) -> None:
    moment = datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)
    new = await mailbox.backend.append_message("inbox", Octets(octets, "x@example.org"), ["$seen", "$flagged"], moment)
    row = await mailbox.newest()
    assert row.id == new
    assert set(row.flags) == {"$seen", "$flagged"}
    assert row.received_at == moment
    assert await source_of(mailbox, row.id) == octets


async def test_a_message_appended_to_no_folder_is_not_found(mailbox: Mailbox) -> None:
    gone = (await mailbox.backend.create_folder("Gone")).id
    await mailbox.backend.delete_folder(gone)
    with pytest.raises(NotFound):
        await mailbox.backend.append_message(gone, Octets(plain("x")))


async def test_the_same_message_is_appended_once(mailbox: Mailbox) -> None:
    """R-CONC-05: another attempt, from any process, finds the stored message."""
    backend, same = mailbox.backend, Octets(plain("same"), "same@example.org")
    first = await backend.append_once("inbox", same)
    assert await backend.append_once("inbox", same) == first
    assert await backend.append_once("inbox", Octets(plain("same", body="otherwise"), "same@example.org")) != first
    nameless = Octets(plain("nameless").replace(b"Message-ID: <nameless@example.org>\r\n", b""))
    once = await backend.append_once("inbox", nameless)
    assert await backend.append_once("inbox", nameless) == once
    assert len(await mailbox.all()) == 3


async def test_copies_are_in_both_folders(other: Mailbox, open_mailbox: OpenMailbox) -> None:
    for letter in plains(3):
        await other.deliver(letter.source, ["$seen", "work"])
    await other.shows(3)
    ids = await other.ids()
    outcomes = await other.backend.copy_messages([ids["0"], ids["2"]], OTHER)
    assert [(outcome.id, outcome.error) for outcome in outcomes] == [(ids["0"], None), (ids["2"], None)]
    assert sorted(await subjects(other, OTHER), key=str) == ["0", "2"]
    assert await subjects(other, "inbox") == ["2", "1", "0"]
    for outcome, name in zip(outcomes, "02", strict=True):
        if outcome.new_id is not None:
            assert await source_of(other, outcome.new_id) == plain(name)
            assert set((await other.backend.get_flags(outcome.new_id)).flags) == {"$seen", "work"}


async def test_moved_messages_are_in_the_other_folder_alone(other: Mailbox) -> None:
    for letter in plains(4):
        await other.deliver(letter.source)
    await other.shows(4)
    ids = await other.ids()
    await other.backend.delete_messages([ids["3"]])
    asked = [ids["2"], ids["3"], ids["0"]]
    if not await other.can(Capability.MOVE):
        outcomes = await other.backend.move_messages(asked, OTHER)
        assert all(isinstance(outcome.error, NotSupported) for outcome in outcomes)
        return
    outcomes = await other.backend.move_messages(asked, OTHER)
    assert [outcome.id for outcome in outcomes] == asked
    assert [type(outcome.error) for outcome in outcomes] == [type(None), NotFound, type(None)]
    assert await subjects(other, "inbox") == ["1"]
    assert sorted(await subjects(other, OTHER), key=str) == ["0", "2"]
    for outcome, name in zip(outcomes, ("2", None, "0"), strict=True):
        if outcome.new_id is not None:
            assert await source_of(other, outcome.new_id) == plain(name)


async def test_messages_that_are_moved_once_are_as_others(other: Mailbox) -> None:
    """R-SEND-13: whatever makes that sure is not seen afterwards, and a second request finds nothing to do."""
    if not await other.can(Capability.MOVE):
        return
    for letter in plains(3):
        await other.deliver(letter.source)
    await other.shows(3)
    ids = await other.ids()
    await other.backend.change_flags(ids["2"], ["$flagged"], [])
    before = {name: (await other.backend.get_flags(ids[name])).flags for name in "20"}
    asked = [ids["2"], ids["0"]]
    outcomes = await other.backend.move_messages(asked, OTHER, once=True)
    assert [(outcome.id, outcome.error) for outcome in outcomes] == [(id_, None) for id_ in asked]
    assert await subjects(other, "inbox") == ["1"]
    assert sorted(await subjects(other, OTHER), key=str) == ["0", "2"]
    for outcome, name in zip(outcomes, "20", strict=True):
        if outcome.new_id is not None:
            assert await source_of(other, outcome.new_id) == plain(name)
            assert set((await other.backend.get_flags(outcome.new_id)).flags) == set(before[name])
    again = await other.backend.move_messages(asked, OTHER, once=True)
    assert [type(outcome.error) for outcome in again] == [NotFound, NotFound]
    assert sorted(await subjects(other, OTHER), key=str) == ["0", "2"]


async def refused(act: Callable[..., Awaitable[Sequence[Outcome]]], message: str, folder: str) -> str:
    """What was not found, said of the one message or of the whole call."""
    try:
        [outcome] = await act([message], folder)
    except NotFound as error:
        return error.what
    return outcome.error.what if isinstance(outcome.error, NotFound) else str(outcome)


async def test_nothing_is_copied_to_a_folder_that_is_not_there(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(1))
    gone = (await mailbox.backend.create_folder("Gone")).id
    await mailbox.backend.delete_folder(gone)
    message = (await mailbox.newest()).id
    moved_once = partial(mailbox.backend.move_messages, once=True)
    for act in (mailbox.backend.copy_messages, mailbox.backend.move_messages, moved_once):
        if act != mailbox.backend.copy_messages and not await mailbox.can(Capability.MOVE):
            continue
        assert await refused(act, message, gone) == "folder"
    assert await subjects(mailbox, "inbox") == ["0"]
    assert not [flag for flag in (await mailbox.backend.get_flags(message)).flags if flag.startswith("casella")]


async def test_flags_of_many_are_changed_in_the_order_asked(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(number), ["$seen"]) for number in range(5)))
    ids = await mailbox.ids()
    stranger = ids["0"][:-4] + "AAAA"
    asked = [ids["3"], stranger, ids["1"], ids["3"]]
    outcomes = await mailbox.backend.change_many(asked, ["$flagged", "work"], ["$seen"])
    assert [outcome.id for outcome in outcomes] == asked
    assert [outcome.error is None for outcome in outcomes] == [True, False, True, True]
    assert {row.subject: set(row.flags) for row in await mailbox.all()} == {
        "0": {"$seen"}, "1": {"$flagged", "work"}, "2": {"$seen"}, "3": {"$flagged", "work"}, "4": {"$seen"},
    }  # fmt: skip


async def test_an_emptied_folder_has_no_messages(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(7))
    if not await mailbox.can(Capability.MOVE):
        with pytest.raises(NotSupported):
            await mailbox.backend.empty_folder("inbox")
        return
    assert await mailbox.backend.empty_folder("inbox") == 7
    assert await mailbox.all() == []
    assert await mailbox.backend.empty_folder("inbox") == 0
