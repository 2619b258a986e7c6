"""Servers that send another window than they were asked for, or nothing."""

import pytest

from service.adapters.imap.messages.envelope import addresses
from service.mail.errors import NotFound, UpstreamProtocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted

DONE = b"{tag} OK done\r\n"
BODY = b"x" * 600_000
SOURCE = b"Subject: s\r\n\r\n" + BODY
SUMMARY = (
    b'RFC822.SIZE %d ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL)'
    b' BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" %d 1)'
) % (len(SOURCE), len(BODY))


def answer(command: bytes, *, is_nil: bool) -> bytes:
    items = b"UID 1 FLAGS ()"
    if b"ENVELOPE" in command or b"RFC822.SIZE" in command or b"BODYSTRUCTURE" in command:
        items += b" " + SUMMARY
    for name, octets in ((b"1", BODY), (b"", SOURCE), (b"HEADER", SOURCE[:14])):
        if b"BODY.PEEK[%b]" % name in command:
            items += b" BODY[%b] " % name + (b"NIL" if is_nil else b"{%d}\r\n%b" % (len(octets), octets))
    return b"* 1 FETCH (" + items + b")\r\n" + DONE


async def test_a_server_that_ignores_windows_costs_no_octet(scripted: Scripted) -> None:
    """R-IMAP-55: what is sent is all of it."""
    answers = {verb: lambda command: answer(command, is_nil=False) for verb in ("FETCH", "UID FETCH")}
    async with scripted(answers) as (_, mailbox):
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        for download in (await mailbox.open_source(row.id), await mailbox.open_part(row.id, "1")):
            octets = b"".join([piece async for piece in download.chunks])
            assert octets == (SOURCE if download.type == "message/rfc822" else BODY)


async def test_octets_that_are_nil_are_an_error(scripted: Scripted) -> None:
    """R-IMAP-55: never an empty success."""
    answers = {verb: lambda command: answer(command, is_nil=True) for verb in ("FETCH", "UID FETCH")}
    async with scripted(answers) as (_, mailbox):
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        with pytest.raises(UpstreamProtocol):
            await mailbox.open_source(row.id)
        with pytest.raises(UpstreamProtocol):
            await mailbox.open_part(row.id, "1")
        with pytest.raises(UpstreamProtocol):
            await mailbox.get_message(row.id)
        with pytest.raises(UpstreamProtocol):
            await mailbox.list_headers(row.id)


@pytest.mark.parametrize("part", ["9" * 400, "1." * 199 + "1", "0.1", "01", "-1", "\N{ARABIC-INDIC DIGIT ONE}"])
async def test_a_part_that_no_message_has_is_not_found(scripted: Scripted, part: str) -> None:
    """R-IMAP-56."""
    answers = {verb: lambda command: answer(command, is_nil=False) for verb in ("FETCH", "UID FETCH")}
    async with scripted(answers) as (_, mailbox):
        [row] = (await mailbox.list_messages("inbox", ListQuery())).items
        with pytest.raises(NotFound):
            await mailbox.open_part(row.id, part)


def test_placeholders_of_a_server_are_no_addresses() -> None:
    """R-IMAP-57: Dovecot's MISSING_MAILBOX and MISSING_DOMAIN."""
    found = addresses([[None, None, b"ben", b"MISSING_DOMAIN"], [b"Foo", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]])
    assert [(each.name, each.email) for each in found] == [(None, "ben"), ("Foo", "")]
