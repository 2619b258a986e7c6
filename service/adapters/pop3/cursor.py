"""Where a list goes on: after the last message shown, wherever that one is by then."""

from dataclasses import dataclass

from service.mail.errors import InvalidRequest, NotFound
from service.mail.ids import make_id, read_id

MARKS = 4
"""Messages remembered, the last shown first: if it is deleted meanwhile, the list goes on after the one before it."""
LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Cursor:
    """``number`` is what the last message shown had then. Numbers only ever sink, as older messages go."""

    number: int
    marks: tuple[bytes, ...]

    def write(self, tag: bytes) -> str:
        marks = b"".join(bytes([len(mark)]) + mark for mark in self.marks)
        return make_id("p", tag, self.number.to_bytes(8, "big") + marks)


def read_cursor(text: str, tag: bytes) -> Cursor:
    """InvalidRequest for anything not written by ``Cursor.write`` for this account."""
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
    return InvalidRequest("This is no cursor of this list.")
