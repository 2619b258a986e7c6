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
        (
            multi("0", "mixed", TEXT, leaf("5", "text/plain", name="5")),
            TEXT,
            None,
            (leaf("5", "text/plain", name="5"),),
            True,
        ),
        (multi("0", "alternative", TEXT, leaf("5", "text/calendar")), TEXT, None, (leaf("5", "text/calendar"),), True),
        (multi("0", "alternative", TEXT, leaf("5", "text/enriched")), TEXT, None, (leaf("5", "text/enriched"),), False),
        (
            multi("0", "mixed", TEXT, leaf("5", "text/richtext", name="a.rtx")),
            TEXT,
            None,
            (leaf("5", "text/richtext", name="a.rtx"),),
            True,
        ),
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
    assert choose(structure) == (tuple(filter(None, (text or html,))), tuple(filter(None, (html,))))
    assert attachments(structure) == others
    assert has_attachment(structure) is has


def test_text_is_made_from_html_if_there_is_none() -> None:
    """R-MIME-19."""
    body = read_body(
        [Leaf(HTML, b"<p>one</p><p>two</p><img src=https://t.example/p>")],
        [Leaf(HTML, b"<p>one</p><p>two</p><img src=https://t.example/p>")],
    )
    assert (body.text, body.html) == ("one\n\ntwo", '<p>one</p><p>two</p><img data-remote="0">')
    assert body.remote_content == ("https://t.example/p",)


def test_the_caller_chooses_the_form_of_the_html() -> None:
    """R-MIME-12."""
    part = Leaf(HTML, b"<script>x</script>")
    assert read_body([part], [part], HtmlMode.ORIGINAL).html == "<script>x</script>"
    assert read_body([part], [part], HtmlMode.NONE).html is None
    assert read_body([part], [part]).html == ""
    assert read_body([], []) == read_body([], [], HtmlMode.ORIGINAL)


def test_problems_become_warnings() -> None:
    """R-MIME-08, R-MIME-09."""
    part = leaf("1", "text/plain", encoding="base64", charset="unicode_escape")
    body = read_body([Leaf(part, b"aGVsbG8")], [], warnings=("multiple-from",))
    assert body.text == "hello"
    assert body.warnings == ("multiple-from", "encoding-problem", "charset-problem")


def test_a_long_text_is_cut_at_the_limit() -> None:
    """R-MIME-19."""
    part = leaf("1", "text/plain", charset="utf-8")
    limit = 256 * 1024
    assert not read_body([Leaf(part, b"a" * limit)], []).is_truncated
    assert read_body([Leaf(part, b"a" * (limit + 1))], []).is_truncated
    cut = read_body([Leaf(part, b"a" + "ü".encode() * limit)], [])
    assert cut.is_truncated
    assert cut.warnings == ()
    assert read_body([Leaf(leaf("1", "text/plain", encoding="base64"), b"aGVsbG", is_cut=True)], []).warnings == ()


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
    assert found.body.text == "hello\n"
    assert found.references == ("z@example.org", "0@example.org")
    assert [address.email for address in found.cc] == ["c@example.org"]
    assert found.has_attachment is False


def test_what_is_missing_is_none() -> None:
    """R-MIME-11, R-MIME-20."""
    found = message(b"\r\nhello")
    assert (found.subject, found.received_at, found.sent_at, found.message_id) == (None, None, None, None)
    assert found.from_ == ()
    assert found.body.text == "hello"


@pytest.mark.parametrize("form", [HtmlMode.SAFE, HtmlMode.ORIGINAL])
def test_no_html_part_captures_the_next(form: HtmlMode) -> None:
    """R-MIME-15. What one part leaves open must not swallow the next."""
    found = message(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src='https://t.example/\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\nsecret'>\r\n--b--\r\n",
        form,
    )
    assert found.body.html == ("\nsecret'&gt;" if form is HtmlMode.SAFE else "\nsecret'>")
    assert found.body.remote_content == ()
    assert found.attachments == ()


