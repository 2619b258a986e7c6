"""Mail that would hold up the event loop, fill memory or hide behind its own length: each bounded, and said so."""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.messages.envelope import addresses, text
from service.mail.mime.headers.addresses import MAX_TOKENS, parse_addresses
from service.mail.mime.headers.words import MAX_SHOWN, decode_words, shown_text
from service.mail.mime.html.safe_html import safe_html
from service.mail.mime.message import read_message, read_summary
from service.mail.mime.structure import parse
from service.mail.mime.transfer.decoding import PIECE, decode
from service.mail.model import MessageBody

MIB = 1 << 20
ROOT = b"Content-Type: multipart/mixed; boundary=b\n\n"


def calls(work: Callable[[], object]) -> int:
    """How many functions of Python were entered: work counted, whatever the machine."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def body(source: bytes) -> MessageBody:
    return read_message(source, id="m", folder_id="f", size=None).body


@pytest.mark.parametrize("root", [b"A: b\n\n", ROOT, b'Content-Type: multipart/mixed; boundary="-x y"\n\n'])
@pytest.mark.parametrize("line", [b"--\n", b"-\n", b"---x\n", b"--bb\n", b"--\xff\n", b"--" + b"-" * 5000 + b"\n"])
def test_lines_that_look_like_delimiters_are_read_many_at_a_time(root: bytes, line: bytes) -> None:
    """R-MIME-24: millions of them in a message of 8 MB, in a part and in a header."""
    assert calls(lambda: parse(root + line * (8 * MIB // len(line)))) < 20_000
    assert calls(lambda: parse(ROOT + b"--b\nA: b\n" + line * (MIB // len(line)))) < 20_000


def test_a_delimiter_behind_a_million_look_alikes_is_found() -> None:
    """R-MIME-24."""
    source = ROOT + b"--b\n\n" + b"--c\n" * MIB + b"--b x\n\nlast\n--b--\n"
    first, last = parse(source).children
    assert source[first.body_start : first.stop] == (b"--c\n" * MIB)[:-1]
    assert source[last.body_start : last.stop] == b"last"


def test_a_boundary_that_is_too_long_is_ignored() -> None:
    """R-MIME-24: the message says so, and its text is there."""
    name = b"b" * 1000
    found = body(b"Content-Type: multipart/mixed; boundary=" + name + b"\n\n--" + name + b"\n\nhello\n")
    assert "hello" in (found.text or "")
    assert found.warnings == ("structure-truncated",)


@pytest.mark.parametrize("unit", ["&", "<", "&#", "&a", "<p>", "\xa0", "&nbsp;", "\xbb", "&copy;", "</", '<a x="'])
def test_a_million_marks_cost_little(unit: str) -> None:
    """R-MIME-25: as HTML of a message, made safe and made text."""
    source = b"Content-Type: text/html; charset=utf-8\n\n" + (unit * MIB).encode()[:MIB]
    assert calls(lambda: body(source)) < 300_000
    cleaned = safe_html((unit * MIB)[: MIB // 8]).html
    assert safe_html(cleaned).html == cleaned


def test_what_is_shown_as_plain_text_says_so() -> None:
    """R-MIME-25."""
    kind = b"Content-Type: text/html; charset=utf-8\n\n"
    assert body(kind + "\xbb x".encode() * 20_000).warnings == ("html-simplified",)
    assert body(kind + b"<div>" * 1000 + b"x").warnings == ("html-simplified",)
    assert body(kind + b"<p>&raquo;&nbsp;x</p>" * 100).warnings == ()


def test_many_spaces_that_do_not_break_become_plain_ones() -> None:
    """R-MIME-25: a few stay as they are."""
    assert safe_html("<p>a&nbsp;b\xa0c&#160;d</p>").html == "<p>a&nbsp;b&nbsp;c&nbsp;d</p>"
    assert safe_html("<p>a&nbsp;b</p>" * 20_000).html == "<p>a b</p>" * 20_000


@pytest.mark.parametrize("unit", [b"=?a?b?", b"=?a?b? ", b"=?utf-8?q?a?=", b"=?utf-8?b?YQ==?= =?a?q?b?= "])
def test_the_end_of_an_encoded_word_is_looked_for_once(unit: bytes) -> None:
    """R-MIME-26: what one costs does not depend on how many there are."""
    few, many = (calls(lambda: decode_words(unit * count)) for count in (500, 2000))  # noqa: B023 - used at once
    assert many <= 4 * few + 10


def test_separators_without_addresses_cost_nothing() -> None:
    """R-MIME-26."""
    assert parse_addresses(b", ;:" * 50_000 + b"a@example.org") == ()
    assert calls(lambda: parse_addresses(b"," * 200_000)) < 8 * MAX_TOKENS


def test_text_that_a_limit_cuts_is_not_an_address() -> None:
    """R-MIME-26: rather none than one that is not what the sender wrote."""
    found = parse_addresses(b"x," * (MAX_TOKENS // 2 - 1) + b"anna@example.org", limit=MAX_TOKENS)
    assert {one.email for one in found} == {"x"}


def test_long_values_are_not_remembered() -> None:
    """R-MIME-27: caches of values that recur do not hold long values, which do not recur."""

    def read(number: int) -> None:
        long = b"%d" % number + b"x" * 64_000
        addresses([[long, None, long, b"example.org"]])
        read_structure([b"text", b"plain", [b"name", long], long, None, b"7bit", b"1", b"1", None, [b"inline", [b"filename", long]]])  # fmt: skip

    read(0)
    tracemalloc.start()
    try:
        for number in range(1, 200):
            read(number)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < MIB


def test_a_long_subject_is_cut_and_ends_in_an_ellipsis() -> None:
    """R-MIME-29: between words, encoded or not; a list and a message agree, whatever the protocol."""
    raw = b"=?utf-8?q?w=C3=B6rter?= " * 2000
    block = b"Subject: " + raw + b"\n\n"
    shown = read_summary(block, id="m", folder_id="f", size=None).subject
    assert shown is not None
    assert shown.endswith("w\xf6rter\u2026")
    assert "=?" not in shown
    assert shown == shown_text(raw)
    assert shown == text(raw)
    assert shown == read_message(block, id="m", folder_id="f", size=None).subject
    assert text(b"x" * MAX_SHOWN) == "x" * MAX_SHOWN
    assert text(b"x" * MAX_SHOWN + b"y") == "x" * MAX_SHOWN + "\u2026"


def test_names_and_addresses_are_cut_like_subjects() -> None:
    """R-MIME-29."""
    [one] = addresses([[b"n" * MIB, None, b"l" * 100, b"example.org"]])
    assert one.name is None or len(one.name) <= MAX_SHOWN + 1
    found = addresses([[b"n" * 9000, None, b"l" * 9000, b"example.org"]] * 1000)
    assert all(len(each.name or "") == len(each.email) == MAX_SHOWN + 1 for each in found)
    assert 0 < len(found) < 20  # of a thousand
    [one] = parse_addresses(b"n" * 9000 + b" <a@example.org>")
    assert one.name == "n" * MAX_SHOWN + "\u2026"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "x-uuencode", "7bit"])
def test_how_pieces_are_cut_changes_no_octet(encoding: str) -> None:
    """R-MIME-24: encodings are undone a piece at a time, so that others get their turn."""
    line = {"base64": b"QUJDREVG", "quoted-printable": b"a=C3=BC b =", "x-uuencode": b"&0T%41$5&"}.get(encoding, b"a")
    octets = b"begin 644 x\n" + b"\r\n".join([line] * (5 * PIECE // (len(line) + 2))) + b"\r\nend\r\n"
    alone = b"".join(decode(each, encoding) for each in [octets])
    assert decode(octets[: PIECE // 2], encoding) == alone[: len(decode(octets[: PIECE // 2], encoding))]
