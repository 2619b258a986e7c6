"""What a server describes otherwise than it is written is read from the message's own header."""

import re
from collections.abc import Callable

import pytest

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.messages.doubts import MAX_REREAD, is_doubtful, is_placeholder
from service.adapters.imap.messages.envelope import addresses
from service.adapters.imap.messages.leaves import doubtful
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import Token
from service.mail.errors import NotFound
from service.mail.model import Part
from service.mail.search.filter import ListQuery
from tests.adapters.imap.conftest import Scripted, inbox_of
from tests.contract.conftest import read

DONE = b"{tag} OK done\r\n"
PEOPLE = b'((NIL NIL "%b" "%b"))'
EMPTY: Token = [b"text", b"plain", None, None, None, b"7bit", b"0", b"0"]
TEXT = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)'


WORDS = {b"1": b"words"}
"""What a text says, if a test does not say it."""


def answering(
    envelope: bytes, structure: bytes, items: dict[bytes, bytes], *, size: int = 300
) -> Callable[[bytes], bytes]:
    """Answers for message 1; ``items`` are asked for by the words in brackets."""

    def answer(command: bytes) -> bytes:
        row = b"UID 1 FLAGS () RFC822.SIZE %d" % size
        if b"ENVELOPE" in command:
            row += b' INTERNALDATE "01-Oct-2026 09:30:00 +0200" ENVELOPE ' + envelope
        if b"BODYSTRUCTURE" in command:
            row += b" BODYSTRUCTURE " + structure
        for name, start in re.findall(rb"BODY\.PEEK\[([^\]]*)\](?:<(\d+)\.\d+>)?", command):
            found = items.get(b"HEADER.FIELDS" if name.startswith(b"HEADER.FIELDS") else name, WORDS.get(name))
            if found is not None:
                piece = found[int(start or 0) :]
                origin = b"<%b>" % start if start else b""
                row += b" BODY[%b]%b {%d}\r\n%b" % (name, origin, len(piece), piece)
        return b"* 1 FETCH (%b)\r\n" % row + DONE

    return answer


def envelope(sender: bytes, recipient: bytes, subject: bytes = b'"words"') -> bytes:
    return b"(NIL %b %b %b %b %b NIL NIL NIL NIL)" % (subject, sender, sender, sender, recipient)


@pytest.mark.parametrize(
    ("mailbox", "domain"),
    [
        (b"MISSING_MAILBOX", b"MISSING_DOMAIN"),
        (b"Undisclosed", b"SYNTAX_ERROR"),
        (b"ann", b".MISSING-HOST-NAME."),
        (b"INVALID_ADDRESS", b".SYNTAX-ERROR."),
        (b"ann", b"unspecified-domain"),
    ],
)
async def test_what_servers_write_for_a_missing_domain_is_no_address(
    scripted: Scripted, mailbox: bytes, domain: bytes
) -> None:
    """R-MIME-34: not even from a server that gives no header."""
    answer = answering(envelope(PEOPLE % (mailbox, domain), PEOPLE % (b"MISSING_MAILBOX", b"MISSING_DOMAIN")), TEXT, {})
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        message = await account.get_message(row.id)
        for each in (row, message):
            shown = [address.email for address in (*each.from_, *each.to)]
            assert not any(is_placeholder(part.encode()) for email in shown for part in email.split("@"))
            assert not any("_" in email or "-" in email for email in shown)


async def test_people_are_those_of_the_header_in_rows_and_messages(scripted: Scripted) -> None:
    """R-MIME-34: Dovecot stops at a name with an at sign, and loses who comes after it."""
    header = b"From: ceo@example.org <mallory@example.org>\r\nTo: a@example.org <b@example.org>, c@example.org\r\n\r\n"
    answer = answering(
        envelope(PEOPLE % (b"ceo", b"example.org"), PEOPLE % (b"a", b"example.org")), TEXT, {b"HEADER.FIELDS": header}
    )
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        for each in (row, await account.get_message(row.id)):
            assert [address.email for address in each.from_] == ["mallory@example.org"]
            assert [address.email for address in each.to] == ["b@example.org", "c@example.org"]
            assert each.subject == "words"


