"""Compositions as octets, and what two parsers read in them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st

from service.mail.mime.compose.base64_lines import Base64Lines
from service.mail.mime.compose.composing import compose
from service.mail.mime.compose.outgoing import Outgoing
from service.mail.mime.compose.values import Copied, Identified, Piece, Resolved, Uploaded
from service.mail.mime.message import read_message
from service.mail.mime.structure import find, parse
from service.mail.mime.transfer.decoding import decode
from service.mail.model import Address, HtmlMode, Message
from service.mail.submission.model import NewDraft

ANN = Address(name="Ann", email="ann@example.org")
IDENTIFIED = Identified(message_id="1.2@casella.example.org", date=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), from_=ANN)
many = settings(max_examples=300, deadline=None)
# What people write: all of Unicode, and often what a grammar ends, begins and separates with.
PEOPLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
    | st.sampled_from(list("  ,.;:<>()[]@\"'\\=?_%*äéßжщ漢字🎉אب")),
    max_size=120,
)
INJECTED = st.lists(
    st.sampled_from(
        ["\r\n", "\n", "\r", "\0", "\r\nBcc: x@example.org", "\r\nX-Evil: 1\r\n", "\r\n\r\n", "\n ", "\t", "\x85", "\u2028", "a", "<", ">"]
    )
    | st.text(max_size=4),
    min_size=1,
    max_size=6,
).map("".join)  # fmt: skip


def octets_of(
    draft: NewDraft,
    attachments: Sequence[Resolved] = (),
    identified: Identified = IDENTIFIED,
    stored: Mapping[tuple[str, str | None], tuple[bytes, str]] | None = None,
    uploads: Sequence[bytes] = (),
) -> bytes:
    """The message, assembled as the service does. ``stored``: octets and encoding of the parts that are copied."""
    numbers = count()
    composed = compose(draft, attachments, identified, lambda: f"=_{next(numbers)}")
    assert not any(
        isinstance(a, bytes) and isinstance(b, bytes)
        for a, b in zip(composed.pieces, composed.pieces[1:], strict=False)
    )
    return b"".join(_octets(piece, stored or {}, uploads) for piece in composed.pieces)


def _octets(
    piece: Piece, stored: Mapping[tuple[str, str | None], tuple[bytes, str]], uploads: Sequence[bytes]
) -> bytes:
    if isinstance(piece, Uploaded):
        return in_base64(uploads[piece.index])
    if isinstance(piece, Copied):
        octets, encoding = stored[piece.message, piece.part]
        return octets if piece.encoded else in_base64(decode(octets, encoding))
    return piece


def in_base64(octets: bytes) -> bytes:
    lines = Base64Lines()
    return lines.feed(octets) + lines.finish()


def sent(octets: bytes) -> bytes:
    outgoing = Outgoing()
    return outgoing.feed(octets) + outgoing.finish()


def by_python(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def by_ours(octets: bytes) -> Message:
    return read_message(octets, id="m", folder_id="f", size=len(octets), html=HtmlMode.ORIGINAL)


def old_python(octets: bytes, name: str) -> str:
    """The field by the parser that drops the space between encoded words of a display name as it should."""
    return str(make_header(decode_header(str(message_from_bytes(octets)[name]))))


def part_octets(octets: bytes, part_id: str) -> bytes:
    """The content of a part, by our parser."""
    entity = find(parse(octets), part_id)
    assert entity is not None
    return decode(octets[entity.body_start : entity.stop], entity.part.encoding)


def header_names(octets: bytes) -> list[str]:
    return [name.lower() for name in by_python(octets)]


def assert_fit_to_send(octets: bytes, *, is_utf8: bool = False) -> None:
    """All lines end in CRLF and are short; those of headers are shorter if a space allows it."""
    assert not octets.replace(b"\r\n", b"").count(b"\n")
    assert not octets.replace(b"\r\n", b"").count(b"\r")
    assert b"\0" not in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert is_utf8 or octets.isascii()
    for line in octets.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        assert line.strip()
        assert len(line.decode()) <= 78 or not re.search(rb"\S \S", line.strip().partition(b": ")[2])
