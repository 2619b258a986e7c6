"""Octets to responses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.imap.wire.octets.framing import Framer, Limits
from service.mail.errors import UpstreamProtocol

RESPONSES = [
    b"* 1 FETCH (FLAGS ())",
    b'* 2 FETCH (ENVELOPE (NIL ":(" NIL))',
    b"* 3 FETCH (BODY[1] {5}\r\n)\r\n* )",
    b"* 4 FETCH (BODY[1] ~{3}\r\n\x00\r\n BODY[2] {0}\r\n)",
    b'* LIST () "/" {5}\r\na* b ',
    b"* OK text that ends like a literal {5}",
    b"A1 OK done {3}",
    b"+ go on {9}",
    b"* SEARCH",
    b"",
    b'* LIST () "/" "{5}"',
    b'* LIST () "/" a}',
]


def framed(octets: bytes, sizes: list[int], limits: Limits | None = None) -> list[bytes]:
    framer = Framer(limits or Limits())
    done: list[bytes] = []
    at = 0
    for size in [*sizes, len(octets)]:
        done += framer.feed(octets[at : at + size])
        at += size
    assert not framer.held
    return done


def test_responses_come_out_as_they_were_sent() -> None:
    """R-IMAP-18: literals stay in place, text that only looks like a literal is text."""
    assert framed(b"".join(one + b"\r\n" for one in RESPONSES), []) == RESPONSES


@given(st.lists(st.sampled_from(RESPONSES), max_size=8), st.lists(st.integers(1, 30), max_size=60))
def test_any_chunking_gives_the_same_responses(responses: list[bytes], sizes: list[int]) -> None:
    """R-IMAP-18: CRLF and literals split anywhere."""
    assert framed(b"".join(one + b"\r\n" for one in responses), sizes) == responses


def test_an_octet_at_a_time_gives_the_same_responses() -> None:
    """R-IMAP-18: one octet in each segment."""
    octets = b"".join(one + b"\r\n" for one in RESPONSES)
    assert framed(octets, [1] * len(octets)) == RESPONSES


@given(st.binary(max_size=200))
def test_a_literal_may_hold_any_octets(octets: bytes) -> None:
    """R-IMAP-18: nothing in a literal is read as its end."""
    response = b"* 1 FETCH (BODY[] {%d}\r\n%b)" % (len(octets), octets)
    assert framed(response + b"\r\n* 1 EXISTS\r\n", [7, 7, 7]) == [response, b"* 1 EXISTS"]


@given(st.binary(max_size=300))
def test_any_octets_give_values_or_the_one_error(octets: bytes) -> None:
    """R-IMAP-12: garbage is answered by one error or none."""
    framer = Framer(Limits(line=100, literal=100, response=200))
    with suppress(UpstreamProtocol):
        framer.feed(octets)


@pytest.mark.parametrize("start", [b"", b"* OK ", b"A1 OK "])
def test_a_line_without_end_is_cut_at_the_limit(start: bytes) -> None:
    """R-IMAP-01: the limit is what is stored at most, however the octets come."""
    framer = Framer(Limits(line=1000))
    sent = framer.feed(start)
    with pytest.raises(UpstreamProtocol):
        for _ in range(11):
            sent += framer.feed(b"x" * 100)
    assert sent == []
    assert framer.held <= 1100 + len(start)


def test_a_line_of_the_limit_passes_and_one_octet_more_does_not() -> None:
    """R-IMAP-01: at the limit and one above."""
    assert framed(b"x" * 1000 + b"\r\n", [], Limits(line=1000)) == [b"x" * 1000]
    with pytest.raises(UpstreamProtocol):
        framed(b"x" * 1001 + b"\r\n", [], Limits(line=1000))


@pytest.mark.parametrize("size", [b"2147483648", b"99999999999999999999", b"-1", b"1e9", b" 5", b"+5", b"5x"])
@pytest.mark.parametrize("mark", [b"", b"~"])
def test_a_literal_without_a_size_or_beyond_the_limit_is_refused_at_its_announcement(size: bytes, mark: bytes) -> None:
    """R-IMAP-02: before an octet of it is read."""
    framer = Framer(Limits())
    with pytest.raises(UpstreamProtocol):
        framer.feed(b"* 1 FETCH (BODY[] " + mark + b"{" + size + b"}\r\n")


def test_a_literal_of_the_limit_passes_and_one_octet_more_does_not() -> None:
    """R-IMAP-02: at the limit and one above."""
    assert framed(b"* {9}\r\n123456789\r\n", [], Limits(literal=9)) == [b"* {9}\r\n123456789"]
    with pytest.raises(UpstreamProtocol):
        Framer(Limits(literal=9)).feed(b"* {10}\r\n")


def test_many_literals_in_one_response_are_bounded_together() -> None:
    """R-IMAP-02: the response has a limit too."""
    framer = Framer(Limits(literal=100, response=250))
    with pytest.raises(UpstreamProtocol):
        for _ in range(3):
            framer.feed(b"* {100}\r\n" + b"x" * 100)
