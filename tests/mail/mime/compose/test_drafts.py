"""A stored draft is read as it was written. R-MIME-48."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import TooLarge
from service.mail.mime.compose.copying import copied, copied_message
from service.mail.mime.compose.drafts import read_draft
from service.mail.mime.compose.values import Copied, Resolved
from service.mail.mime.headers.fields import list_headers
from service.mail.model import Address, Part
from service.mail.submission.model import Attachment, NewDraft, NewHeader
from tests.mail.mime.compose.assembled import IDENTIFIED, by_ours, many, octets_of

WORDS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" ,\"\\<>@=?"), max_size=60).map(
    lambda text: " ".join(text.split())
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=100)
LIST = st.lists(
    st.builds(Address, name=WORDS.map(lambda name: name or None), email=st.just("a.b@example.org")), max_size=3
).map(tuple)


def read(octets: bytes) -> NewDraft:
    return read_draft(by_ours(octets), list_headers(octets))


@many
@given(
    to=LIST, cc=LIST, bcc=LIST, reply_to=LIST, subject=WORDS, text=TEXT.filter(lambda text: not text.isspace()), html=st.none() | TEXT.map("<p>{}</p>".format)
)  # fmt: skip
def test_a_draft_is_read_as_it_was_written(
    to: tuple[Address, ...], cc: tuple[Address, ...], bcc: tuple[Address, ...], reply_to: tuple[Address, ...],
    subject: str, text: str, html: str | None,
) -> None:  # fmt: skip
    draft = NewDraft(
        from_=Address(name="Ann", email="ann@example.org"), to=to, cc=cc, bcc=bcc, reply_to=reply_to, subject=subject or None,
        text=text or None, html=html, headers=(NewHeader(name="X-Note", value="n"),),
    )  # fmt: skip
    found = read(octets_of(draft))
    assert found.model_copy(update={"text": None}) == draft.model_copy(update={"text": None})
    assert found.text == draft.text or (html is not None and found.text is None)
    assert read(octets_of(found)) == found


def test_a_text_made_from_html_follows_the_html() -> None:
    octets = octets_of(NewDraft(html="<p>One<p>Two"))
    assert (read(octets).text, read(octets).html) == (None, "<p>One<p>Two")
    assert read(octets_of(NewDraft(html="<p>One", text="own"))).text == "own"
    assert read(octets_of(NewDraft(text="own"))).html is None


def test_attachments_are_its_own_parts() -> None:
    attachments = [
        Resolved(b"1", "image/png", name="a.png", cid="c@x", disposition="inline"),
        Resolved(b"Subject: x\r\n\r\n", "message/rfc822"),
        Resolved(b"note", "text/plain; charset=utf-8", name="n.txt"),
    ]
    found = read(octets_of(NewDraft(html="<img src=cid:c@x>"), attachments)).attachments
    assert [(each.message_id, each.part_id, each.type, each.name, each.disposition, each.cid) for each in found] == [
        ("m", "1.2.2", "image/png", "a.png", "inline", "c@x"),
        ("m", "2", "message/rfc822", None, "attachment", None),
        ("m", "3", "text/plain", "n.txt", "attachment", None),
    ]
    assert [each.size for each in found] == [6, 14, 10]


def test_a_draft_too_long_to_be_read_is_never_cut() -> None:
    octets = octets_of(NewDraft(text="line\n" * 60_000, subject="x"))
    with pytest.raises(TooLarge):
        read(octets)
    assert read_draft(by_ours(octets), text="line\n" * 60_000).text == "line\n" * 60_000
    many = [Resolved(b"", "image/png", name="a.png")] * 101
    with pytest.raises(TooLarge):
        read(octets_of(NewDraft(text="x"), many))


def test_a_draft_of_another_program_is_read() -> None:
    """R-MIME-49."""
    octets = (
        b"From: Ann <ann@example.org>\r\nTo: bob\r\nX-Mozilla-Draft-Info: a;\r\n b\r\nReceived: x\r\nB@d: x\r\nSubject: " + b"x" * 5000 + b"\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: a/b\r\nContent-ID: <" + b"c" * 600 + b">\r\n\r\n\r\n--b--"
    )  # fmt: skip
    found = read(octets)
    assert found.to == (Address(email="bob"),)
    assert found.headers == (NewHeader(name="X-Mozilla-Draft-Info", value="a; b"),)
    assert (found.text, found.attachments[0].cid) == ("text", None)


@pytest.mark.parametrize(
    ("kind", "stored", "encoded", "written"),
    [
        ("image/png", "base64", False, "base64"),
        ("text/csv", "quoted-printable", False, "base64"),
        ("text/csv", "7bit", False, "base64"),
        ("text/csv", None, False, "base64"),
        ("image/png", "x-uuencode", False, "base64"),
        ("message/rfc822", "7bit", True, "7bit"),
        ("message/rfc822", None, True, "8bit"),
        ("message/rfc822", "base64", False, "base64"),
        ("message/delivery-status", "8bit", True, "8bit"),
    ],
)
def test_only_messages_are_copied_as_stored(kind: str, stored: str | None, encoded: bool, written: str) -> None:
    """R-MIME-46."""
    asked = Attachment(message_id="m", part_id="2", name="own.x")
    part = Part(id="2", type=kind, encoding=stored, name="stored.x", cid="c@x", charset="koi8-r")
    found = copied(asked, part)
    assert (found.body, found.encoding) == (Copied("m", "2", encoded), written)
    assert (found.type, found.charset, found.name, found.cid) == (kind, "koi8-r", "own.x", "c@x")


def test_a_whole_message_is_copied_as_it_is() -> None:
    """R-MIME-46."""
    found = copied_message(Attachment(message_id="m", name="a.eml"), is_8bit=False)
    source = b"Subject: x\r\n\r\nbody"
    octets = octets_of(NewDraft(text="t"), [found], IDENTIFIED, {("m", None): (source, "")})
    assert [(part.type, part.encoding, part.size) for part in by_ours(octets).attachments] == [
        ("message/rfc822", "7bit", len(source))
    ]
    assert source in octets
