"""Mail made to stop its reader: every case within a budget of CPU time, several times what it takes."""

import time
from collections.abc import Callable

import pytest

from service.mail.mime.body import Leaf, read_body
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.addresses import parse_addresses, sender_warnings
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import parse_message_ids, split_headers
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.headers.words import decode_words
from service.mail.mime.html.safe_html import safe_html, text_from_html
from service.mail.mime.message import read_message
from service.mail.mime.transfer.decoding import decode
from service.mail.model import Part

BUDGET = 10.0
MIB = 1024 * 1024


def within_budget(work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    assert time.process_time() - start < BUDGET


def read(source: bytes) -> str:
    return read_message(source, id="m", folder_id="f", size=len(source)).model_dump_json()


def multiparts(levels: int) -> bytes:
    return (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
        + b"\r\nx"
    )


@pytest.mark.parametrize("levels", [100, 500, 2000, 10_000])
def test_nesting_of_multiparts_is_cut(levels: int) -> None:
    """R-MIME-04."""
    within_budget(lambda: read(multiparts(levels)))


@pytest.mark.parametrize("levels", [100, 500, 2000, 10_000])
def test_nesting_of_messages_is_cut(levels: int) -> None:
    """R-MIME-04."""
    within_budget(lambda: read(b"Content-Type: message/rfc822\r\n\r\n" * levels + b"x"))


ROOT = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(ROOT + b"--b\r\n\r\nx\r\n" * 100_000, id="100k parts"),
        pytest.param(ROOT + b"--b\n" * 100_000, id="100k empty parts"),
        pytest.param(ROOT + b"--b\nA: b\n--c\n" * 100_000, id="parts without an empty line"),
        pytest.param(ROOT + b"--c\n" * 500_000, id="lines that look like delimiters"),
        pytest.param(ROOT + b"-" * 2 * MIB, id="only dashes"),
        pytest.param(ROOT.replace(b"=b", b"=") + b"--\n" * 100_000, id="empty boundary"),
        pytest.param(
            ROOT.replace(b"=b", b"=" + b"b" * 10_000) + (b"--" + b"b" * 10_000 + b"\n\n") * 500, id="10 KB boundary"
        ),
        pytest.param(
            b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n" % (n - 1, n) for n in range(3000)),
            id="boundaries in headers",
        ),
    ],
)
def test_boundaries_take_linear_time(source: bytes) -> None:
    """R-MIME-05."""
    within_budget(lambda: read(source))


@pytest.mark.parametrize(
    "raw",
    [
        b"(" * 5000 + b"a@example.org",
        b"(" * 250_000,
        b", ".join(b"a%d@example.org" % n for n in range(100_000)),
        b"a@example.org," * 16_000,
        b"@" * 300_000,
        b"<" * 300_000,
        b'"\\' * 150_000,
        b"a b " * 70_000,
        b"a . " * 70_000,
        b"=?a?q?" * 50_000,
        b":;" * 150_000,
        b"[" * 300_000,
        b"a:" * 100_000,
        b"()" * 130_000,
        b"\\" * 300_000,
    ],
    ids=lambda raw: f"{raw[:6]!r}x{len(raw)}",
)
def test_addresses_take_linear_time(raw: bytes) -> None:
    """R-MIME-06."""
    within_budget(lambda: (parse_addresses(raw), sender_warnings([raw])))


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: split_headers(b"A: " + b"x" * 50 * MIB), id="50 MB header"),
        pytest.param(lambda: read(b"A: b\r\n" * 1_000_000), id="1M headers"),
        pytest.param(lambda: split_headers(b"A\n" * 130_000), id="no colons"),
        pytest.param(lambda: read(b"Subject: a" + b"\r\n " * 90_000), id="folds"),
        pytest.param(
            lambda: parse_parameters(b"a/b" + b"".join(b"; x*%d*=%%41" % n for n in range(3000))), id="3k pieces"
        ),
        pytest.param(lambda: parse_parameters(b'a/b; x="' + b'\\"' * 40_000), id="escapes"),
        pytest.param(lambda: parse_parameters(b"(" * 70_000), id="parentheses"),
        pytest.param(lambda: parse_parameters(b"a" + b" " * 60_000 + b"/"), id="spaces before a slash"),
        pytest.param(lambda: parse_parameters(b"a/b;" + b"=;" * 40_000), id="empty parameters"),
        pytest.param(lambda: parse_parameters(b"a/b;" + b"\n a" * 30_000), id="folded parameters"),
        pytest.param(lambda: parse_message_ids(b"<" * 256_000), id="open ids"),
        pytest.param(lambda: parse_date(b"9" * 5000), id="digits"),
        pytest.param(lambda: parse_date(b"(" * 5000), id="comments in a date"),
        pytest.param(lambda: file_name("a." * 500_000), id="dots"),
    ],
)
def test_headers_take_linear_time(work: Callable[[], object]) -> None:
    """R-MIME-07, R-MIME-17, R-MIME-20."""
    within_budget(work)


