"""What tells messages apart in any mailbox, and how many are read and written at once."""

from contextlib import closing

import pytest

from service.mail.inventory import NewMessage, id_name, name_of
from service.mail.model import Capability
from service.spooled import Spooled
from tests.contract.conftest import OpenMailbox
from tests.contract.letters import Letter, plain, plains

UNCHANGED = 1
"""Octets by which a server may change a message that does not end its last line."""


async def test_all_messages_are_listed_oldest_first_with_what_names_them(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(7))
    ids = await mailbox.backend.list_ids("inbox")
    items = await mailbox.backend.get_items(ids)
    rows = {row.id: row for row in await mailbox.all()}
    assert list(reversed(ids)) == [row.id for row in await mailbox.all()]
    assert [item.id for item in items] == list(ids)
    for item in items:
        assert item.size == rows[item.id].size or mailbox.name == "maildir"
        assert item.name
        assert set(item.flags) == set(rows[item.id].flags)
    assert len({item.name for item in items}) == 7


async def test_a_name_is_that_of_the_octets(open_mailbox: OpenMailbox) -> None:
    """So the same message has the same name on each server."""
    without = plain("two").replace(b"Message-ID", b"X-Id")
    mailbox = await open_mailbox(Letter(plain("one")), Letter(without))
    ids = await mailbox.backend.list_ids("inbox")
    sources = await mailbox.backend.read_sources(ids)
    one, two = await mailbox.backend.get_items(ids)
    assert one.name == id_name(b"Message-ID: <one@example.org>\r\n\r\n")
    assert two.name == name_of(sources[two.id])


async def test_several_sources_are_read_at_once_and_unknown_ones_left_out(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(5))
    ids = list(await mailbox.backend.list_ids("inbox"))
    unknown = ids[0][:-3] + "AAA"
    read = await mailbox.backend.read_sources([*ids, unknown])
    assert set(read) == set(ids)
    for message in ids:
        download = await mailbox.backend.open_source(message)
        assert read[message] == b"".join([chunk async for chunk in download.chunks])
    assert [item.id for item in await mailbox.backend.get_items([unknown, *ids])] == ids


async def test_several_messages_are_appended_in_order(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox()
    if not await mailbox.can(Capability.IMPORT):
        pytest.skip("it takes no mail")
    backend = mailbox.backend
    messages = []
    for number in range(4):
        source = Spooled()
        await source.write(plain(f"number {number}"))
        messages.append(NewMessage(source, ("$seen",) if number % 2 else ()))
    outcomes = await backend.append_many("inbox", messages)
    for message in messages:
        with closing(message.source):  # type: ignore[type-var]
            pass
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert [row.subject for row in reversed(await mailbox.all())] == [f"number {number}" for number in range(4)]
    ids = [outcome.id for outcome in outcomes]
    assert ids == list(await backend.list_ids("inbox")) or set(ids) == {None}  # not all servers report them


async def test_flags_that_are_kept_are_named(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox()
    if not await mailbox.can(Capability.IMPORT):
        pytest.skip("it takes no mail")
    assert await mailbox.backend.kept_flags("inbox", ["$seen", "$flagged"]) == {"$seen", "$flagged"}
