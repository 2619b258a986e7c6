"""A message on the wire, for any cutting into chunks."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.smtp.wire.dot_stuffing import Stuffer

PIECES = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b".\r\n", b"\r\n.", b"\xff", b"\0"]), max_size=30
)


def sent(chunks: list[bytes]) -> bytes:
    stuffer = Stuffer()
    return b"".join(stuffer.feed(chunk) for chunk in chunks) + stuffer.finish()


def read(wire: bytes) -> bytes:
    """As a server reads it (RFC 5321, 4.5.2)."""
    return re.sub(rb"(?m)(\A|\r\n)\.", rb"\1", wire)


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"", b""),
        (b".", b"..\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"\r\n.\r\n", b"\r\n..\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b"a\r\n\r\n", b"a\r\n\r\n"),
        (b"a\r", b"a\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a.\r\nb.", b"a.\r\nb.\r\n"),
        (b"\r\r\n\n", b"\r\n\r\n\r\n"),
    ],
)
def test_what_is_sent_for_a_message(message: bytes, wire: bytes) -> None:
    """R-SMTP-14: begins with a dot, ends without CRLF, has CR or LF alone. An octet at a time too."""
    assert sent([message]) == wire
    assert sent([message[at : at + 1] for at in range(len(message))]) == wire


@given(PIECES, st.lists(st.integers(0, 60), max_size=8))
def test_a_server_reads_what_was_given(pieces: list[bytes], cuts: list[int]) -> None:
    """R-SMTP-14, R-HTTP-20: the same octets but for line breaks, and no end before the end."""
    message = b"".join(pieces)
    places = [0, *sorted(cut for cut in cuts if cut < len(message)), len(message)]
    wire = sent([message[start:stop] for start, stop in pairwise(places)])
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    assert read(wire) == (expected if expected.endswith(b"\r\n") or not expected else expected + b"\r\n")
    assert not re.search(rb"(\A|\r\n|[\r\n])\.(\r|\n)", wire)
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
