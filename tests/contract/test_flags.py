"""Flags, on mailboxes that have them."""

import pytest

from service.mail.errors import InvalidRequest
from tests.contract.conftest import WITH_FLAGS, OpenMailbox, read
from tests.contract.letters import (
    RICH,
    Letter,
    plain,
)

KINDS = WITH_FLAGS


async def test_flags_are_read_as_they_are(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0)), Letter(plain(1), ["$seen", "$flagged", "work"]))
    backend, ids = mailbox.backend, await mailbox.ids()
    assert (await backend.get_flags(ids["0"])).flags == ()
    assert set((await backend.get_flags(ids["1"])).flags) == {"$seen", "$flagged", "work"}
    assert {row.subject: set(row.flags) for row in await mailbox.all()}["1"] == {"$seen", "$flagged", "work"}


async def test_flags_are_replaced_on_one_message_only(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*(Letter(plain(number), ["$seen"]) for number in range(3)))
    backend, ids = mailbox.backend, await mailbox.ids()
    assert set((await backend.set_flags(ids["1"], ["$flagged", "Work"])).flags) == {"$flagged", "work"}
    assert set((await backend.get_flags(ids["1"])).flags) == {"$flagged", "work"}
    assert (await backend.get_flags(ids["0"])).flags == (await backend.get_flags(ids["2"])).flags == ("$seen",)
    assert (await backend.set_flags(ids["1"], [])).flags == ()
    assert (await backend.get_flags(ids["1"])).flags == ()


async def test_a_change_of_flags_touches_no_other_flag(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0), ["$seen", "work"]))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    assert set((await backend.change_flags(message, ["$answered"], ["$seen"])).flags) == {"$answered", "work"}
    assert set((await backend.change_flags(message, ["$answered"], [])).flags) == {"$answered", "work"}
    assert set((await backend.change_flags(message, [], ["$draft"])).flags) == {"$answered", "work"}
    assert set((await backend.change_flags(message, [], [])).flags) == {"$answered", "work"}
    assert set((await backend.get_flags(message)).flags) == {"$answered", "work"}


async def test_an_invalid_flag_is_an_invalid_request(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(plain(0)))
    backend, message = mailbox.backend, (await mailbox.newest()).id
    for flag in ("", "two words", "a\r\nb", "(", "ö", '"', "{5}", "*"):
        with pytest.raises(InvalidRequest):
            await backend.set_flags(message, [flag])
    assert (await backend.get_flags(message)).flags == ()


async def test_reading_a_message_does_not_mark_it_as_seen(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(Letter(RICH))
    message = (await mailbox.newest()).id
    await mailbox.backend.get_message(message)
    await mailbox.backend.list_headers(message)
    await read(await mailbox.backend.open_part(message, "2"))
    await read(await mailbox.backend.open_source(message))
    assert (await mailbox.backend.get_flags(message)).flags == ()
