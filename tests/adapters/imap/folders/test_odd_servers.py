"""Folders of servers that spell, nest and refuse in their own way."""

import pytest

from service.adapters.imap.folders.namespace import read_namespaces
from service.mail.errors import InvalidRequest, NotPermitted
from service.mail.model import Namespace
from tests.adapters.imap.conftest import CAPABILITIES, Scripted
from tests.contract.test_writing import Octets

OK = b"{tag} OK done\r\n"
ROWS = b'* LIST () "/" "Inbox"\r\n* LIST () "/" "Inbox/Sub"\r\n* LIST () "/" Sent\r\n'


async def test_inbox_is_one_folder_in_any_letters(scripted: Scripted) -> None:
    """R-IMAP-58: its counts, its subscription, and the parent of what is in it."""
    answers = {
        "LIST": ROWS + OK,
        "LSUB": b'* LSUB () "/" INBOX\r\n' + OK,
        "STATUS": b"* STATUS inbox (MESSAGES 4 UNSEEN 2)\r\n" + OK,
    }
    async with scripted(answers) as (_, mailbox):
        inbox, below, _ = await mailbox.list_folders()
        assert (inbox.name, inbox.role, inbox.total_messages, inbox.is_subscribed) == ("INBOX", "inbox", 4, True)
        assert below.parent_id == inbox.id


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"INBOX", Namespace.PERSONAL),
        (b"Inbox.Sent", Namespace.PERSONAL),
        (b"user.ann", Namespace.OTHER),
        (b"user", Namespace.OTHER),
        (b"Sent", Namespace.SHARED),
    ],
)
def test_the_longest_prefix_says_whose_folder_it_is(name: bytes, kind: Namespace) -> None:
    """R-IMAP-59: the empty prefix of Cyrus's shared folders too."""
    namespaces = read_namespaces([b'NAMESPACE (("INBOX." ".")) (("user." ".")) (("" "."))'])
    assert namespaces.of(name) is kind


async def test_a_shared_folder_at_the_root_has_no_role(scripted: Scripted) -> None:
    """R-IMAP-59."""
    answers = {
        "LIST": b'* LIST () "." INBOX\r\n* LIST () "." INBOX.Sent\r\n* LIST () "." Sent\r\n' + OK,
        "NAMESPACE": b'* NAMESPACE (("INBOX." ".")) NIL (("" "."))\r\n' + OK,
    }
    async with scripted(answers, capabilities=CAPABILITIES + b" NAMESPACE") as (_, mailbox):
        roles = {(folder.name, folder.namespace): folder.role for folder in await mailbox.list_folders()}
        assert roles == {("INBOX", None): "inbox", ("Sent", None): "sent", ("Sent", Namespace.SHARED): None}


async def test_a_name_that_the_server_refuses_is_invalid(scripted: Scripted) -> None:
    """R-IMAP-60: by its words, where it has no response code."""
    async with scripted({"CREATE": b"{tag} NO Invalid mailbox name\r\n"}) as (_, mailbox):
        with pytest.raises(InvalidRequest):
            await mailbox.create_folder("a*b")


async def test_an_append_without_rights_is_not_permitted(scripted: Scripted) -> None:
    """R-IMAP-60."""
    async with scripted({"APPEND": b"{tag} NO Permission denied\r\n"}) as (_, mailbox):
        with pytest.raises(NotPermitted):
            await mailbox.append_message("inbox", Octets(b"Subject: x\r\n\r\n"))


async def test_a_quota_that_is_refused_is_left_out(scripted: Scripted) -> None:
    """R-IMAP-61."""
    answers = {"GETQUOTAROOT": b"{tag} NO not now\r\n"}
    async with scripted(answers, capabilities=CAPABILITIES + b" QUOTA") as (_, mailbox):
        assert await mailbox.list_quotas() == ()
