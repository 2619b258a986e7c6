"""Rows, headers and structures of strangers' mail never hold up the event loop."""

from collections.abc import Awaitable, Callable

import pytest

from service.adapters.imap.backend import ImapBackend
from service.mail.exchange import Download
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted
from tests.unheld import HELD, watched

ROWS = 50
DONE = b"{tag} OK done\r\n"
LEAF = b'("text" "plain" NIL NIL NIL "7bit" 9 1)'
FLOODS = [b"=?a?b? ", b"=?a?b?", b"=?utf-8?b?YQ?= ", b"=?a?b?YQ?= =?b?q?x?= ", b"=?", b"<p>", b"\xc3\xa9"]


def literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


def row(uid: int, value: bytes, structure: bytes = LEAF, more: bytes = b"") -> bytes:
    person = b"((%b NIL %b %b))" % (literal(value), literal(value), literal(b"example.org"))
    return (
        b'* %d FETCH (UID %d FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 9 ENVELOPE '
        b"(NIL %b %b NIL NIL %b NIL NIL NIL NIL) BODYSTRUCTURE %b BODY[1]<0> {5}\r\nwords%b)\r\n"
    ) % (uid, uid, literal(value), person, person, structure, more)


def page(value: bytes) -> bytes:
    return b"".join(row(uid, value) for uid in (1, 2, 3) * 1)


@pytest.mark.parametrize("flood", FLOODS, ids=repr)
async def test_a_page_of_values_without_end_is_read_while_others_go_on(scripted: Scripted, flood: bytes) -> None:
    """R-MIME-26: 64 KiB in subject, sender and recipient of each of fifty messages."""
    value = (flood * (1 << 16))[: 1 << 16]
    rows = b"".join(row(uid, value) for uid in range(1, ROWS + 1)) + DONE
    selected = {"SELECT": b"* FLAGS ()\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 99] n\r\n{tag} OK done\r\n" % ROWS}  # fmt: skip
    async with scripted({"FETCH": rows, "UID FETCH": rows, **selected}) as (_, mailbox), watched() as watch:
        found = await mailbox.list_messages("inbox", ListQuery(ROWS))
        assert len(found.items) == ROWS
        sorted_ = await mailbox.list_messages("inbox", ListQuery(3))
        assert len(sorted_.items) == 3
    assert watch.longest < HELD


async def opened(mailbox: ImapBackend, message: str) -> object:
    return await mailbox.get_message(message)


async def headers(mailbox: ImapBackend, message: str) -> object:
    return await mailbox.list_headers(message)


async def part(mailbox: ImapBackend, message: str) -> Download:
    return await mailbox.open_part(message, "999")


@pytest.mark.parametrize("read", [opened, headers, part])
@pytest.mark.parametrize("flood", [*FLOODS, b",", b"(", b"<", b'"', b"a@b,", b":;"], ids=repr)
async def test_one_message_of_values_without_end_is_read_while_others_go_on(
    scripted: Scripted, flood: bytes, read: Callable[[ImapBackend, str], Awaitable[object]]
) -> None:
    """R-MIME-28: its header, its fields, its text, and a structure of a thousand parts."""
    value = (flood * (1 << 18))[: 1 << 18]
    block = literal(b"From: " + value + b"\r\nReferences: " + value + b"\r\n\r\n")
    structure = b"(" + LEAF * 999 + b' "mixed")'
    more = b" BODY[HEADER.FIELDS (FROM REFERENCES)] %b BODY[HEADER]<0> %b BODY[1]<0> %b BODY[999]<0> %b" % (block, block, literal(value), literal(b"x"))  # fmt: skip
    more += b"".join(b" BODY[%d]<0> {1}\r\nx" % number for number in range(2, 21))
    rows = row(1, value[: 1 << 16], structure, more) + DONE
    async with scripted({"FETCH": rows, "UID FETCH": rows}) as (_, mailbox), watched() as watch:
        listed = await mailbox.list_messages("inbox", ListQuery(1))
        await read(mailbox, listed.items[0].id)
    assert watch.longest < HELD
