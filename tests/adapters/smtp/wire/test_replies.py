"""Replies, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.adapters.smtp.wire.replies import MAX_LINE, MAX_LINES, Reply, ReplyReader
from service.mail.errors import UpstreamProtocol

TALK = b"220 mx\r\n250-mx\r\n250-SIZE 5\r\n250 DSN\r\n354\r\n550-5.1.1 no\r\n550 5.1.1 one\r\n250 \xff\r\n"
READ = [
    Reply(220, (b"mx",)), Reply(250, (b"mx", b"SIZE 5", b"DSN")), Reply(354, (b"",)),
    Reply(550, (b"5.1.1 no", b"5.1.1 one")), Reply(250, (b"\xff",)),
]  # fmt: skip


@given(st.lists(st.integers(1, len(TALK) - 1), max_size=20))
def test_replies_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    """R-SMTP-15."""
    places = [0, *sorted(cuts), len(TALK)]
    reader = ReplyReader()
    read = [reply for start, stop in pairwise(places) for reply in reader.feed(TALK[start:stop])]
    assert read == READ
    assert not reader.is_within


def test_a_reply_of_many_lines_is_one_sentence() -> None:
    reply = Reply(550, (b"5.1.1 no", b"5.1.1 such user", b"here"))
    assert (reply.status, reply.text) == ("550 5.1.1", "no such user here")


@pytest.mark.parametrize(
    "octets",
    [
        b"what\r\n", b"25 ok\r\n", b"2500 ok\r\n", b"250_ok\r\n", b"150 ok\r\n", b"600 ok\r\n", b"\r\n", b"250-a\r\n550 b\r\n",
        b"* OK\r\n", b"+OK\r\n", b"HTTP/1.1 400\r\n", b"\0" * 10 + b"\n", b" 250 ok\r\n",
        b"2" * MAX_LINE, b"250 " + b"x" * MAX_LINE + b"\r\n", b"250-\r\n" * (MAX_LINES + 1), (b"250-" + b"x" * 8000 + b"\r\n") * 5,
        "٢٥٠ ok\r\n".encode(),
    ],
)  # fmt: skip
def test_what_is_no_reply_is_refused(octets: bytes) -> None:
    """R-SMTP-15: no code, two codes in one reply, lines and replies without end."""
    with pytest.raises(UpstreamProtocol):
        list(ReplyReader().feed(octets))
