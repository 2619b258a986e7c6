"""The cursor of a list: the next page begins after the last message shown, even if that one has moved."""

from dataclasses import dataclass

from service.mail.errors import InvalidRequest, NotFound
from service.mail.ids import make_id, read_id

MARKS = 4
"""How many messages a cursor names, the last shown first: if that one is deleted, the next page begins after
another."""
LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Cursor:
    """``number`` is the number that the last message shown had then. When older messages go, numbers become lower."""

    number: int
    marks: tuple[bytes, ...]

    def write(self, tag: bytes) -> str:
        marks = b"".join(bytes([len(mark)]) + mark for mark in self.marks)
        return make_id("p", tag, self.number.to_bytes(8, "big") + marks)


def read_cursor(text: str, tag: bytes) -> Cursor:
    """Raises InvalidRequest for anything that ``Cursor.write`` did not write for this account."""
    try:
        octets = read_id("p", tag, text[:LONGEST], "cursor")
    except NotFound:
        raise _none() from None
    number, marks, left = int.from_bytes(octets[:8], "big"), [], octets[8:]
    while left:
        mark, left = left[1 : 1 + left[0]], left[1 + left[0] :]
        marks.append(mark)
    if number < 1 or not all(marks) or not 1 <= len(marks) <= MARKS:
        raise _none()
    return Cursor(number, tuple(marks))


def _none() -> InvalidRequest:
    return InvalidRequest("The cursor does not belong to this list.")
