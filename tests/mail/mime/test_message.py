"""Whole messages: the body, the attachments, the row of a list."""

import json
from datetime import UTC, datetime

import pytest

from service.mail.mime.body import Leaf, attachments, choose, has_attachment, read_body
from service.mail.mime.message import read_message, read_summary
from service.mail.model import HtmlMode, Message, Part


def leaf(part_id: str, type_: str, **more: str) -> Part:
    return Part.model_validate({"id": part_id, "type": type_, **more})


def multi(part_id: str, kind: str, *parts: Part) -> Part:
    return Part(id=part_id, type=f"multipart/{kind}", parts=parts)


def message(source: bytes, html: HtmlMode = HtmlMode.SAFE) -> Message:
    found = read_message(source, id="m", folder_id="f", size=len(source), html=html)
    json.loads(found.model_dump_json())
    return found


TEXT, HTML = leaf("1", "text/plain"), leaf("2", "text/html")
PICTURE = leaf("3", "image/png", cid="a@b", disposition="inline", name="a.png")
PDF = leaf("4", "application/pdf", disposition="attachment", name="a.pdf")


@pytest.mark.parametrize(
    ("structure", "text", "html", "others", "has"),
    [
        (TEXT, TEXT, None, (), False),
        (HTML, None, HTML, (), False),
        (multi("0", "alternative", TEXT, HTML), TEXT, HTML, (), False),
        (multi("0", "mixed", multi("9", "alternative", TEXT, HTML), PDF), TEXT, HTML, (PDF,), True),
        (multi("0", "related", HTML, PICTURE), None, HTML, (PICTURE,), False),
        (multi("0", "alternative", TEXT, multi("9", "related", HTML, PICTURE)), TEXT, HTML, (PICTURE,), False),
        (multi("0", "mixed", PDF, TEXT), TEXT, None, (PDF,), True),
        (PDF, None, None, (PDF,), True),
        (
            leaf("1", "text/plain", disposition="attachment"),
            None,
            None,
            (leaf("1", "text/plain", disposition="attachment"),),
            True,
        ),
        (
            multi("0", "signed", TEXT, leaf("5", "application/pgp-signature", name="signature.asc")),
            TEXT,
            None,
            (leaf("5", "application/pgp-signature", name="signature.asc"),),
            False,
        ),
        (
            multi("0", "report", TEXT, leaf("5", "message/delivery-status")),
            TEXT,
            None,
            (leaf("5", "message/delivery-status"),),
            False,
        ),
        (multi("0", "mixed", TEXT, leaf("5", "text/plain")), TEXT, None, (leaf("5", "text/plain"),), False),
        (multi("0", "alternative", TEXT, leaf("5", "text/calendar")), TEXT, None, (leaf("5", "text/calendar"),), True),
        (
            multi("0", "mixed", TEXT, Part(id="5", type="message/rfc822", parts=(leaf("5.1", "text/plain"),))),
            TEXT,
            None,
            (Part(id="5", type="message/rfc822", parts=(leaf("5.1", "text/plain"),)),),
            True,
        ),
        (Part(id="0", type="multipart/mixed"), Part(id="0", type="multipart/mixed"), None, (), False),
    ],
)
def test_body_and_attachments_are_distinguished(
    structure: Part, text: Part | None, html: Part | None, others: tuple[Part, ...], has: bool
) -> None:
    """R-MIME-02."""
    assert choose(structure) == (text, html)
    assert attachments(structure) == others
    assert has_attachment(structure) is has


def test_text_is_made_from_html_if_there_is_none() -> None:
    """R-MIME-19."""
    body = read_body(None, Leaf(HTML, b"<p>one</p><p>two</p><img src=https://t.example/p>"))
    assert (body.text, body.html) == ("one\n\ntwo", "<p>one</p><p>two</p><img>")
    assert body.remote_content == ("https://t.example/p",)


def test_the_caller_chooses_the_form_of_the_html() -> None:
    """R-MIME-12."""
    part = Leaf(HTML, b"<script>x</script>")
    assert read_body(None, part, HtmlMode.ORIGINAL).html == "<script>x</script>"
    assert read_body(None, part, HtmlMode.NONE).html is None
    assert read_body(None, part).html == ""
    assert read_body(None, None) == read_body(None, None, HtmlMode.ORIGINAL)


