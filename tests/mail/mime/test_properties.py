"""What holds for any octets at all."""

import base64
import json
import quopri
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from service.mail.cleaning import clean_text
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.addresses import parse_addresses, sender_warnings
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import list_headers, parse_message_ids, split_headers
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.headers.words import decode_words
from service.mail.mime.html.safe_html import safe_html, text_from_html
from service.mail.mime.message import read_message
from service.mail.mime.structure import Entity, parse
from service.mail.mime.transfer.decoding import decode, decoder

LINES = [
    b"Content-Type: multipart/mixed; boundary=b",
    b'Content-Type: multipart/alternative; boundary="c"',
    b"--b",
    b"--c",
    b"--b--",
    b"--c--",
    b"",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/html; charset=utf-7",
    b"Subject: =?utf-8?Q?=FC?=",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"aGVsbG8=",
    b"=FC=",
    b" folded",
    b"From: a@example.org <b@example.org>",
    b"<p>html",
    b"\xfc\0",
    b"Content-Type: multipart/digest; boundary=b",
    b"text",
]
MAIL = st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=30).flatmap(
    lambda lines: st.sampled_from([b"\n", b"\r\n", b"\r"]).map(lambda end: end.join(lines))
)
FIELD = st.lists(
    st.sampled_from(
        [
            b"(",
            b")",
            b"<",
            b">",
            b'"',
            b"\\",
            b",",
            b";",
            b":",
            b"@",
            b".",
            b" ",
            b"=",
            b"*0*=",
            b"=?utf-8?Q?",
            b"?=",
            b"a",
            b"bc",
            b"\r\n ",
            b"\xfc",
            b"\0",
            b"%41",
            b"'",
        ]
    )
    | st.binary(max_size=4),
    max_size=30,
).map(b"".join)
MARKUP = st.lists(
    st.sampled_from(
        [
            "<a href='",
            "<img src=",
            "'>",
            ">",
            "<b>",
            "</b>",
            "<p>",
            "</p>",
            "<table>",
            "<td>",
            "<svg>",
            "<style>",
            "</style>",
            "<!--",
            "-->",
            "https://t.example/x",
            "cid:x",
            "&lt;",
            "&",
            "style='color:red;top:1px'",
            "'",
            '"',
            "<math>",
            "<select>",
            "<title>",
            "</title>",
            "<li>",
            "</div>",
            "<div ",
            "onclick=x ",
            "javascript:",
            "text",
        ]
    )
    | st.text(max_size=4),
    max_size=30,
).map("".join)


def chunks(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    return [octets[start:stop] for start, stop in pairwise(places)]


def spans(entity: Entity) -> list[tuple[int, int, int]]:
    found = [(entity.header_start, entity.body_start, entity.stop)]
    for child in entity.children:
        assert entity.header_start <= child.header_start
        assert child.stop <= max(entity.stop, child.body_start)
        found += spans(child)
    return found


@given(MAIL | st.binary(max_size=300))
@settings(max_examples=400, deadline=None)
def test_any_octets_are_a_message(source: bytes) -> None:
    """R-MIME-01."""
    found = read_message(source, id="m", folder_id="f", size=len(source))
    assert json.loads(found.model_dump_json())["id"] == "m"
    for header_start, body_start, stop in spans(parse(source)):
        assert 0 <= header_start <= body_start <= stop <= len(source)


@given(FIELD)
@settings(max_examples=400, deadline=None)
def test_any_octets_are_a_field(raw: bytes) -> None:
    """R-MIME-01, R-MIME-10."""
    shown = [decode_words(raw), *parse_parameters(raw)[1].values(), *parse_message_ids(raw)]
    for address in parse_addresses(raw):
        shown += [address.name or "", address.email]
    sender_warnings([raw])
    parse_date(raw)
    split_headers(raw)
    list_headers(raw)
    for text in shown:
        text.encode()
    assert decode_words(raw).isprintable() or "\n" not in decode_words(raw)


@given(
    st.sampled_from(["{} <{}>", '"{}" <{}>', " {}<{}> "]),
    st.text("ab  '_-,.@=?()<>", max_size=12),
    st.text("a.b@-=?", max_size=9),
)
@settings(max_examples=500, deadline=None)
def test_an_address_is_the_same_alone_and_in_a_list(form: str, name: str, email: str) -> None:
    """R-MIME-06. Fields of one plain mailbox take a shorter way."""
    raw = form.format(name, email).encode()
    assert parse_addresses(raw) == parse_addresses(raw + b",")


@given(st.text() | FIELD.map(lambda raw: raw.decode("latin-1")))
def test_clean_text_is_one_line(text: str) -> None:
    """R-MIME-10."""
    cleaned = clean_text(text)
    assert len(cleaned.splitlines()) <= 1
    assert clean_text(cleaned) == cleaned
    cleaned.encode()


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]) | st.just(" "), max_size=60
    )
)
def test_encoding_a_text_and_decoding_it_gives_it_back(text: str) -> None:
    """R-MIME-10."""
    octets = text.encode()
    words = b" ".join(b"=?utf-8?B?" + base64.b64encode(octets[at : at + 7]) + b"?=" for at in range(0, len(octets), 7))
    assert decode_words(words) == text.strip()


