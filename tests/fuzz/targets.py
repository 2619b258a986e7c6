"""What may be given any octets, and what must hold of the answer. Whatever else is raised is a find."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import date
from typing import Any

from service.adapters.imap.messages.envelope import read_summary, structure_of
from service.adapters.imap.messages.folder_messages import read_row
from service.adapters.imap.wire.octets.framing import Framer, Limits
from service.adapters.imap.wire.responses import fetch_rows, found_uids, list_rows, status_rows
from service.adapters.imap.wire.status import read_status
from service.adapters.imap.wire.tokens import parse
from service.mail.errors import InvalidQuery, UpstreamProtocol
from service.mail.mime.headers.fields import split_headers
from service.mail.mime.html.safe_html import safe_html, text_from_html
from service.mail.mime.message import read_message
from service.mail.search.grammar.parser import parse_query
from tests.fuzz.jmap import SEEDS as JMAP_SEEDS
from tests.fuzz.jmap import jmap
from tests.now import now
from tests.pumps import growth

LIMITS = Limits(line=1 << 16, literal=1 << 16, response=1 << 18)
TODAY = date(2026, 1, 31)
SIZES = (8 << 10, 16 << 10, 32 << 10)
HARM = 0.5
"""Seconds at the largest. What is refused at one size and read at the next grows by a step, which does no harm."""
BOUND = 2.0
"""Seconds for the largest of them, under a fuzzer's instruments: linear work takes a tenth."""
Target = Callable[[bytes], None]


def wire(octets: bytes) -> None:
    """What an IMAP server says: cut anywhere it is the same or refused alike, and a row that can be read is JSON."""
    half = len(octets) // 2
    whole = _framed(octets)
    assert whole == _framed(octets[:half], octets[half:])
    told = [response.removeprefix(b"* ") for response in whole or ()]
    for response in told:
        read_status(response)
    reads: list[Callable[[list[bytes]], Coroutine[Any, Any, object]]] = [found_uids, list_rows, status_rows]
    for read in reads:
        with suppress(UpstreamProtocol):
            now(read(told))
    with suppress(UpstreamProtocol):
        rows = now(fetch_rows(told))
        for row in rows.values():
            read_summary(row, "m", "f", structure_of(row)).model_dump_json()
        for uid, row in now(fetch_rows(told, as_usual=True)).items():
            one, other = read_row(row, "m", "f"), read_row(rows[uid], "m", "f")
            assert (one.row, one.details) == (other.row, other.details)


def _framed(*pieces: bytes) -> list[bytes] | None:
    framer, found = Framer(LIMITS), []
    try:
        for piece in pieces:
            found += framer.feed(piece)
    except UpstreamProtocol:
        return None
    return found


def tokens(octets: bytes) -> None:
    """A prefix of the grammar, repeated: the tokeniser's time grows no faster than the octets."""
    _grows(parse, octets)


def framing(octets: bytes) -> None:
    """The same of the framer, however the octets are cut."""
    _grows(
        lambda pumped: [
            framer.feed(pumped[at : at + 1000]) for framer in (Framer(LIMITS),) for at in range(0, len(pumped), 1000)
        ],
        octets,
    )


def _grows(read: Callable[[bytes], object], octets: bytes) -> None:
    if octets:
        grown = [each for each in growth(read, [octets[:200]], SIZES, BOUND) if each.seconds[-1] > HARM]
        assert not grown, str(grown[0])


def mail(octets: bytes) -> None:
    """A message: JSON, and its headers are all of its head."""
    read_message(octets, id="m", folder_id="f", size=len(octets)).model_dump_json()
    split_headers(octets)


def html(octets: bytes) -> None:
    """Cleaning what is clean changes nothing, and there is a text in everything."""
    clean = safe_html(octets.decode(errors="replace")).html
    assert safe_html(clean).html == clean
    text_from_html(clean)


def search(octets: bytes) -> None:
    """The search box: a filter, or a column within the text."""
    text = octets.decode(errors="replace")
    column = 1
    try:
        parse_query(text, TODAY)
    except InvalidQuery as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


TARGETS: dict[str, tuple[Target, list[bytes]]] = {
    "wire": (wire, [
        b'* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 9 INTERNALDATE "01-Jan-2026 00:00:00 +0000" ENVELOPE (NIL "a" ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<a@b>"))\r\n',
        b'* 1 FETCH (UID 1 BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 1 1) "mixed") BODY[1]<0> {3}\r\nabc)\r\nA1 OK done\r\n',
        b'* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 90 ENVELOPE ("Thu, 1 Jan 2026 00:00:00 +0000" {1}\r\na (("A" NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<a@b>") BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 1 1 NIL NIL NIL NIL) BODY[HEADER.FIELDS (DATE FROM TO SUBJECT)]<0> {16}\r\nFrom: A <a@b>\r\n\r\n)\r\n',
        b'* LIST (\\Noselect) "/" {3}\r\na/b\r\n* STATUS INBOX (MESSAGES 1)\r\n* ESEARCH (TAG "A") UID ALL 1:3,7\r\n* SEARCH 1 2\r\n',
    ]),
    "tokens": (tokens, [b'"\\"', b"BODY[ ", b"(a ", b"{0}\r\n", b'"a" ', b"() "]),
    "framing": (framing, [b"* a\r\n", b"{0}\r\n", b"{3}\r\nabc", b"A1 OK [\r\n", b"\r", b"* {"]),
    "mail": (mail, [
        b"From: =?utf-8?q?a?= <a@b>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n",
        b"Subject: x\r\nDate: Thu, 01 Jan 2026 00:00:00 +0100\r\nContent-Disposition: attachment; filename*0*=utf-8''%C3; filename*1=a\r\n\r\nx",
    ]),
    "html": (html, [b'<p style="color:red">a<img src="cid:x"><a href="https://example.org">b</a><svg><style><!--</style><math><mi>']),
    "search": (search, [b'from:anna (subject:"due date" or -is:read) after:2026-01-01 larger:5M newer_than:7d in:inbox']),
    "jmap": (jmap, JMAP_SEEDS),
}  # fmt: skip