@pytest.mark.parametrize(
    ("subject", "mailbox", "header"),
    [
        (b'"a b"', b"ann", b"From: ann@example.org\r\nSubject: a  b\r\n\r\n"),
        (b'"a b"', b"ann", b"From: ann@example.org\r\nSubject: a \tb\r\n\r\n"),
        (b'"a  b"', b"john doe", b'From: "john doe"@example.org\r\nSubject: a  b\r\n\r\n'),
    ],
)
async def test_a_row_has_what_an_envelope_leaves_out(
    scripted: Scripted, subject: bytes, mailbox: bytes, header: bytes
) -> None:
    """R-MIME-34: quotes of a mailbox's name, and all but one of several blanks (Dovecot)."""
    answer = answering(envelope(PEOPLE % (mailbox, b"example.org"), b"NIL", subject), TEXT, {b"HEADER.FIELDS": header})
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        message = await account.get_message(row.id)
        assert row.subject == message.subject == "a  b"
        assert row.from_ == message.from_
        assert '"' in row.from_[0].email or b" " not in mailbox


async def test_a_row_has_raw_text_in_the_charset_of_the_body(scripted: Scripted) -> None:
    """R-MIME-33: from the row's own response; no further round trip."""
    structure = b'("text" "plain" ("charset" "big5") NIL NIL "8bit" 5 1)'
    header = "Subject: 功許蓋\r\nFrom: 成功 <ann@example.org>\r\n\r\n".encode("big5")
    answer = answering(envelope(b"NIL", b"NIL"), structure, {b"HEADER.FIELDS": header})
    async with scripted({"SELECT": inbox_of(1), "FETCH": answer, "UID FETCH": answer}) as (server, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        assert (row.subject, [(each.name, each.email) for each in row.from_]) == (
            "功許蓋",
            [("成功", "ann@example.org")],
        )
        assert sum("FETCH" in verb for verb in server.verbs) == 1


async def test_a_list_shows_a_message_as_it_was_read(scripted: Scripted) -> None:
    """R-MIME-32: a row is amended once the message's header says otherwise."""
    header = b"Message-ID: <one@example.org>\r\nSubject: words\r\n\r\n"

    def answer(command: bytes) -> bytes:
        items = {b"HEADER.FIELDS": header} if b"REFERENCES" in command else {}
        return answering(envelope(b"NIL", b"NIL"), TEXT, items)(command)

    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        assert row.message_id is None
        assert (await account.get_message(row.id)).message_id == "one@example.org"
        assert (await account.list_messages("inbox", ListQuery())).items[0].message_id == "one@example.org"


async def test_an_encoding_that_the_server_does_not_know_is_undone_all_the_same(scripted: Scripted) -> None:
    """R-MIME-35: Dovecot says 7bit of ``base64;``."""
    leaf = b'("application" "pdf" ("name" "a.pdf") NIL NIL "7bit" 8 NIL NIL NIL NIL)'
    structure = b'(%b%b "mixed" ("boundary" "b") NIL NIL NIL)' % (TEXT, leaf)
    items = {
        b"2.MIME": b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64;\r\n\r\n",
        b"1.MIME": b"\r\n",
        b"1": b"words",
        b"2": b"aGVsbG8=",
    }
    answer = answering(envelope(b"NIL", b"NIL"), structure, items)
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        message = await account.get_message(row.id)
        assert [(part.id, part.encoding) for part in message.attachments] == [("2", "base64")]
        assert await read(await account.open_part(row.id, "2")) == b"hello"
        assert await read(await account.open_part(row.id, "2", encoded=True)) == b"aGVsbG8="


async def test_a_name_whose_escapes_the_server_lost_is_read_again(scripted: Scripted) -> None:
    """R-MIME-35: raw ISO-2022-JP may have backslashes, which Dovecot takes for those of a quoted string."""
    name = "日本.pdf".encode("iso2022_jp")
    leaf = b'("application" "pdf" ("name" "%b") NIL NIL "base64" 8 NIL NIL NIL NIL)' % name.replace(b"\\\x1b", b"")
    structure = b'(%b%b "mixed" ("boundary" "b") NIL NIL NIL)' % (TEXT, leaf)
    items = {b"2.MIME": b'Content-Type: application/pdf; name="%b"\r\nContent-Transfer-Encoding: base64\r\n\r\n' % name}
    answer = answering(envelope(b"NIL", b"NIL"), structure, items | {b"2": b"aGVsbG8="})
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        message = await account.get_message(row.id)
        assert [part.name for part in message.attachments] == ["日本.pdf"]
        assert (await account.open_part(row.id, "2")).name == "日本.pdf"


def test_an_attached_message_that_is_not_described_has_its_disposition() -> None:
    """R-IMAP-54: NIL in place of its envelope and its parts."""
    part = read_structure(
        [b"message", b"rfc822", None, None, None, b"7bit", b"74", None, None, b"5", None, [b"attachment", [b"filename", b"a.eml"]]]
    )  # fmt: skip
    assert (part.type, part.disposition, part.name, part.parts) == ("message/rfc822", "attachment", "a.eml", None)


async def test_text_that_a_server_takes_for_a_header_is_not_lost(scripted: Scripted) -> None:
    """R-MIME-35: a part without an empty line is read from the source, and so is its download."""
    source = (
        b"Subject: words\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nOne.\r\n--b\r\nAll of this is text.\r\n--b--\r\n"
    )
    empty = TEXT.replace(b" 5 1 ", b" 0 0 ")
    items = {b"": source, b"2.MIME": b"All of this is text.", b"1.MIME": b"\r\n", b"1": b"One.", b"2": b""}
    structure = b'(%b%b "mixed" ("boundary" "b") NIL NIL NIL)' % (TEXT, empty)
    answer = answering(envelope(b"NIL", b"NIL"), structure, items, size=len(source))
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        assert (await account.get_message(row.id)).body.text == "One.\nAll of this is text."
        assert await read(await account.open_part(row.id, "2")) == b"All of this is text."
        with pytest.raises(NotFound):
            await account.open_part(row.id, "3")


async def test_text_behind_the_fields_of_a_part_is_not_lost(scripted: Scripted) -> None:
    """R-MIME-35: the sender forgot the empty line; for Dovecot, the part is empty."""
    part = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\nOne =\r\nline.\r\n"
    source = (
        b"Subject: words\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b--b\r\n\r\nTwo.\r\n--b--\r\n"
        % part
    )
    empty = TEXT.replace(b'"7bit" 5 1 ', b'"quoted-printable" 0 0 ')
    items = {b"": source, b"1.MIME": part + b"\r\n", b"2.MIME": b"\r\n", b"1": b"", b"2": b"Two."}
    structure = b'(%b%b "mixed" ("boundary" "b") NIL NIL NIL)' % (empty, TEXT)
    answer = answering(envelope(b"NIL", b"NIL"), structure, items, size=len(source))
    async with scripted({"FETCH": answer, "UID FETCH": answer}) as (_, account):
        row = (await account.list_messages("inbox", ListQuery())).items[0]
        assert (await account.get_message(row.id)).body.text == "One line.\nTwo."


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (
            [EMPTY, b"mixed", [b"boundary", b"b"]],
            True,
        ),
        ([EMPTY, EMPTY, b"mixed", [b"boundary", b"b"]], False),
        ([EMPTY, EMPTY, b"mixed", None], True),
        ([EMPTY, EMPTY, b"mixed", [b"boundary", b"b "]], True),
        ([EMPTY, EMPTY, b"mixed", [b"boundary", b"b" * 71]], True),
        ([EMPTY, EMPTY, b"mixed", [b"boundary", b"----"]], True),
        ([EMPTY, EMPTY, b"mixed"], False),
        ([b"", b"", None, None, None, b"7bit", b"9"], True),
        (EMPTY, False),
    ],
)
def test_a_small_message_is_read_whole_if_its_parts_are_in_doubt(structure: list[Token], expected: bool) -> None:
    """R-MIME-35."""
    row: FetchResponse = {b"RFC822.SIZE": b"300", b"ENVELOPE": [b"date"], b"BODYSTRUCTURE": structure}
    assert is_doubtful(row) is expected
    assert not is_doubtful(row | {b"RFC822.SIZE": b"%d" % (MAX_REREAD + 1)})


def test_few_headers_of_parts_are_asked_for() -> None:
    """R-MIME-35: however many parts a message has."""
    leaf: Token = [b"image", b"png", None, None, None, b"7bit", b"9"]
    structure = read_structure([*[leaf] * 500, b"mixed", [b"boundary", b"b"]])
    assert len(doubtful(structure)) == 20
    assert doubtful(Part(id="1", type="text/plain", encoding="7bit")) == []


def test_an_address_without_anything_is_none() -> None:
    """R-MIME-34."""
    assert addresses([[None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]]) == ()
    assert addresses([[b"Ann", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]])[0].name == "Ann"
