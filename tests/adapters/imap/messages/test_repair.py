"""What a server cannot say of one message never costs the others, nor the message itself."""

import re

import pytest

from service.mail.errors import NotPermitted, UpstreamProtocol, UpstreamUnavailable
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted, inbox_of

DONE = b"{tag} OK done\r\n"
ENVELOPE = b'(NIL "row %d" NIL NIL NIL NIL NIL NIL NIL NIL)'
TEXT = b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1)'
SOURCE = (
    b"Subject: source\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
)


def uids_of(command: bytes) -> list[int]:
    found = re.search(rb"FETCH ([\d:,*]+)", command)
    assert found is not None
    uids: list[int] = []
    for piece in found[1].replace(b"*", b"3").split(b","):
        first, _, last = piece.partition(b":")
        uids += range(int(first), int(last or first) + 1)
    return uids


def row(uid: int, command: bytes, structure: bytes = TEXT) -> bytes:
    """One FETCH response with what the command asks for."""
    items = b"UID %d FLAGS (\\Seen)" % uid
    if b"ENVELOPE" in command:
        items += b' RFC822.SIZE 300 INTERNALDATE "01-Oct-2026 09:30:00 +0200" ENVELOPE ' + ENVELOPE % uid
    if b"BODYSTRUCTURE" in command:
        items += b" BODYSTRUCTURE " + structure
    if b"HEADER]" in command:
        items += b" RFC822.SIZE 300 BODY[HEADER]<0> {21}\r\nSubject: header\r\n\r\n\r\n"
    if found := re.search(rb"BODY\.PEEK\[\]<(\d+)\.", command):
        piece = SOURCE[int(found[1]) :]
        items += b" BODY[]<%b> {%d}\r\n%b" % (found[1], len(piece), piece)
    if found := re.search(rb"BODY\.PEEK\[([\d.]+)\]<0", command):
        items += b" BODY[%b]<0> {5}\r\nwords" % found[1]
    return b"* %d FETCH (%b)\r\n" % (uid, items)


@pytest.mark.parametrize("refuses_header", [False, True])
@pytest.mark.parametrize("refusal", [b"[SERVERBUG] FETCH failed", b"[SERVERBUG] Server error - Please try again later"])
async def test_one_message_that_is_refused_costs_no_other(
    scripted: Scripted, refuses_header: bool, refusal: bytes
) -> None:
    """R-IMAP-53: its row comes from its header, or says what is known. Yahoo calls such a refusal temporary."""

    def answer(command: bytes) -> bytes:
        uids = uids_of(command)
        is_bad = b"ENVELOPE" in command or (refuses_header and b"HEADER]" in command)
        if 2 in uids and is_bad:
            return b"{tag} NO " + refusal + b"\r\n"
        return b"".join(row(uid, command) for uid in uids) + DONE

    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery())
        subjects = [item.subject for item in page.items]
        assert subjects == ["row 3", None if refuses_header else "header", "row 1"]
        assert [item.flags for item in page.items] == [("$seen",)] * 3
        before = len(server.commands)
        assert len((await mailbox.list_messages("inbox", ListQuery())).items) == 3
        assert len(server.commands) - before <= (6 if refuses_header else 3)


@pytest.mark.parametrize("has_header", [True, False])
async def test_a_message_that_is_left_out_is_listed_if_it_has_a_header(scripted: Scripted, has_header: bool) -> None:
    """R-IMAP-53: a server says OK, and nothing of a message that it cannot describe, or that is gone since."""

    def answer(command: bytes) -> bytes:
        is_bad = b"ENVELOPE" in command or (b"HEADER]" in command and not has_header)
        return b"".join(row(uid, command) for uid in uids_of(command) if uid != 2 or not is_bad) + DONE

    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (server, mailbox):
        for _ in range(2):
            page = await mailbox.list_messages("inbox", ListQuery())
            subjects = [item.subject for item in page.items]
            assert subjects == ["row 3", *(["header"] if has_header else []), "row 1"]
            assert [item.flags for item in page.items] == [("$seen",)] * len(subjects)
        before = len(server.commands)
        await mailbox.list_messages("inbox", ListQuery())
        assert len(server.commands) - before <= (3 if has_header else 6)


