"""Drafts that the mail server puts together itself: parts of other messages stay where they are."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.errors import MailError, NotSupported
from service.mail.exchange import PartRef
from service.mail.model import Address, Protocol
from service.mail.search.filter import ListQuery
from service.mail.submission.model import Attachment, NewDraft
from service.submission.drafts import Drafts
from tests.adapters.imap.conftest import Scripted, asked
from tests.adapters.imap.session.test_connection import FIRST
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

CONTENT = Random(7).randbytes(600_000)
ENCODED = b"\r\n".join(b64encode(CONTENT)[at : at + 76] for at in range(0, len(CONTENT) * 4 // 3 + 4, 76))
SOURCE = (
    b"From: ben@example.org\r\nSubject: plans\r\nMessage-ID: <plans@example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee file\r\n--b\r\n"
    b"Content-Type: application/octet-stream; name=plans.bin\r\nContent-Disposition: attachment; filename=plans.bin\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + ENCODED + b"\r\n--b--\r\n"
)
AUTHOR = Address(email="ann@example.org")


@asynccontextmanager
async def mailbox_of(
    dovecot: Dovecot, user: str, avoid: tuple[str, ...] = ()
) -> AsyncIterator[tuple[ImapBackend, list[int]]]:
    """A mailbox, the way to it, and the octets that passed."""
    passed = [0]

    async def count(octets: bytes) -> tuple[bytes, bool]:
        passed[0] += len(octets)
        return octets, True

    async with passing(dovecot.ports.imap, fate=count) as proxy:
        credentials = Credentials("dovecot", Protocol.IMAP, user, PASSWORD)
        mailbox = ImapBackend(Endpoint(HOST, proxy.port, Security.NONE, compress=False), credentials, avoid=avoid)
        try:
            yield mailbox, passed
        finally:
            await mailbox.aclose()


async def octets_of(mailbox: ImapBackend, message: str, part: str) -> bytes:
    return b"".join([chunk async for chunk in (await mailbox.open_part(message, part)).chunks])


@pytest.mark.dovecot
@pytest.mark.parametrize("folder", ["INBOX", "Über & mehr/50% +=;#?", "a b"])
async def test_a_part_by_reference_does_not_travel(dovecot: Dovecot, folder: str) -> None:
    """R-SEND-20: octet for octet, by Dovecot's own CATENATE, from folders of any name; not by a server without it."""
    user = dovecot.user()
    async with mailbox_of(dovecot, user) as (mailbox, passed):
        for step in range(1, len(folder.split("/")) if folder != "INBOX" else 0):
            await mailbox.create_folder("/".join(folder.split("/")[:step]))
        parts = folder.rpartition("/")
        above = [each.id for each in await mailbox.list_folders() if each.name == parts[0]] if parts[0] else []
        where = "inbox" if folder == "INBOX" else (await mailbox.create_folder(parts[2], *above)).id
        dovecot.append(user, SOURCE)
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        if where != "inbox":
            assert not [each for each in await mailbox.move_messages([row.id], where) if each.error]
            [row] = (await mailbox.list_messages(where, ListQuery())).items
        message = await mailbox.get_message(row.id)
        [attachment] = message.attachments
        draft = NewDraft(
            to=(Address(email="cleo@example.org"),), subject="Fwd: plans", text="see below",
            attachments=(Attachment(message_id=row.id, part_id=attachment.id),),
        )  # fmt: skip
        before = passed[0]
        reference = await Drafts(mailbox, AUTHOR).create(draft)
        assert passed[0] - before < 20_000
        written = await mailbox.get_message(reference.id)
        assert (written.message_id, set(written.flags)) == (reference.message_id, {"$draft", "$seen"})
        [copy] = written.attachments
        assert (copy.name, copy.size) == ("plans.bin", attachment.size)
        assert await octets_of(mailbox, reference.id, copy.id) == CONTENT
    async with mailbox_of(dovecot, user, avoid=("CATENATE",)) as (other, more):
        await other.get_message(row.id)
        streamed = await Drafts(other, AUTHOR).create(draft)
        assert more[0] > len(ENCODED)
        [copy] = (await other.get_message(streamed.id)).attachments
        assert await octets_of(other, streamed.id, copy.id) == CONTENT


STRUCTURE = b'("application" "pdf" NIL NIL NIL "base64" 4 NIL ("attachment" ("filename" "a.pdf")) NIL NIL)'
MESSAGE = (
    b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 99 ENVELOPE (NIL {1}\r\ns NIL NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE %b)\r\n"
    % (STRUCTURE)
)
DONE = b"{tag} OK done\r\n"
WITH = b"IMAP4rev1 UIDPLUS LITERAL+ CATENATE"


@pytest.mark.parametrize(
    ("status", "error", "again"),
    [
        (b"NO [BADURL \"/x\"] no such part", NotSupported, ["APPEND"]), (b"BAD what", NotSupported, []),
        (b"NO [OVERQUOTA] full", MailError, ["APPEND"]),
    ],
)  # fmt: skip
async def test_a_server_that_cannot_is_not_asked_twice(
    scripted: Scripted, status: bytes, error: type[MailError], again: list[str]
) -> None:
    """R-SEND-20: a refusal of a part is no refusal of the form, and what is refused for another reason is an error."""
    answers = {"UID FETCH": MESSAGE + DONE, "APPEND": b"{tag} " + status + b"\r\n"}
    async with scripted(answers, capabilities=WITH) as (server, mailbox):
        with pytest.raises(NotSupported):  # nothing is known of the message
            await mailbox.append_assembled("inbox", [b"A: b\r\n\r\n", PartRef(FIRST, "1", is_base64=False)])
        await mailbox.get_message(FIRST)
        server.commands.clear()
        with pytest.raises(error):
            await mailbox.append_assembled("inbox", [b"A: b\r\n\r\n", PartRef(FIRST, "1", is_base64=False)], ["$draft"])
        assert asked(server) == ["APPEND"]
        assert server.commands[0] == (
            b'APPEND "INBOX" (\\Draft) CATENATE (TEXT {8+}\r\nA: b\r\n\r\n URL "/INBOX;UIDVALIDITY=7/;UID=1/;SECTION=1")'
        )
        server.commands.clear()
        with pytest.raises(error):
            await mailbox.append_assembled("inbox", [b"A: b\r\n\r\n", PartRef(FIRST, "1", is_base64=False)])
        assert asked(server) == again
