"""Rows that break the grammar."""

import time

import pytest

from service.adapters.imap.wire.responses import UNREADABLE, fetch_rows, list_rows, octets
from service.adapters.imap.wire.tokens import Token
from service.mail.errors import UpstreamProtocol

GOOD = b'LIST (\\HasNoChildren) "/" Good'


@pytest.mark.parametrize(
    ("row", "name", "delimiter"),
    [
        (b'LIST () "/" NIL', b"NIL", "/"), (b'LIST () NIL "NIL"', b"NIL", None),
        (b'LIST () "/" "12" disks"', b'12" disks', "/"), (b'LIST () "/" "The "best" ones"', b'The "best" ones', "/"),
        (b'LIST () "/" INBOX/My Folder', b"INBOX/My Folder", "/"), (b'LIST () "/" a\tb\t', b"a\tb\t", "/"),
        (b'LIST () "/" My (old) Folder', b"My (old) Folder", "/"), (b'LIST () "/" My (old)', b"My (old)", "/"),
        (b'LIST () "/" x ("CHILDINFO" ("SUBSCRIBED"))', b"x", "/"), (b'LIST () "/" "x y" (CHILDINFO ())', b"x y", "/"),
        (b'LIST () "/" My Folder ("CHILDINFO" ("SUBSCRIBED"))', b"My Folder", "/"),
        (b'LIST () "\\" a\\b', b"a\\b", "\\"), (b'LIST () "\\\\" "a\\\\b"', b"a\\b", "\\"),
        (b'LIST () "/" {5}\r\na"b c', b'a"b c', "/"), (b'LIST () "." ""', b"", "."),
    ],
)  # fmt: skip
async def test_a_folder_is_listed_by_its_whole_name(row: bytes, name: bytes, delimiter: str | None) -> None:
    """R-IMAP-48: names without quotes, with unescaped quotes, and of the letters NIL."""
    rows = await list_rows([row, GOOD])
    assert [(row.name, row.delimiter) for row in rows] == [(name, delimiter), (b"Good", "/")]


async def test_a_row_without_a_name_does_not_cost_the_other_folders() -> None:
    """R-IMAP-48: unless there are no others."""
    assert [row.name for row in await list_rows([b"LIST x", GOOD, b"LIST ()"])] == [b"Good"]
    with pytest.raises(UpstreamProtocol):
        await list_rows([b"LIST x"])


@pytest.mark.parametrize(
    "row",
    [
        b'LIST () "/" "' + b'\\"' * 400_000, b'LIST () "/" ' + b'" ' * 400_000 + b"x", b'LIST () "/" "x' + b" " * 900_000,
        b'LIST () "/" "a"' + b' ("CHILDINFO" ' * 60_000, b"LIST (" + b"(" * 900_000,
    ],
)  # fmt: skip
async def test_a_row_without_end_costs_linear_time(row: bytes) -> None:
    """R-IMAP-48: quadratic work would take minutes."""
    began = time.process_time()
    await list_rows([row, GOOD])
    assert time.process_time() - began < 10


READABLE = b"9 FETCH (UID 9 FLAGS (\\Seen) RFC822.SIZE 1)"
ODD = b'ENVELOPE ("x" "5" disk" NIL)'


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (b"1 FETCH (UID 5 FLAGS (\\Seen x) RFC822.SIZE 3 " + ODD + b")", {b"FLAGS": [b"\\Seen", b"x"], b"RFC822.SIZE": b"3"}),
        (b"1 FETCH (" + ODD + b" UID 5 MODSEQ (7))", {b"MODSEQ": [b"7"]}),
        (b"1 FETCH (FLAGS () " + ODD + b" UID 5)", {b"FLAGS": []}),
        (b"1 FETCH (UID 5 BODYSTRUCTURE (((())", {}),
        (b"1 FETCH (UID 5 " + ODD + b" BODY[HEADER] {9}\r\n\r\nUID 77 )", {}),
    ],
)  # fmt: skip
async def test_an_unreadable_row_gives_what_is_known(row: bytes, known: dict[bytes, Token]) -> None:
    """R-IMAP-48: the rows of other messages are read, and the one is marked so that it is read in another way."""
    rows = await fetch_rows([row, READABLE])
    assert rows.keys() == {5, 9}
    assert UNREADABLE in rows[5]
    assert UNREADABLE not in rows[9]
    items = {name: value for name, value in rows[5].items() if len(name) > 1 and name != b"UID"}
    assert items == known
    with pytest.raises(UpstreamProtocol):
        octets(rows[5], b"BODY[]<0>")


@pytest.mark.parametrize(
    "row",
    [
        b'1 FETCH (ENVELOPE ("x" "a" UID 7 " NIL))', b'1 FETCH (ENVELOPE ("x" "a) UID 7 FLAGS (" y" NIL))',
        b"1 FETCH (" + ODD + b" BODY[TEXT] {9}\r\nx) UID 7 )", b'1 FETCH (ENVELOPE ("UID 7 ( NIL)',
    ],
)  # fmt: skip
async def test_text_of_a_sender_names_no_message(row: bytes) -> None:
    """R-IMAP-48: what a subject or a body says is not read as the UID of the row."""
    assert (await fetch_rows([row, READABLE])).keys() == {9}


async def test_a_literal_of_a_wrong_size_ends_the_answer() -> None:
    """R-IMAP-48, R-IMAP-05: then nothing that follows can be relied on."""
    with pytest.raises(UpstreamProtocol):
        await fetch_rows([b"1 FETCH (UID 5 BODY[] {3}\r\nabcdefg)"])