async def test_a_server_that_refuses_every_message_is_not_asked_without_end(scripted: Scripted) -> None:
    """R-IMAP-53: a bounded number of requests, and a row for each."""

    def answer(command: bytes) -> bytes:
        if b"ENVELOPE" in command or b"HEADER]" in command:
            return b"{tag} NO not now\r\n"
        return b"".join(row(uid, command) for uid in range(1, 201)) + DONE

    answers = {"FETCH": answer, "UID FETCH": answer, "SELECT": inbox_of(200), "STATUS": DONE}
    async with scripted(answers) as (server, mailbox):
        page = await mailbox.list_messages("inbox", ListQuery(limit=200))
        assert len(page.items) == 200
        assert len(server.commands) < 120


async def test_a_server_that_is_unavailable_is_found_out_soon(scripted: Scripted) -> None:
    """R-IMAP-53: if it refuses every message and says that this is temporary, that is the answer."""

    def answer(command: bytes) -> bytes:
        if b"ENVELOPE" in command or b"HEADER]" in command:
            return b"{tag} NO [UNAVAILABLE] try again later\r\n"
        return b"".join(row(uid, command) for uid in range(1, 201)) + DONE

    answers = {"FETCH": answer, "UID FETCH": answer, "SELECT": inbox_of(200), "STATUS": DONE}
    async with scripted(answers) as (server, mailbox):
        with pytest.raises(UpstreamUnavailable):
            await mailbox.list_messages("inbox", ListQuery(limit=200))
        assert len(server.commands) < 60


@pytest.mark.parametrize("answered", [b"", b" BODY[1]<0> NIL", b" BODY[1] NIL"])
async def test_a_text_that_is_not_sent_is_not_an_empty_one(scripted: Scripted, answered: bytes) -> None:
    """R-IMAP-05: the message has octets, so an answer without them is an error."""

    def answer(command: bytes) -> bytes:
        if b"BODY.PEEK[1]" in command:
            return b"* 1 FETCH (UID 1 FLAGS ()" + answered + b")\r\n" + DONE
        if b"BODY.PEEK[]" in command:
            return b"* 1 FETCH (UID 1 BODY[]<0> NIL)\r\n" + DONE
        return b"".join(row(uid, command) for uid in uids_of(command)) + DONE

    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, mailbox):
        rows = (await mailbox.list_messages("inbox", ListQuery())).items
        with pytest.raises(UpstreamProtocol):
            await mailbox.get_message(rows[-1].id)


async def test_a_refusal_that_is_not_about_a_message_is_an_error(scripted: Scripted) -> None:
    """R-IMAP-53."""
    async with scripted({"FETCH": b"{tag} NO [NOPERM] no\r\n"}) as (server, mailbox):
        with pytest.raises(NotPermitted):
            await mailbox.list_messages("inbox", ListQuery())
        assert server.verbs.count("FETCH") == 1


@pytest.mark.parametrize(
    "structure",
    [
        b"NIL",
        b"()",
        b'("text" "plain")',
        b'(("text" "plain" NIL NIL NIL "quoted-printable" 9 1)("application" "pdf" ("name" "a.pdf") NIL """" "base64" 8) "MIXED")',
        b'(("multipart" "related" ("boundary" "x") NIL NIL "7BIT" 400)("text" "html" NIL NIL NIL "7BIT" 20 1) "mixed")',
        b'(("text" "plain" "charset" "utf-8" NIL "7BIT" 9 1)("application" "pdf" NIL NIL NIL "base64" 8) "mixed")',
    ],
    ids=["nil", "empty", "short", "shifted", "multipart as a leaf", "parameters without a list"],
)
async def test_an_unusable_structure_is_read_from_the_source(scripted: Scripted, structure: bytes) -> None:
    """R-IMAP-54: message and parts tell the same, and no octet stays encoded."""

    def answer(command: bytes) -> bytes:
        return b"".join(row(uid, command, structure) for uid in uids_of(command)) + DONE

    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, mailbox):
        listed = (await mailbox.list_messages("inbox", ListQuery())).items[0]
        message = await mailbox.get_message(listed.id)
        assert message.body.text == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
        assert [(part.id, part.name) for part in message.attachments] == [("2", "a.pdf")]
        download = await mailbox.open_part(listed.id, "2")
        assert b"".join([piece async for piece in download.chunks]) == b"hello"
