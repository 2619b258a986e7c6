"""What leaves the service, in any pieces. R-SEND-02, R-SEND-04, R-SEND-07."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.outgoing import MAX_HEADER, Outgoing
from service.mail.mime.headers.fields import split_headers
from tests.mail.mime.compose.assembled import many

LINES = [
    b"Bcc: secret@example.org", b"bCC : secret@example.org", b"Resent-BCC\t: secret@example.org", b"Bcc:", b"\tsecret@example.org", b" secret@example.org",
    b"X-Casella-Key: secret", b"x-casella-: secret", b"Bc\0c: secret@example.org", b"\x0bBcc: secret@example.org", b"\0Bcc\0 : secret@example.org",
    b"Subject: a", b"To: b@example.org", b"Bccx: kept", b"X-Bcc: kept", b"garbage", b"From ann@example.org Mon", b"\xff", b" ", b"\t", b"",
]  # fmt: skip
ENDS = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r"])
MAIL = st.lists(st.tuples(st.sampled_from(LINES) | st.binary(max_size=8), ENDS), max_size=14).map(
    lambda lines: b"".join(part for line in lines for part in line)
)


def passed(octets: bytes, *cuts: int, **added: object) -> bytes:
    outgoing = Outgoing(**added)  # type: ignore[arg-type]
    places = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    return b"".join(outgoing.feed(octets[a:b]) for a, b in pairwise(places)) + outgoing.finish()


@many
@given(octets=MAIL, cuts=st.lists(st.integers(0, 400), max_size=6))
@example(b"Subject: a\r\rb\r\nBcc: secret@example.org\r\n\r\nbody", [])
@example(b"Subject: a\r\n\r\r\nBcc: secret@example.org\r\n\r\nbody", [])
@example(b" Bcc: secret@example.org\r\n\r\nbody", [])
def test_no_blind_copy_and_no_field_of_our_own_leaves(octets: bytes, cuts: list[int]) -> None:
    """R-SEND-02, R-SEND-04, R-SEND-07."""
    out = passed(octets, *cuts)
    assert out == passed(octets)
    rest = out.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    names = [name.replace("\0", "").strip().lower() for name in message_from_bytes(out).keys()]  # noqa: SIM118
    names += [field.name.lower() for field in split_headers(out)]
    assert not [name for name in names if name in {"bcc", "resent-bcc"} or name.startswith("x-casella-")]
    end = re.search(rb"(?:\A|\n)\r?\n", octets)
    body = re.sub(rb"\r\n|\r|\n", b"\r\n", octets[end.end() :]) if end else b""
    header = out.removesuffix(body)
    assert out == header + body
    assert re.findall(rb"(?:\A|(?<=\n))\r\n", header) == ([b"\r\n"] if end else [])
    assert header.endswith((b"\r\n\r\n" if header != b"\r\n" else b"\r\n") if end else b"")


@many
@given(body=st.binary(max_size=60), cuts=st.lists(st.integers(0, 99), max_size=4))
def test_only_line_ends_of_a_body_change(body: bytes, cuts: list[int]) -> None:
    """R-SEND-04."""
    out = passed(b"A: b\r\n\r\n" + body, *cuts)
    assert out == b"A: b\r\n\r\n" + re.sub(rb"\r\n|\r|\n", b"\r\n", body)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_every_other_octet_of_the_header_stays(step: int) -> None:
    """R-SEND-02."""
    kept = (
        b"Received: a\r\n\tb;  c\r\nSubject:  x  \xff\0 \r\nX-Bcc: 1\r\nBccs: 2\r\nTo : a@example.org\r\nno field\r\n"
    )
    octets = (
        b"BCC: a,\r\n b,\r\n\tc\r\n" + kept + b"X-Casella-Key \t: a\r\n b\r\nresent-bcc:d\r\n\r\nBcc: in the body\r\n"
    )
    assert passed(octets, *range(0, len(octets), step)) == kept + b"\r\nBcc: in the body\r\n"


@pytest.mark.parametrize(
    ("octets", "out"),
    [
        (b"", b""),
        (b"\r\nbody", b"\r\nbody"),
        (b"\nbody\n.\nQUIT\n", b"\r\nbody\r\n.\r\nQUIT\r\n"),
        (b"A: b", b"A: b\r\n"),
        (b"Bcc: b", b""),
        (b"A: b\nBcc: c\n\n.\r.\r", b"A: b\r\n\r\n.\r\n.\r\n"),
        (b"A: b\rBcc: c\n\nx", b"A: b Bcc: c\r\n\r\nx"),
    ],
)
def test_a_message_of_few_octets(octets: bytes, out: bytes) -> None:
    """R-SEND-02, R-SEND-04."""
    assert passed(octets) == out
    assert passed(octets, *range(len(octets))) == out


def test_it_says_whether_octets_above_127_came_out() -> None:
    hidden, body, neither = Outgoing(), Outgoing(), Outgoing()
    for outgoing, octets in ((hidden, b"Bcc: \xff\r\n\r\n"), (body, b"A: b\r\n\r\n\xff"), (neither, b"A: b\r\n\r\nc")):
        outgoing.feed(octets)
        outgoing.finish()
    assert (hidden.is_8bit, body.is_8bit, neither.is_8bit) == (False, True, False)


def test_what_is_missing_is_added_only_if_asked() -> None:
    date = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=-3)))
    added = b"Date: Wed, 04 Mar 2026 05:06:07 -0300\r\nMessage-ID: <1@x>\r\n"
    assert passed(b"A: b\n\nc", date=date, message_id="1@x") == b"A: b\r\n" + added + b"\r\nc"
    assert passed(b"\nc", date=date, message_id="1@x") == added + b"\r\nc"
    there = b"date : x\r\nMESSAGE-ID: y\r\n\r\nc"
    assert passed(there, date=date, message_id="1@x") == there
    assert passed(b"A: b\r\n\r\nDate: c") == b"A: b\r\n\r\nDate: c"
    with pytest.raises(InvalidRequest):
        passed(b"A: b\r\n\r\n", message_id="1@x>\r\nBcc: <x@example.org")
    assert b"+0000" in passed(b"\r\n", date=datetime(1900, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("step", [1 << 10, 64 << 10, 4 << 20])
def test_a_header_without_end_is_refused_in_bounded_memory(step: int) -> None:
    """R-MIME-47."""
    outgoing, fed = Outgoing(), 0
    with pytest.raises(TooLarge):
        while fed <= 3 * MAX_HEADER:
            outgoing.feed(b"a" * step)
            fed += step
    assert fed <= MAX_HEADER + step


def test_a_header_of_the_most_octets_passes() -> None:
    header = b"A: " + b"b" * (MAX_HEADER - 5)
    assert passed(header + b"\r\n\r\nc") == header + b"\r\n\r\nc"
