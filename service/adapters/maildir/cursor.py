"""Where a list goes on: by order of arrival after the last message shown, whether it is still there or not; in any
other order after the last of those shown that is still there."""

import os
from collections.abc import Sequence
from hashlib import blake2s
from typing import NamedTuple

from service.mail.errors import InvalidRequest, NotFound
from service.mail.ids import make_id, read_id

MARKS = 16
"""Messages remembered of a list that is not in the order of arrival."""
OCTETS = 8
LONGEST = 1024


class Cursor(NamedTuple):
    """``last`` is what is unique in the name of the last message shown."""

    marks: tuple[bytes, ...]
    last: str


def short(text: str) -> bytes:
    """Tells lists, and messages of a list, from one another."""
    return blake2s(os.fsencode(text), digest_size=OCTETS).digest()


def write_cursor(tag: bytes, list_name: str, shown: Sequence[str], last: str) -> str:
    """``shown`` are ids, or none where the list is in the order of arrival."""
    marks = [short(one) for one in shown[-MARKS:]]
    return make_id("p", tag, short(list_name) + bytes([len(marks)]) + b"".join(marks) + os.fsencode(last))


def read_cursor(tag: bytes, list_name: str, text: str) -> Cursor:
    """InvalidRequest for anything not written for this list of this account."""
    try:
        octets = read_id("p", tag, text[:LONGEST], "cursor")
    except NotFound:
        raise InvalidRequest("This is no cursor.") from None
    name, rest = octets[:OCTETS], octets[OCTETS:]
    if name != short(list_name) or not rest:
        raise InvalidRequest("This is no cursor of this list.")
    end = 1 + rest[0] * OCTETS
    return Cursor(tuple(rest[at : at + OCTETS] for at in range(1, end, OCTETS)), os.fsdecode(rest[end:]))
