"""A draft becomes octets, and two parsers read in them what was put in. R-MIME-45."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest
from service.mail.mime.compose.composing import compose, new_boundary
from service.mail.mime.compose.values import Copied, Resolved, Uploaded
from service.mail.model import Part
from service.mail.submission.model import NewDraft
from tests.mail.mime.compose.assembled import (
    IDENTIFIED,
    assert_fit_to_send,
    by_ours,
    by_python,
    many,
    octets_of,
    part_octets,
)

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
    | st.sampled_from(list("\n\n \t.=-Fäж漢🎉")),
    max_size=300,
) | st.lists(st.sampled_from(["From ", ".", "\n", "\n.\n", "x" * 1000, "é" * 90, " ", "\t\n", "=", "--=_0"]), max_size=12).map("".join)  # fmt: skip


def types(part: Part) -> object:
    """The tree as types: ``("multipart/mixed", "text/plain", …)``."""
    return (part.type, *map(types, part.parts)) if part.parts else part.type


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


@many
@given(text=TEXT)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    """R-MIME-43, R-MIME-44."""
    octets = octets_of(NewDraft(text=text))
    assert_fit_to_send(octets)
    assert by_python(octets).get_content() == crlf(text)
    assert part_octets(octets, "1") == crlf(text).encode()


@many
@given(text=TEXT, html=TEXT, content=st.binary(max_size=300))
def test_text_html_and_attachment_come_out_as_they_went_in(text: str, html: str, content: bytes) -> None:
    """R-MIME-43, R-MIME-44."""
    octets = octets_of(
        NewDraft(text=text, html=html),
        [Resolved(content, "application/pdf", name="a.pdf"), Resolved(Uploaded(0), "image/png", name="b.png")],
        uploads=[content[::-1]],
    )
    assert_fit_to_send(octets)
    mail = by_python(octets)
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content() == crlf(text)
    assert rich.get_content() == crlf(html)
    assert [each.get_content() for each in mail.iter_attachments()] == [content, content[::-1]]
    assert part_octets(octets, "1.1") == crlf(text).encode()
    assert part_octets(octets, "1.2") == crlf(html).encode()
    assert part_octets(octets, "2") == content
    assert part_octets(octets, "3") == content[::-1]


@pytest.mark.parametrize("text", ["From me\nFrom From you", "x" * 75 + "From =\nFrom ", "From \n" + "é" * 30 + "From "])
def test_no_line_begins_as_messages_in_a_file_do(text: str) -> None:
    """R-MIME-44."""
    octets = octets_of(NewDraft(text=text))
    assert not re.search(rb"^From ", octets.partition(b"\r\n\r\n")[2], re.MULTILINE)
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert by_python(octets).get_content() == crlf(text)


@pytest.mark.parametrize("text", ["a\r\nb\rc\nd", "a\nb\nc\nd"])
def test_every_line_end_becomes_crlf(text: str) -> None:
    """R-MIME-43."""
    assert octets_of(NewDraft(text=text)).endswith(b"\r\n\r\na\r\nb\r\nc\r\nd")


def test_a_text_is_made_from_html_alone() -> None:
    octets = octets_of(NewDraft(html="<p>One</p><p>Two &amp; three</p>"))
    assert by_ours(octets).body.text == "One\n\nTwo & three"
    assert types(by_ours(octets).structure) == ("multipart/alternative", "text/plain", "text/html")


def test_images_that_html_shows_are_related_to_it_and_others_follow() -> None:
    shown = Resolved(b"1", "image/png", cid="a+b@x", disposition="inline", name="shown.png")
    spelt = Resolved(b"2", "image/png", cid="c&d@x", disposition="inline")
    other = Resolved(b"3", "image/png", cid="other@x", disposition="inline", name="other.png")
    html = '<img src="cid:a%2Bb@x"><img src=cid:c&amp;d@x>'
    octets = octets_of(NewDraft(html=html, text=""), [other, shown, spelt])
    message = by_ours(octets)
    related = ("multipart/related", "text/html", "image/png", "image/png")
    assert types(message.structure) == (
        "multipart/mixed",
        ("multipart/alternative", "text/plain", related),
        "image/png",
    )
    assert [part.cid for part in message.attachments] == ["a+b@x", "c&d@x", "other@x"]
    assert [part.disposition for part in message.attachments] == ["inline"] * 3
    assert by_python(octets).get_body(("related",)).get_param("type") == "text/html"  # type: ignore[union-attr]


def test_a_text_attached_without_a_name_never_becomes_the_body() -> None:
    octets = octets_of(NewDraft(text="body"), [Resolved(b"note", "text/plain", disposition="inline")])
    message = by_ours(octets)
    assert (message.body.text, [part.id for part in message.attachments]) == ("body", ["2"])


def test_the_type_keeps_its_parameters_and_text_its_charset() -> None:
    invitation = Resolved(b"x", "text/calendar; method=REQUEST; charset=utf-8; name=evil; boundary=b", name="i.ics")
    copied = Resolved(Copied("m", "2", encoded=True), "text/csv", charset="koi8-r", encoding="quoted-printable")
    octets = octets_of(NewDraft(text=""), [invitation, copied], stored={("m", "2"): (b"=C1", "quoted-printable")})
    first, second = by_python(octets).iter_attachments()
    assert dict(first["content-type"].params) == {"method": "REQUEST", "charset": "utf-8", "name": "i.ics"}
    assert second.get_content() == "а"


@pytest.mark.parametrize("kind", ["text", "multipart/mixed; boundary=x", "text/plain/x", "", "a b/c", ";x=y", "ä/b"])
def test_what_is_no_media_type_of_an_attachment_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="media type"):
        octets_of(NewDraft(), [Resolved(b"", kind)])


def test_copied_parts_are_named_as_stored_or_decoded() -> None:
    as_stored = Resolved(Copied("m", "1", encoded=True), "image/png", encoding="base64")
    unknown = Resolved(Copied("m", "2", encoded=True), "image/png", encoding="x-uuencode")
    composed = compose(NewDraft(), [as_stored, unknown], IDENTIFIED)
    copies = [piece for piece in composed.pieces if isinstance(piece, Copied)]
    assert copies == [Copied("m", "1", encoded=True), Copied("m", "2", encoded=False)]
    assert not composed.is_8bit


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"Subject: a\r\n\r\nb", "7bit"), (b"Subject: \xff\r\n\r\nb", "8bit")]
)
def test_an_attached_message_is_never_encoded(content: bytes, encoding: str) -> None:
    """R-MIME-46."""
    octets = octets_of(NewDraft(text="x"), [Resolved(content, "message/rfc822", name="a.eml")])
    message = by_ours(octets)
    assert [(part.type, part.encoding) for part in message.attachments] == [("message/rfc822", encoding)]
    assert octets.count(b"Content-Transfer-Encoding: 8bit") == (2 if encoding == "8bit" else 0)
    assert content in octets


@pytest.mark.parametrize("content", [b"Subject: a\n\nb", b"\0", b"x" * 999, b"a\rb"])
def test_a_message_that_could_not_travel_as_it_is_is_a_file(content: bytes) -> None:
    """R-MIME-46."""
    octets = octets_of(NewDraft(text="x"), [Resolved(content, "message/rfc822", name="a.eml")])
    assert_fit_to_send(octets)
    assert [part.type for part in by_ours(octets).attachments] == ["application/octet-stream"]
    assert part_octets(octets, "2") == content


@pytest.mark.parametrize(
    ("body", "encoding", "kind", "copied"),
    [
        (Copied("m", None, encoded=True), "base64", "message/rfc822", "8bit"),
        (Copied("m", None, encoded=False), "7bit", "message/rfc822", "7bit"),
        (Copied("m", "2", encoded=True), "8bit", "message/rfc822", "8bit"),
        (Copied("m", "2", encoded=True), "base64", "application/octet-stream", "base64"),
        (Copied("m", "2", encoded=False), "8bit", "application/octet-stream", "base64"),
    ],
)
def test_a_copied_message_is_never_encoded(body: Copied, encoding: str, kind: str, copied: str) -> None:
    """R-MIME-46."""
    stored = {(body.message, body.part): (b"U3ViamVjdDogYQ==\r\n", "7bit")}
    octets = octets_of(NewDraft(text="x"), [Resolved(body, "message/rfc822", encoding=encoding)], stored=stored)
    assert [(part.type, part.encoding) for part in by_ours(octets).attachments] == [(kind, copied)]


@many
@given(content=st.binary(max_size=400), encoding=st.sampled_from(["base64", "8bit", "binary", "x-odd", "7bit"]))
def test_every_way_of_copying_keeps_the_content(content: bytes, encoding: str) -> None:
    """R-MIME-46."""
    stored = in_stored_form(content, encoding)
    copied = Resolved(Copied("m", "1", encoded=encoding == "base64"), "application/x-a", encoding=encoding)
    octets = octets_of(NewDraft(text="x"), [copied], stored={("m", "1"): (stored, encoding)})
    assert part_octets(octets, "2") == content
    assert next(by_python(octets).iter_attachments()).get_content() == content


def in_stored_form(content: bytes, encoding: str) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(content, newline=False) if encoding == "base64" else content


def test_boundaries_are_random() -> None:
    found = {new_boundary() for _ in range(100)}
    assert len(found) == 100
    assert all(len(each) == 34 for each in found)
    one, other = (compose(NewDraft(html="x"), [], IDENTIFIED).pieces for _ in range(2))
    assert one != other
