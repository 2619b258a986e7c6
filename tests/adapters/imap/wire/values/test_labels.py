"""Gmail's labels as they are read from the wire."""

import json
from time import thread_time

import pytest

from service.adapters.imap.wire.responses import each_row
from service.adapters.imap.wire.tokens import Token, parse
from service.adapters.imap.wire.values.labels import MAX_LABELS, labels_from_wire, labels_json

NAME = b"X-GM-LABELS"


@pytest.mark.parametrize(
    ("wire", "labels"),
    [
        (b"()", ()),
        (b"NIL", ()),
        (b"(\\Inbox \\Sent Important \"Muy Importante\")", ("\\Inbox", "\\Sent", "Important", "Muy Importante")),
        (b'("\\\\Inbox" "\\\\foo" &ANw-bung R&-D "la(bel" "Google\\" Gadgets")', ("\\Inbox", "\\foo", "Übung", "R&D", "la(bel", 'Google" Gadgets')),
        (b'("UID 99" "FLAGS (\\\\Seen)" "MODSEQ (3)")', ("UID 99", "FLAGS (\\Seen)", "MODSEQ (3)")),
        ('("Übung" {5}\r\n a b )'.encode(), ("Übung", " a b ")),
        (b"(a a b)", ("a", "b")),
    ],
)  # fmt: skip
def test_labels_are_read_in_every_form(wire: bytes, labels: tuple[str, ...]) -> None:
    """R-IMAP-73: quoted or bare, in modified UTF-7 or UTF-8; what a label is called is never read as an item."""
    [(uid, row)] = each_row([b"1 FETCH (X-GM-LABELS " + wire + b" UID 7 FLAGS ())"])
    assert (uid, row[b"FLAGS"]) == (7, [])
    assert labels_from_wire(row[NAME]) == labels
    assert json.loads(labels_json(row[NAME])) == list(labels)


@pytest.mark.parametrize(
    "labels", ["", '"\\\\Inbox" Work', '"a\\"b" "(" ")" c', "\\Inbox \\Sent", '"', '"a', "a(b", "(a) b", 'a"b"', '"\\', " ".join("x" * 3000)]
)  # fmt: skip
def test_the_quick_way_reads_what_the_other_way_reads(labels: str) -> None:
    """R-IMAP-73: rows of known messages, in Gmail's order and in another one."""
    written = labels.encode()
    [quick, *_] = [*each_row([b"3 FETCH (X-GM-LABELS (" + written + b") UID 7 FLAGS (\\Seen))"]), None]
    [usual, *_] = [*each_row([b"3 FETCH (UID 7 X-GM-LABELS (" + written + b") FLAGS (\\Seen))"]), None]
    assert (quick is None) is (usual is None)
    if quick and usual:
        assert {name: quick[1].get(name) for name in (b"UID", b"FLAGS", NAME)} == {
            name: usual[1].get(name) for name in (b"UID", b"FLAGS", NAME)
        }


def test_very_many_labels_and_long_ones_are_bounded() -> None:
    """R-IMAP-30, R-IMAP-73: 200 rows of other labels each cost little together."""
    rows: list[Token] = [[b"label %d %d" % (row, at) for at in range(10_000)] for row in range(200)]
    began = thread_time()
    sizes = [len(json.loads(labels_json(row))) for row in rows]
    assert thread_time() - began < 0.5
    assert sizes == [MAX_LABELS] * 200
    assert labels_from_wire([b"x" * 1001, b"y"]) == ("y",)
    assert labels_from_wire(parse(b'("\x00\x1b[1m")')[0]) == ("��[1m",)
