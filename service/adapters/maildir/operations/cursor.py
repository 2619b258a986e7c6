"""The position in a list. In the order of arrival a list continues after the last message shown, even if that message
is gone; in any other order after the last of the messages shown that still exists."""

import os
from collections.abc import Sequence
from hashlib import blake2s
from typing import NamedTuple

from service.mail.errors import InvalidRequest, NotFound
from service.mail.ids import make_id, read_id

MAX_SHOWN = 16
"""How many of the last messages shown a cursor names, if the list is not in the order of arrival."""
OCTETS = 8
MAX_LENGTH = 1024


class Cursor(NamedTuple):
    """``shown`` are digests of ids; ``last`` is the unique part of the last shown message's name."""

    shown: tuple[bytes, ...]
    last: str


def short_digest(text: str) -> bytes:
    """Identifies a list, or a message of a list."""
    return blake2s(os.fsencode(text), digest_size=OCTETS).digest()


def write_cursor(tag: bytes, list_name: str, shown: Sequence[str], last: str) -> str:
    """``shown`` are ids, empty if the list is in the order of arrival."""
    digests = [short_digest(message) for message in shown[-MAX_SHOWN:]]
    body = short_digest(list_name) + bytes([len(digests)]) + b"".join(digests) + os.fsencode(last)
    return make_id("p", tag, body)


def read_cursor(tag: bytes, list_name: str, text: str) -> Cursor:
    """Raises InvalidRequest unless the cursor was written for this list of this account."""
    try:
        octets = read_id("p", tag, text[:MAX_LENGTH], "cursor")
    except NotFound:
        raise InvalidRequest("The cursor is invalid.") from None
    name, rest = octets[:OCTETS], octets[OCTETS:]
    if name != short_digest(list_name) or not rest:
        raise InvalidRequest("The cursor belongs to another list.")
    end = 1 + rest[0] * OCTETS
    return Cursor(tuple(rest[start : start + OCTETS] for start in range(1, end, OCTETS)), os.fsdecode(rest[end:]))