@given(st.text(max_size=400))
@settings(max_examples=300, deadline=None)
def test_a_clean_file_name_stays(name: str) -> None:
    """R-MIME-17."""
    found = file_name(name)
    assert file_name(found) == found
    if found is not None:
        assert not set(found) & set('/\\<>:"|?*\0')
        assert 0 < len(found) <= 150
        assert found[-1] not in ". "


@given(
    st.binary(max_size=200)
    | st.sampled_from([b"", b"=", b"=\r\n", b"a=", b"=4", b"begin 1 a\n#86)C\n`\nend\n"])
    | st.lists(
        st.sampled_from(
            [b"=", b"4", b"\r", b"\n", b" ", b"\t", b"A", b"=3D", b"QUJD", b"QQ==", b"begin 1 a\n", b"end\n"]
        ),
        max_size=40,
    ).map(b"".join),
    st.lists(st.integers(0, 400), max_size=12),
    st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit", "x"]),
)
@settings(max_examples=800, deadline=None)
def test_how_a_body_is_cut_never_matters(octets: bytes, cuts: list[int], encoding: str) -> None:
    """R-MIME-09."""
    whole = decoder(encoding)
    expected = whole.feed(octets) + whole.finish()
    found = decoder(encoding)
    pieces = [found.feed(chunk) for chunk in chunks(octets, cuts)]
    assert b"".join(pieces) + found.finish() == expected
    assert found.flawed == whole.flawed


@given(st.binary(max_size=400))
def test_what_was_encoded_is_decoded(octets: bytes) -> None:
    """R-MIME-09."""
    assert decode(base64.encodebytes(octets), "base64") == octets
    printable = quopri.encodestring(octets.replace(b"\r", b""), quotetabs=True)
    assert decode(printable, "quoted-printable") == octets.replace(b"\r", b"")


@given(
    st.binary(max_size=100),
    st.sampled_from(["utf-8", "utf-7", "utf-16", "utf-32", "iso-2022-jp", "big5", "x", "koi8-r", ""]),
)
def test_any_octets_are_text(octets: bytes, charset: str) -> None:
    """R-MIME-08."""
    text = decode_text(octets, charset).text
    assert "\0" not in text
    text.encode()


@given(MARKUP)
@settings(max_examples=500, deadline=None)
def test_cleaning_clean_html_changes_nothing(html: str) -> None:
    """R-MIME-12."""
    cleaned = safe_html(html)
    again = safe_html(cleaned.html)
    assert again.html == cleaned.html
    assert again.remote == ()
    text_from_html(html).encode()
