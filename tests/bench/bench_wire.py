"""What a page and a part cost in this process: ``make bench``. Figures are for comparing within one run."""

from collections.abc import Callable
from typing import Any

from service.adapters.imap.messages.envelope import read_summary, structure_of
from service.adapters.imap.wire.octets.framing import Framer, Limits
from service.adapters.imap.wire.responses import fetch_rows
from service.mail.mime.transfer.decoding import decoder
from service.mail.model import Page
from tests.now import now

Benchmark = Callable[..., Any]
ROW = (
    b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "01-Sep-2026 08:00:00 +0000" RFC822.SIZE 20000 ENVELOPE '
    b'("Tue, 01 Sep 2026 08:00:00 +0000" "=?utf-8?q?Gr=C3=B6=C3=9Fe?= of a thing" (("Ann Example" NIL "ann" "example.org")) '
    b'(("Ann Example" NIL "ann" "example.org")) (("Ann Example" NIL "ann" "example.org")) ((NIL NIL "bob" "example.org")) NIL NIL '
    b'"<0@example.org>" "<1@example.org>") BODYSTRUCTURE ((("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 900 20 '
    b'NIL NIL NIL NIL)("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" 1900 40 NIL NIL NIL NIL) "alternative" '
    b'("boundary" "b") NIL NIL NIL)("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 9000 NIL ("attachment" ("filename" '
    b'"a.pdf")) NIL NIL) "mixed" ("boundary" "a") NIL NIL NIL))\r\n'
)
PAGE = b"".join(ROW % (n, n) for n in range(1, 51))
FLAGS = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(1, 10_001))
BASE64 = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n" * 13_000


def framed(octets: bytes) -> list[bytes]:
    framer = Framer(Limits())
    return [one[2:] for at in range(0, len(octets), 65536) for one in framer.feed(octets[at : at + 65536])]


def test_framing_ten_thousand_flags(benchmark: Benchmark) -> None:
    assert len(benchmark(framed, FLAGS)) == 10_000


def test_rows_of_ten_thousand_flags(benchmark: Benchmark) -> None:
    assert len(benchmark(lambda: now(fetch_rows(framed(FLAGS))))) == 10_000


def test_rows_of_a_page_of_fifty(benchmark: Benchmark) -> None:
    assert len(benchmark(lambda: now(fetch_rows(framed(PAGE))))) == 50


def test_values_of_a_page_of_fifty(benchmark: Benchmark) -> None:
    rows = now(fetch_rows(framed(PAGE)))
    assert len(benchmark(lambda: [read_summary(row, "m", "f", structure_of(row)) for row in rows.values()])) == 50


def test_json_of_a_page_of_fifty(benchmark: Benchmark) -> None:
    page = Page(
        items=tuple(read_summary(row, "m", "f", structure_of(row)) for row in now(fetch_rows(framed(PAGE))).values())
    )
    assert benchmark(lambda: page.model_dump_json(by_alias=True, exclude_none=True))


def test_decoding_a_megabyte_of_base64(benchmark: Benchmark) -> None:
    assert benchmark(lambda: decoder("base64").feed(BASE64))
