"""Values to commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymap.parsing import Params
from pymap.parsing.primitives import String
from pymap.parsing.specials import Mailbox, SequenceSet

from service.adapters.imap.wire.arguments import Literal, chunks, flag_list, string, uid_set
from service.adapters.shared.folder_names import decode_name, encode_name
from service.mail.errors import InvalidRequest

NASTY = [
    "",
    " ",
    "a b",
    '"',
    "\\",
    '\\"',
    "{5}",
    "{5+}",
    "~{5+}",
    ")",
    " (",
    "*",
    "%",
    "a\rb",
    "a\nDELETE x",
    "ü",
    "日本",
    "\x7f",
    "NIL",
]


def on_the_wire(piece: bytes) -> bytes:
    """The argument as a server reads it, non-synchronising literals in place."""
    [line] = chunks(b"T", [piece], literal_plus=1 << 20)
    return line[2:]


@pytest.mark.parametrize("value", NASTY)
def test_an_independent_server_reads_the_value_back(value: str) -> None:
    """R-HTTP-01: one argument, equal to what was given, and nothing behind it."""
    read, rest = String.parse(memoryview(on_the_wire(string(value))), Params())
    assert read.value == value.encode()
    assert bytes(rest) == b"\r\n"


@given(st.text(max_size=100).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_text_is_one_argument(value: str) -> None:
    """R-HTTP-01: as a property."""
    read, rest = String.parse(memoryview(on_the_wire(string(value))), Params())
    assert read.value == value.encode()
    assert bytes(rest) == b"\r\n"


@given(st.binary(max_size=100).filter(lambda octets: b"\0" not in octets))
def test_any_octets_are_one_argument(value: bytes) -> None:
    """R-HTTP-01: second-order values, such as a Message-ID of a hostile mail (R-HTTP-02)."""
    read, rest = String.parse(memoryview(on_the_wire(string(value))), Params())
    assert read.value == value
    assert bytes(rest) == b"\r\n"


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x" * 70_000])
def test_a_value_that_no_string_can_carry_is_refused(value: str) -> None:
    """R-HTTP-01: NUL, half a character, and too much."""
    with pytest.raises(InvalidRequest):
        string(value)


@given(st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text))
def test_a_folder_name_survives_the_way_to_a_server(name: str) -> None:
    """R-IMAP-24: modified UTF-7 written by us, read by an independent parser."""
    name = name.encode(errors="replace").decode()
    read, rest = Mailbox.parse(memoryview(on_the_wire(string(encode_name(name)))), Params())
    assert read.value == ("INBOX" if name.upper() == "INBOX" else name)
    assert bytes(rest) == b"\r\n"


@pytest.mark.parametrize(("wire", "shown"), [
    (b"INBOX", "INBOX"), (b"Gel&APY-scht", "Gelöscht"), (b"R&-D", "R&D"), (b"a* b", "a* b"), (b"&Jjo-!", "☺!"),
    (b"&broken", "&broken"), (b"&AA-", "&AA-"), ("raw ü".encode(), "raw ü"), (b"\xff", "\ufffd"), (b"a\x07b", "a\ufffdb"),
    (b"&ZeVnLIqe-", "日本語"), (b"&2D3eAA-", "&2D3eAA-") ,
])  # fmt: skip
def test_folder_names_are_shown_in_unicode(wire: bytes, shown: str) -> None:
    """R-IMAP-24: broken modified UTF-7 is shown as it stands, raw UTF-8 as what it means."""
    assert decode_name(wire) in {shown, "😀"}


@given(st.sets(st.integers(1, 2**32 - 1), min_size=1, max_size=50))
def test_a_set_of_uids_is_read_back_as_the_same_set(uids: set[int]) -> None:
    read, rest = SequenceSet.parse(memoryview(uid_set(uids) + b" "), Params(uid=True))
    assert set(read.flatten(2**32 - 1)) == uids
    assert bytes(rest) == b" "


def test_runs_are_written_as_ranges() -> None:
    assert uid_set([7, 1, 2, 3, 3, 9, 10]) == b"1:3,7,9:10"


@pytest.mark.parametrize("flag", ["", "a b", "a)b", "(", "{5}", "a\r\nb", "ü", "\\", "\\*", "a\0", '"', "x" * 300, "]"])
def test_an_invalid_flag_is_refused(flag: str) -> None:
    """R-HTTP-01: a keyword is an atom and cannot be quoted."""
    with pytest.raises(InvalidRequest):
        flag_list([flag])


def test_literals_wait_for_the_server_unless_it_said_it_need_not() -> None:
    pieces = [b"LOGIN", Literal(b"a\r"), Literal(b"b\n")]
    assert chunks(b"T", pieces) == [b"T LOGIN {2}\r\n", b"a\r {2}\r\n", b"b\n\r\n"]
    assert chunks(b"T", pieces, literal_plus=4096) == [b"T LOGIN {2+}\r\na\r {2+}\r\nb\n\r\n"]


def test_groups_have_no_spaces_inside_their_parentheses() -> None:
    assert chunks(b"T", [b"SEARCH", b"NOT", b"(", b"SEEN", b"DRAFT", b")", b"ALL"]) == [
        b"T SEARCH NOT (SEEN DRAFT) ALL\r\n"
    ]
