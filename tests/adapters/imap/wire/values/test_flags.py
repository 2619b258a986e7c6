"""Flags as they are read from the wire."""

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from service.adapters.imap.wire.tokens import Token
from service.adapters.imap.wire.values.flags import from_wire, json_from_wire

MB = 1 << 20


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def one_large(number: int) -> list[Token]:
    return [b"\\Seen", b"%d" % number * (MB // 4)]


def many_small(number: int) -> list[Token]:
    return [b"k%d-%d" % (number, at) for at in range(5000)]


@pytest.mark.parametrize("made", [one_large, many_small])
@pytest.mark.usefixtures("traced")
def test_large_sets_of_flags_are_read_and_not_cached(made: Callable[[int], list[Token]]) -> None:
    """R-IMAP-25: a server that sends other flags for every message takes no memory by it."""
    before = tracemalloc.get_traced_memory()[0]
    for number in range(100, 140):
        flags = made(number)
        names = from_wire(flags)
        assert len(names) == len(flags)
        assert json_from_wire(flags).count(b",") == len(flags) - 1
    del flags, names
    assert tracemalloc.get_traced_memory()[0] - before < MB


def test_flags_have_their_names_of_json() -> None:
    """R-IMAP-25"""
    flags: Token = [b"\\SEEN", b"\\Recent", b"Work", b"work", b"\xff"]
    assert from_wire(flags) == ("$seen", "work", "\N{REPLACEMENT CHARACTER}")
    assert json_from_wire(flags) == '["$seen","work","\N{REPLACEMENT CHARACTER}"]'.encode()
    assert json_from_wire(None) == b"[]"


def test_a_keyword_may_be_named_nil() -> None:
    """R-IMAP-25: it is the same keyword whether the flags were read as tokens or as text."""
    assert from_wire([b"\\Seen", None]) == from_wire(b"\\Seen NIL") == ("$seen", "nil")
    assert json_from_wire([b"\\Seen", None]) == json_from_wire(b"\\Seen NIL")