@pytest.mark.parametrize(
    "raw",
    [
        b"=?" * 40_000,
        b"=?a?q?" * 12_000,
        b"=?u?q? " * 9_000 + b"?=",
        b"=?utf-8?q?a?= " * 10_000,
        b"=?utf-8?q?a?= =?utf-8?b?YQ?= " * 5_000,
        b"=?utf-8?b?" + b"A" * 60_000 + b"?=",
    ],
    ids=lambda raw: f"{raw[:12]!r}",
)
def test_encoded_words_take_linear_time(raw: bytes) -> None:
    """R-MIME-10."""
    within_budget(lambda: decode_words(raw))


@pytest.mark.parametrize("charset", ["utf-7", "iso-2022-jp", "iso-2022-kr", "hz", "gb18030", "utf-16", "euc-jp", "x"])
@pytest.mark.parametrize("unit", [b"\x1b$B", b"\x1b(", b"~{", b"+", b"\x0e\xff", b"\xff", b"\x8e\x81"])
def test_charset_states_take_linear_time(charset: str, unit: bytes) -> None:
    """R-MIME-08."""
    within_budget(lambda: decode_text(unit * (256 * 1024 // len(unit)), charset))


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "x-uuencode", "7bit"])
@pytest.mark.parametrize("unit", [b"=", b" ", b"=\r", b"QQ==", b"\n", b"a", b"\0", b" \n", b"begin \n"])
def test_transfer_decoding_takes_linear_time(encoding: str, unit: bytes) -> None:
    """R-MIME-09."""
    within_budget(lambda: decode(unit * (2 * MIB // len(unit)), encoding))


MANY = "".join(f"x{n}=y " for n in range(90_000))


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div>" * 500_000, id="nested"),
        pytest.param("<p>" * 300_000, id="paragraphs"),
        pytest.param("<div></span>" * 80_000, id="depth behind stray end tags"),
        pytest.param("<svg>" + "<td>" * 200_000, id="foreign elements"),
        pytest.param("".join(f"<font color={n}>" for n in range(390)) + "<p>x" * 200_000, id="open formatting"),
        pytest.param(f"<a {MANY}>", id="attributes"),
        pytest.param(f'<!-- <a x=" --> <a {MANY}> "', id="attributes behind a comment"),
        pytest.param("<a" + "".join(f"/x{n}" for n in range(90_000)), id="attributes between slashes"),
        pytest.param("<a " + "".join(f'x{n}=">"' for n in range(60_000)), id="attributes with brackets"),
        pytest.param('<a x="' * 150_000, id="open quotes"),
        pytest.param("&" * 900_000, id="ampersands"),
        pytest.param("&a" * 500_000, id="half references"),
        pytest.param("&notit;" * 140_000, id="unknown references"),
        pytest.param("<select>" + "<option>" * 100_000, id="options"),
        pytest.param("<" * MIB, id="brackets"),
        pytest.param("<!--" * 200_000, id="comments"),
        pytest.param("<table>" + "x<b>" * 200_000, id="text in a table"),
        pytest.param("<img src=http://t.example/a>" * 35_000, id="images"),
        pytest.param("<p style='" + "url(" * 200_000 + "'>", id="open urls"),
        pytest.param("https://t.example/" + "x" * MIB, id="a long address"),
    ],
)
def test_html_takes_bounded_time(html: str) -> None:
    """R-MIME-12, R-MIME-19."""
    within_budget(lambda: (safe_html(html), text_from_html(html)))


def test_fifty_megabytes_of_text_are_cut_first() -> None:
    """R-MIME-19."""
    octets = b"a long line \xc3\xbc\r\n" * (50 * MIB // 16)
    within_budget(lambda: read_body([Leaf(Part(id="1", type="text/plain", charset="utf-8"), octets)], []))
    within_budget(
        lambda: read_body(
            [Leaf(Part(id="1", type="text/html", charset="utf-8"), octets)],
            [Leaf(Part(id="1", type="text/html", charset="utf-8"), octets)],
        )
    )
