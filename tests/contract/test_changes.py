"""What came and went since a mark, on every kind of mailbox that can tell."""

import pytest

from service.mail.errors import StaleToken
from service.mail.model import Capability
from tests.contract.conftest import OpenMailbox
from tests.contract.letters import plain, plains
from tests.contract.others import OTHERS

KINDS = (
    "memory", "imap-dovecot", "imap-dovecot-tls", "imap-plain", "imap-pymap", "pop3-dovecot", "pop3-dovecot-tls",
    "maildir", *OTHERS,
)  # fmt: skip


async def test_new_messages_are_reported_once(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(3))
    assert await mailbox.can(Capability.CHANGES)
    before = set((await mailbox.ids()).values())
    mark, whole = await mailbox.backend.get_sync_token("inbox"), await mailbox.backend.get_sync_token(None)
    assert not (await mailbox.backend.list_changes("inbox", mark)).changes
    assert not await mailbox.backend.list_all_changes(whole)
    await mailbox.deliver(plain("new"))
    await mailbox.shows(4)
    [new] = set((await mailbox.ids()).values()) - before
    found = await mailbox.backend.list_changes("inbox", mark)
    assert (found.changes.created, found.changes.updated, found.changes.destroyed) == ((new,), (), ())
    [told] = (await mailbox.backend.list_all_changes(whole)).folders
    assert told == found.changes
    assert not (await mailbox.backend.list_changes("inbox", found.token)).changes


async def test_deleted_messages_are_reported(open_mailbox: OpenMailbox) -> None:
    mailbox = await open_mailbox(*plains(4))
    ids = await mailbox.ids()
    mark = await mailbox.backend.get_sync_token("inbox")
    if mailbox.name == "imap-plain":
        return  # a server of plain IMAP4rev1 cannot remove single messages
    [outcome] = await mailbox.backend.delete_messages([ids["1"]])
    assert outcome.error is None
    found = await mailbox.backend.list_changes("inbox", mark)
    assert (found.changes.created, found.changes.destroyed) == ((), (ids["1"],))


@pytest.mark.parametrize("mark", [b"", b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
async def test_a_mark_of_nothing_is_stale(open_mailbox: OpenMailbox, mark: bytes) -> None:
    mailbox = await open_mailbox(*plains(1))
    if mailbox.name == "memory" or (mark.startswith(b"x") and mailbox.name.startswith("pop3")):
        return  # no token holds what it did not write; an empty one is right for an empty maildrop
    with pytest.raises(StaleToken):
        await mailbox.backend.list_changes("inbox", mark)
