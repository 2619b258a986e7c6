"""What a server's answer costs to read grows with its length and no faster, whatever is repeated in it."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from service.adapters.imap.wire.octets.framing import Framer, Limits
from service.adapters.imap.wire.responses import fetch_rows, found_uids, list_rows, sorted_uids, status_rows
from service.adapters.imap.wire.status import read_status
from service.adapters.imap.wire.tokens import parse
from service.adapters.imap.wire.values.numbers import read_ranges
from tests.now import now
from tests.pumps import LONG, growth, pairs

KIB = 1 << 10
BOUND = 5.0
"""Seconds for the largest size: a hundred times what the slowest takes."""
IMAP = (
    b'"', b"\\", b'\\"', b'"\\', b'""', b'"a" ', b'"\\"', b"(", b")", b"()", b"() ", b"((", b"(a ", b"a", b"a ", b" ", b"NIL ", b"{", b"}", b"{0}", b"{0}\r\n",
    b"{1}\r\na", b"~{0}\r\n", b"{3}\r\n(\"{ ", b"{9", b"[", b"]", b"[a", b"[a]", b"BODY[", b"BODY[ ", b"BODY[]", b"BODY[]<0>", b"BODY[]<", b"BODY[]<1", b"BINARY.SIZE[",
    b"BODY[HEADER.FIELDS (a", b"<", b"<0>", b"*", b"* ", b"*\r\n", b"\r", b"\n", b"\r\n", b"\r\n* ", b"\r\n+", b"+ \r\n", b"A1 OK ", b"A1 OK \r\n", b"1", b"1 ", b"1,", b"1:",
    b"1:2,", b"1:4294967295,", b"9", b"UID ", b"UID 1 ", b"FLAGS ", b"FLAGS () ", b"ENVELOPE (", b"MODSEQ (1) ", b"OK [", b"OK [a", b"OK [a ] ", b"NO [", b"* 1 EXPUNGE\r\n",
    b"* LIST () \"/\" a\r\n", b"* SEARCH 1\r\n", b"* 1 FETCH (UID 1)\r\n", b"\0", b"\xff", b"&", b"&AAA", b"&-", b"%",
)  # fmt: skip


class Subject(NamedTuple):
    name: str
    read: Callable[[bytes], object]
    largest: int = 512 * KIB if LONG else 128 * KIB


def framed(octets: bytes) -> object:
    framer = Framer(Limits())
    return [framer.feed(octets[at : at + 4096]) for at in range(0, len(octets), 4096)]


SUBJECTS = (
    Subject("tokens", parse),
    Subject("tokens behind a quote", lambda octets: parse(b'LIST () "/" "' + octets)),
    Subject("tokens behind a bracket", lambda octets: parse(b"BODY[" + octets)),
    Subject("framing", framed),
    Subject("framing behind a literal", lambda octets: framed(b"* {3}\r\nabc" + octets)),
    Subject("a status", lambda octets: read_status(b"OK " + octets)),
    Subject("a code", lambda octets: read_status(b"OK [PERMANENTFLAGS " + octets)),
    Subject("rows", lambda octets: now(fetch_rows([b"1 FETCH (UID 1 " + octets + b")"]))),
    Subject("a row's labels", lambda octets: now(fetch_rows([b"1 FETCH (X-GM-LABELS (" + octets + b") UID 1 FLAGS ())"]))),
    Subject("a row's flags", lambda octets: now(fetch_rows([b"1 FETCH (UID 1 FLAGS (" + octets + b"))"]))),
    Subject("folders", lambda octets: now(list_rows([b'LIST () "/" ' + octets]))),
    Subject("counts", lambda octets: now(status_rows([b"STATUS " + octets]))),
    Subject("a folder's counts", lambda octets: now(status_rows([b"STATUS INBOX (" + octets + b")"]))),
    Subject("a search", lambda octets: now(found_uids([b"SEARCH " + octets]))),
    Subject("an extended search", lambda octets: now(found_uids([b"ESEARCH UID ALL " + octets]))),
    Subject("words of an extended search", lambda octets: now(found_uids([b"ESEARCH " + octets]))),
    Subject("an order", lambda octets: now(sorted_uids([b"SORT " + octets]))),
    Subject("ranges", read_ranges, 64 * KIB),
)  # fmt: skip


@pytest.mark.timeout(3600 if LONG else 150)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_pumped_answer_takes_linear_time(subject: Subject) -> None:
    """R-IMAP-31: every beginning the grammar has, repeated."""
    sizes = tuple(subject.largest >> shift for shift in (2, 1, 0))
    grown = growth(subject.read, list(pairs(IMAP)) if LONG else IMAP, sizes, BOUND)
    assert not grown, "\n".join(map(str, grown))