def test_problems_become_warnings() -> None:
    """R-MIME-08, R-MIME-09."""
    part = leaf("1", "text/plain", encoding="base64", charset="unicode_escape")
    body = read_body(Leaf(part, b"aGVsbG8"), None, warnings=("multiple-from",))
    assert body.text == "hello"
    assert body.warnings == ("multiple-from", "encoding-problem", "charset-problem")


def test_a_long_text_is_cut_at_the_limit() -> None:
    """R-MIME-19."""
    part = leaf("1", "text/plain", charset="utf-8")
    limit = 256 * 1024
    assert not read_body(Leaf(part, b"a" * limit), None).is_truncated
    assert read_body(Leaf(part, b"a" * (limit + 1)), None).is_truncated
    cut = read_body(Leaf(part, b"a" + "ü".encode() * limit), None)
    assert cut.is_truncated
    assert cut.warnings == ()
    assert read_body(Leaf(leaf("1", "text/plain", encoding="base64"), b"aGVsbG", is_cut=True), None).warnings == ()


SOURCE = (
    b"Received: from a by b; Tue, 1 Jul 2003 10:52:37 +0200\r\n"
    b"Received: from c by d; Mon, 30 Jun 2003 10:00:00 +0000\r\n"
    b"From: Ann <a@example.org>\r\nTo: b@example.org\r\nCc: c@example.org\r\nTo: d@example.org\r\n"
    b"Subject: =?utf-8?Q?gr=C3=BCn?=\r\nDate: Tue, 1 Jul 2003 10:50:00 +0200\r\nMessage-ID: <1@example.org>\r\n"
    b"In-Reply-To: <0@example.org>\r\nReferences: <z@example.org> <0@example.org>\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n"
)


def test_a_row_is_read_from_the_header_alone() -> None:
    """R-MIME-02."""
    row = read_summary(SOURCE.partition(b"\r\n\r\n")[0], id="m", folder_id="f", size=9, flags=("$seen",))
    assert row.subject == "grün"
    assert [address.email for address in row.to] == ["b@example.org", "d@example.org"]
    assert row.received_at == datetime(2003, 7, 1, 8, 52, 37, tzinfo=UTC)
    assert row.sent_at is not None
    assert row.sent_at.isoformat() == "2003-07-01T10:50:00+02:00"
    assert (row.message_id, row.in_reply_to) == ("1@example.org", ("0@example.org",))


def test_a_message_is_read_whole() -> None:
    """R-MIME-02."""
    found = message(SOURCE)
    assert found.body.text == "hello\r\n"
    assert found.references == ("z@example.org", "0@example.org")
    assert [address.email for address in found.cc] == ["c@example.org"]
    assert found.has_attachment is False


def test_what_is_missing_is_none() -> None:
    """R-MIME-11, R-MIME-20."""
    found = message(b"\r\nhello")
    assert (found.subject, found.received_at, found.sent_at, found.message_id) == (None, None, None, None)
    assert found.from_ == ()
    assert found.body.text == "hello"


def test_two_html_parts_are_never_joined() -> None:
    """R-MIME-15. What one part leaves open must not swallow the next."""
    found = message(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src='https://t.example/\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\nsecret'>\r\n--b--\r\n"
    )
    assert found.body.html == ""
    assert found.body.remote_content == ()
    assert [part.id for part in found.attachments] == ["2"]


def test_a_disguised_sender_is_warned_of() -> None:
    """R-MIME-11."""
    found = message(b'From: "a@bank.example" <x@evil.example>\r\n\r\nhi')
    assert found.from_[0].email == "x@evil.example"
    assert found.body.warnings == ("display-name-has-address",)


def test_what_a_message_says_of_its_own_sender_changes_nothing() -> None:
    """R-MIME-22: anybody can write Authentication-Results. It is a header like others; warnings of a disguise stay."""
    letter = b'From: "ann@bank.example" <x@evil.example>\r\nSubject: s\r\n\r\ntext\r\n'
    forged = b"Authentication-Results: mx.example.org; dkim=pass; spf=pass; dmarc=pass header.from=bank.example\r\n"
    plain, vouched = message(letter), message(forged + letter)
    assert plain.body.warnings
    assert vouched.model_copy(update={"size": plain.size}) == plain