TEXT_IN = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
HTML_IN = "Content-Type: text/html; charset=utf-8\r\n\r\n"
INNER = "Content-Type: multipart/alternative; boundary=i\r\n\r\n"
PIXEL_IN = "Content-Type: image/png; name=a.png\r\nContent-Disposition: inline\r\n\r\n"


def multipart(subtype: str, *parts: str, boundary: str = "o") -> bytes:
    lines = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{subtype}; boundary={boundary}\r\n\r\n{lines}--{boundary}--\r\n".encode()


@pytest.mark.parametrize(
    ("source", "text", "html", "others"),
    [
        (
            multipart(
                "mixed",
                f"{TEXT_IN}from <outside>",
                f"{INNER}--i\r\n{TEXT_IN}the words\r\n--i\r\n{HTML_IN}<p>the colours</p>\r\n--i--",
            ),
            "from <outside>\nthe words",
            "<div>from &lt;outside&gt;</div>\n<p>the colours</p>",
            [],
        ),
        (
            multipart("mixed", f"{HTML_IN}<p>above</p>", f"{PIXEL_IN}png", f"{HTML_IN}<p>below</p>"),
            "above\nbelow",
            "<p>above</p>\n<p>below</p>",
            ["2"],
        ),
        (
            multipart("mixed", f"{TEXT_IN}words", f"{HTML_IN}<p>the list</p>"),
            "words\nthe list",
            "<div>words</div>\n<p>the list</p>",
            [],
        ),
        (
            multipart(
                "alternative",
                f"{TEXT_IN}words",
                "Content-Type: multipart/mixed; boundary=i\r\n\r\n"
                f"--i\r\n{HTML_IN}<p>one</p>\r\n--i\r\n{PIXEL_IN}png\r\n--i\r\n{HTML_IN}<p>two</p>\r\n--i--",
            ),
            "words",
            "<p>one</p>\n<p>two</p>",
            ["2.2"],
        ),
        (multipart("mixed", f"{TEXT_IN}one", f"{TEXT_IN}two"), "one\ntwo", None, []),
        (
            multipart("mixed", f"{TEXT_IN}one", "Content-Type: text/plain; name=log.txt\r\n\r\nlines"),
            "one",
            None,
            ["2"],
        ),
        (
            multipart("mixed", "Content-Type: multipart/related; boundary=x\r\n\r\nno part", f"{HTML_IN}<b>real</b>"),
            "real",
            "<b>real</b>",
            ["1"],
        ),
    ],
    ids=["banner", "picture-between", "footer", "mixed-in-alternative", "texts", "named-text", "lost-boundary"],
)
def test_the_body_is_all_its_texts(source: bytes, text: str, html: str | None, others: list[str]) -> None:
    """R-MIME-30 (RFC 8621, 4.1.4)."""
    found = message(source)
    assert (found.body.text, found.body.html) == (text, html)
    assert [part.id for part in found.attachments] == others


def test_joined_texts_share_one_limit() -> None:
    """R-MIME-30: no number of texts makes a body longer, or its reading."""
    found = message(multipart("mixed", *(f"{TEXT_IN}{'x' * 200_000}" for _ in range(25))))
    assert len(found.body.text or "") == 256 * 1024 + 19
    assert found.body.is_truncated
    assert len(found.attachments) == 5


@pytest.mark.parametrize(
    ("header", "html", "text"),
    [
        ("", '<meta charset="windows-1251"><p>\u0414\u0430</p>', "\u0414\u0430"),
        (
            "; charset=us-ascii",
            '<head><META http-equiv="Content-Type" content="text/html; charset=windows-1251"></head>\u0414\u0430',
            "\u0414\u0430",
        ),
        ("; charset=windows-1251", "<meta charset=koi8-r>\u0414\u0430", "\u0414\u0430"),
        ("", "<!-- <meta charset=koi8-r> --><meta charset=windows-1251>\u0414\u0430", "\u0414\u0430"),
    ],
)
def test_html_may_name_its_charset_itself(header: str, html: str, text: str) -> None:
    """R-MIME-31: if its part names none."""
    source = f"Content-Type: text/html{header}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{html}".encode("cp1251")
    assert message(source).body.text == text


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
