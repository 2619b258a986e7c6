"""Every reader of mail on every short text of its grammar, repeated without end: linear time, and a bound."""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import pytest

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.messages.envelope import addresses, text
from service.adapters.imap.wire.tokens import Token
from service.mail.mime.body import Leaf, read_body
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.addresses import parse_addresses, sender_warnings
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import RawHeader, list_headers, parse_message_ids, split_headers
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.headers.words import decode_words, has_controls
from service.mail.mime.html.safe_html import safe_html, text_from_html
from service.mail.mime.html.styles import safe_style, style_urls
from service.mail.mime.html.tags import is_costly, without_tags
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.reports.notices import read_notice
from service.mail.mime.reports.unsubscribe import read_unsubscribe
from service.mail.mime.structure import parse
from service.mail.mime.transfer.decoding import decode
from service.mail.mime.transfer.grid import grid_of
from service.mail.model import HtmlMode, Part
from service.mail.search.filter import Condition, Criterion
from service.mail.search.grammar.parser import parse_query
from service.mail.search.matching import KnownMessage, base_subject, casemap, holds
from tests.pumps import BODIES, HEADERS, HTML, LONG, SEARCHES, STYLES, Growth, growth, pairs

KIB = 1 << 10
PAIRED = 16 * KIB
"""Octets of two prefixes in turn, of which there are thousands."""
BOUND = 3.0
"""CPU seconds of the largest input; the worst takes a tenth of one."""


class Subject(NamedTuple):
    """What reads, what its grammar is made of, and the most octets it is given: about what it looks at. Growth shows at
    a fraction of that, and is looked for there if there is little time."""

    name: str
    read: Callable[[bytes], object]
    prefixes: tuple[bytes, ...]
    most: int
    short: int = 32 * KIB

    def grown(self) -> list[Growth]:
        """What grows too fast; with time, also at the full size, and of every two prefixes in turn."""
        short = growth(self.read, self.prefixes, _doubling(min(self.most, self.short)), BOUND)
        if short or not LONG:
            return short
        full = growth(self.read, self.prefixes, _doubling(self.most), BOUND)
        return full or growth(self.read, pairs(self.prefixes), _doubling(min(self.most, PAIRED)), BOUND)


def _doubling(most: int) -> tuple[int, int, int]:
    return most // 4, most // 2, most


def of_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda octets: read(octets.decode("latin-1"))


def styled(style: str) -> object:
    return safe_style.__wrapped__(style), style_urls(style)


def mixed(octets: bytes) -> object:
    return parse(b"Content-Type: multipart/mixed; boundary=b\n\n" + octets)


def spaced(octets: bytes) -> object:
    """The boundary's first word is that of many lines."""
    return parse(b'Content-Type: multipart/mixed; boundary="b x y"\n\n' + octets)


def row(octets: bytes) -> object:
    return read_summary(octets, id="m", folder_id="f", size=None)


def whole(octets: bytes) -> object:
    return read_message(octets, id="m", folder_id="f", size=None)


def body(kind: str, encoding: str = "8bit", charset: str = "latin-1") -> Callable[[bytes], object]:
    part = Part(id="1", type=kind, encoding=encoding, charset=charset)
    if kind == "text/plain":
        return lambda octets: read_body([Leaf(part, octets)], [], HtmlMode.SAFE)
    return lambda octets: read_body([Leaf(part, octets)], [Leaf(part, octets)], HtmlMode.SAFE)


def bounce(octets: bytes) -> object:
    """All formats look for their words, and find them."""
    words = b"here is your list of failed recipients: failed addresses follow: the following addresses had undeliverable to "
    return whole(b"From: mailer-daemon@a.example\nSubject: failure notice\n\n" + words + octets)


def envelope(octets: bytes) -> object:
    return (
        text(octets),
        addresses([[octets, None, octets, octets]]),
        addresses([[octets[:50], None, b"a", b"b"]] * 1000),
    )


def structure(octets: bytes) -> object:
    leaf: list[Token] = [octets, octets, [octets, octets, b"name*0*", octets], octets, octets, b"7bit", b"1"]
    return read_structure([*leaf, None, [b"inline", [b"filename", octets]], [octets]])


def compared(octets: bytes) -> object:
    return holds(
        Condition(Criterion.TEXT, octets.decode("latin-1")[:1000]), KnownMessage(text=octets.decode("latin-1"))
    )


