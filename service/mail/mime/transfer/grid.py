"""Calculates the position of an octet of a base64 part in the stored text.

Mail programs break base64 into lines of one length (RFC 2045, 6.8), so the position of any octet can be calculated, and
a range of a large attachment is read without the octets before it. All octets read are compared with the assumed lines;
a part that is written otherwise is decoded from its start.
"""

import re
from binascii import a2b_base64
from functools import lru_cache
from typing import NamedTuple

_FIRST_LINE = re.compile(rb"(?:[A-Za-z0-9+/]{4}){1,249}(?=\r\n)")


class Grid(NamedTuple):
    """Lines of ``width`` characters, each with its CRLF; ``stored`` octets in all."""

    width: int
    stored: int

    @property
    def row(self) -> int:
        """Octets from one line to the next, as stored."""
        return self.width + 2

    @property
    def yields(self) -> int:
        """Octets a line decodes to."""
        return self.width // 4 * 3

    @property
    def last(self) -> int:
        """The positions of the last two lines: the end may be a line, or only line breaks after one."""
        return max(0, (self.stored - 1) // self.row - 1) * self.row

    def size(self, end: bytes) -> int | None:
        """The decoded size of the part; ``end`` is stored from ``last`` on. None if the lines are not as assumed."""
        if len(end) != self.stored - self.last or not _ends(self.width).match(end):
            return None
        return self.last // self.row * self.yields + len(a2b_base64(end))

    def place(self, offset: int) -> int:
        """Where the line begins that has a decoded octet."""
        return offset // self.yields * self.row

    def decode(self, at: int, rows: bytes) -> bytes | None:
        """Whole lines, stored at ``at``, decoded. None if they are not lines as assumed."""
        fits = _ends(self.width) if at + len(rows) > self.last else _lines(self.width)
        return a2b_base64(rows) if fits.match(rows) else None


def grid_of(head: bytes, stored: int) -> Grid | None:
    """The grid, by the beginning of a part. None if its lines do not have one length."""
    first = _FIRST_LINE.match(head)
    if first is None:
        return None
    grid = Grid(len(first[0]), stored)
    whole = len(head) // grid.row * grid.row
    return grid if stored > whole >= grid.row and _lines(grid.width).match(head[:whole]) else None


@lru_cache(maxsize=16)
def _lines(width: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:[A-Za-z0-9+/]{%d}\r\n)*\Z" % width)


@lru_cache(maxsize=16)
def _ends(width: int) -> re.Pattern[bytes]:
    """Lines, then one that may be shorter, or padded, then line breaks."""
    padded = rb"(?:[A-Za-z0-9+/]{4}){0,%d}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)" % (width // 4 - 1)
    short = rb"(?:[A-Za-z0-9+/]{4}){0,%d}" % (width // 4)
    return re.compile(rb"(?>(?:[A-Za-z0-9+/]{%d}\r\n)*)(?:%b|%b)(?:\r\n){0,2}\Z" % (width, padded, short))
