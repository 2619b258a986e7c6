"""Where an answer ends, held against a slow and obvious reading of RFC 1939, 3."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.pop3.wire.dot_stuffing import Unstuffer
from tests.adapters.pop3.server import stuffed

fragments = st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"base64", b"\r\n.", b"\n.\n"]))
cuts = st.lists(st.integers(1, 7), min_size=1)


def in_pieces(unstuffer: Unstuffer, octets: bytes, lengths: list[int]) -> bytes:
    """Feeds ``octets`` in pieces of these lengths, again and again."""
    out, place, turn = b"", 0, 0
    while place < len(octets):
        length = lengths[turn % len(lengths)]
        out += unstuffer.feed(octets[place : place + length])
        place, turn = place + length, turn + 1
    return out


@given(fragments, cuts, st.sampled_from([b"", b"+OK next\r\n", b".\r\n"]))
def test_any_message_comes_back_whole_in_any_chunks(parts: list[bytes], lengths: list[int], after: bytes) -> None:
    """R-POP-01: exact octets, whatever the segments; what comes after the end is kept apart."""
    message = b"".join(parts)
    wire = stuffed(message) + b".\r\n" + after
    unstuffer = Unstuffer()
    got = in_pieces(unstuffer, wire, lengths)
    assert got == (message if message.endswith(b"\r\n") or not message else message + b"\r\n")
    assert unstuffer.ended
    assert unstuffer.rest == after


@given(st.binary(max_size=200), cuts)
def test_any_octets_read_the_same_in_any_chunks(wire: bytes, lengths: list[int]) -> None:
    """R-POP-01: chunking never decides what is an end."""
    whole, pieces = Unstuffer(), Unstuffer()
    assert whole.feed(wire) == in_pieces(pieces, wire, lengths)
    assert (whole.ended, whole.rest) == (pieces.ended, pieces.rest)


@pytest.mark.parametrize(
    ("wire", "message", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"..\r\n.\r\n", b".\r\n", b""),
        (b"...\r\n.\r\n", b"..\r\n", b""),
        (b".a\r\n.\r\n", b"a\r\n", b""),
        (b"a\n.\n\r\n.\r\n", b"a\n.\n\r\n", b""),
        (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", b""),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", b""),
        (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", b""),
        (b"a\r\n.\r\n+OK\r\n", b"a\r\n", b"+OK\r\n"),
    ],
)
def test_only_a_dot_between_crlf_is_the_end(wire: bytes, message: bytes, rest: bytes) -> None:
    """R-POP-01: a dot between bare line feeds is text, at each cut."""
    for cut in range(len(wire) + 1):
        unstuffer = Unstuffer()
        assert unstuffer.feed(wire[:cut]) + unstuffer.feed(wire[cut:]) == message
        assert unstuffer.ended
        assert unstuffer.rest == rest


def test_an_answer_without_its_end_never_ends() -> None:
    """R-POP-01: a last line without CRLF does not end it."""
    unstuffer = Unstuffer()
    assert unstuffer.feed(b"a\r\n.") == b"a"
    assert not unstuffer.ended


@pytest.mark.parametrize("piece", [4096, 65536, 50_000_000])
def test_one_line_of_50_mb_takes_linear_time(piece: int) -> None:
    """R-POP-02: lines of any length; a quadratic reading would take minutes."""
    wire = b"x" * 50_000_000 + b"\r\n.\r\n"
    unstuffer, begun, size = Unstuffer(), time.monotonic(), 0
    for place in range(0, len(wire), piece):
        size += len(unstuffer.feed(wire[place : place + piece]))
    assert unstuffer.ended
    assert size == 50_000_002
    assert time.monotonic() - begun < 30