SUBJECTS = (
    Subject("encoded words", decode_words, HEADERS, 64 * KIB),
    Subject("controls", has_controls, HEADERS, 64 * KIB),
    Subject("addresses", parse_addresses, HEADERS, 256 * KIB, 32 * KIB),
    Subject("addresses behind a name", lambda octets: parse_addresses(b'"a" <' + octets), HEADERS, 256 * KIB, 32 * KIB),
    Subject("senders", lambda octets: sender_warnings([octets]), HEADERS, 256 * KIB, 16 * KIB),
    Subject("parameters", lambda octets: parse_parameters(b"a/b; " + octets), HEADERS, 64 * KIB),
    Subject("parameters of a value", parse_parameters, HEADERS, 64 * KIB),
    Subject("a quoted parameter", lambda octets: parse_parameters(b'a/b; x="' + octets), HEADERS, 64 * KIB, 32 * KIB),
    Subject("pieces", lambda octets: parse_parameters(b"a/b; x*0*=utf-8''" + octets), HEADERS, 64 * KIB),
    Subject("ids", parse_message_ids, HEADERS, 256 * KIB),
    Subject("fields", split_headers, HEADERS, 256 * KIB),
    Subject("a field", lambda octets: list_headers(b"A: " + octets), HEADERS, 256 * KIB),
    Subject("a row", row, HEADERS, 256 * KIB),
    Subject("a row's recipients", lambda octets: row(b"To: " + octets), HEADERS, 256 * KIB, 16 * KIB),
    Subject("dates", lambda octets: [parse_date(octets) for _ in range(10)], HEADERS, 200),
    Subject("file names", file_name, HEADERS, 64 * KIB),
    Subject("base subjects", of_text(base_subject), HEADERS, 64 * KIB),
    Subject("letter case", of_text(casemap), HEADERS, 256 * KIB),
    Subject("comparison", compared, HEADERS, 256 * KIB),
    Subject("envelopes", envelope, HEADERS, 64 * KIB, 32 * KIB),
    Subject("structures", structure, HEADERS, 64 * KIB, 16 * KIB),
    Subject("searches", of_text(lambda query: parse_query(query, date(2026, 1, 1))), SEARCHES, 8 * KIB),
    Subject("safe HTML", of_text(safe_html), HTML, 1024 * KIB, 128 * KIB),
    Subject("safe HTML in an attribute", of_text(lambda html: safe_html(f'<p title="{html}">')), HTML, 512 * KIB, 32 * KIB),
    Subject("safe HTML in a style", of_text(lambda html: safe_html(f'<p style="{html}">')), STYLES, 512 * KIB, 32 * KIB),
    Subject("words of HTML", of_text(text_from_html), HTML, 512 * KIB),
    Subject("costs of HTML", of_text(lambda html: (is_costly(html), without_tags(html))), HTML, 1024 * KIB),
    Subject("styles", of_text(styled), STYLES, 64 * KIB),
    Subject("an HTML body", body("text/html"), HTML, 256 * KIB, 32 * KIB),
    Subject("an HTML body in UTF-8", body("text/html", charset="utf-8"), HTML, 256 * KIB, 32 * KIB),
    Subject("a body in quoted-printable", body("text/plain", "quoted-printable"), BODIES, 1024 * KIB),
    Subject("base64", lambda octets: decode(octets, "base64"), BODIES, 1024 * KIB),
    Subject("quoted-printable", lambda octets: decode(octets, "quoted-printable"), BODIES, 1024 * KIB),
    Subject("uuencode", lambda octets: decode(b"begin \n" + octets, "x-uue"), BODIES, 1024 * KIB),
    Subject("grids", lambda octets: grid_of(octets, len(octets) + 9), BODIES, 256 * KIB),
    *(
        Subject(f"text in {charset}", lambda octets, charset=charset: decode_text(octets, charset), BODIES, 256 * KIB)  # type: ignore[misc]
        for charset in ("utf-7", "iso-2022-jp", "iso-2022-kr", "hz", "gb18030", "euc-jp")
    ),
    Subject("a tree", mixed, BODIES, 8192 * KIB, 256 * KIB),
    Subject("a tree of words", spaced, BODIES, 8192 * KIB, 512 * KIB),
    Subject("a bounce", bounce, (*BODIES, *HEADERS), 64 * KIB, 16 * KIB),
    Subject("a sender of bounces", lambda octets: whole(b"X-Failed-Recipients: %b\nX-Mailer: %b\nFrom: %b\nSubject: %b\n\nHi. This is the" % (octets, octets, octets, octets)), HEADERS, 64 * KIB, 16 * KIB),
    Subject("a delivery status", lambda octets: read_notice(b"Final-Recipient: rfc822; " + octets, "delivery", ""), (*BODIES, *HEADERS), 64 * KIB),
    Subject("a receipt", lambda octets: read_notice(b"Disposition: " + octets, "disposition", ""), (*BODIES, *HEADERS), 64 * KIB),
    Subject("ways to unsubscribe", lambda octets: read_unsubscribe([RawHeader("List-Unsubscribe", b"<mailto:a@b?" + octets), RawHeader("List-Unsubscribe", b"<https://" + octets)]), HEADERS, 64 * KIB),
    Subject("a message", whole, (*BODIES, *HEADERS), 4096 * KIB, 32 * KIB),
)  # fmt: skip


@pytest.mark.timeout(3600 if LONG else 150)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_pumped_text_takes_linear_time(subject: Subject) -> None:
    """R-MIME-23."""
    grown = subject.grown()
    assert not grown, "\n".join(map(str, grown))
