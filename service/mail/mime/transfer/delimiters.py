"""The next line of a message that is a delimiter of an open multipart (RFC 2046, 5.1.1), and the next empty line.

Mail may hold millions of lines that begin with two dashes and delimit nothing. They are read a window at a time, by
calls that each look at many lines: they cost little, and another thread gets its turn between two windows.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from service.mail.line_ends import BLANK

MAX_BOUNDARY = 900
"""Octets; RFC 2046 allows 70. A multipart with a longer one is read as text."""
_FEW = 4 << 10
"""Octets that are looked at together if a delimiter may be among them; twice as many each time there is none."""
_MANY = 64 << 10
_FAR = 1 << 20
_WORD = re.compile(rb"\n--(\S{0,1000}+)")
_LINE = re.compile(rb"\n--([^\n]{0,1000}+)")
_FIRST = re.compile(rb"\S*+")
_SPACE = b" \t\r\n"


class Delimiter(NamedTuple):
    """The line from ``start`` to ``stop``, the start of the next one. ``text`` is a boundary, or one with two dashes
    behind it."""

    start: int
    stop: int
    text: bytes


def next_delimiter(source: bytes, at: int, end: int, boundaries: Collection[bytes]) -> Delimiter | None:
    """The first line from ``at`` on, where a line begins, that lies before ``end``, where one ends."""
    if not boundaries:
        return None
    names = {*boundaries, *(boundary + b"--" for boundary in boundaries)}
    if source.startswith(b"--", at) and at < end and (text := _named(_text(source, at), names)) is not None:
        return _delimiter(source, at, text)
    # First words are enough to tell of almost every window that nothing is in it.
    words = {first[0] for name in names if (first := _FIRST.match(name))}
    size = _FEW
    at = _next_dashes(source, max(at - 1, 0), end)
    while at >= 0:
        stop = source.rfind(b"\n", at + 1, at + size) if at + size < end else end
        if stop <= at:  # a line longer than the window
            stop = at + 1
            found = _in_line(source, at + 1, names)
        elif words.isdisjoint(_WORD.findall(source, at, stop)):
            found = None
        elif size > _FEW:
            size = _FEW
            continue
        else:
            found = _in_lines(source, at, stop, names)
        if found is not None:
            return found
        at, size = _next_dashes(source, stop, end), min(2 * size, _MANY)
    return None


def _next_dashes(source: bytes, at: int, end: int) -> int:
    """The line feed before the next line that begins with two dashes; -1 if there is none."""
    for begin in range(at, end, _FAR):
        if (found := source.find(b"\n--", begin, min(begin + _FAR + 2, end))) >= 0:
            return found
    return -1


def _in_lines(source: bytes, at: int, stop: int, names: set[bytes]) -> Delimiter | None:
    lines = [line.rstrip(_SPACE) for line in _LINE.findall(source, at, stop)]
    if names.isdisjoint(lines) and names.isdisjoint([line.partition(b" ")[0] for line in lines]):
        return None
    for _ in range(next(n for n, line in enumerate(lines, 1) if _named(line, names) is not None)):
        at = source.find(b"\n--", at, stop) + 1
    return _in_line(source, at, names)


def _in_line(source: bytes, start: int, names: set[bytes]) -> Delimiter | None:
    text = _named(_text(source, start), names)
    return None if text is None else _delimiter(source, start, text)


def _text(source: bytes, start: int) -> bytes:
    """What stands behind the dashes."""
    end = source.find(b"\n", start)
    return source[start + 2 : min(start + 1002, len(source) if end < 0 else end)]


def _named(line: bytes, names: set[bytes]) -> bytes | None:
    """All of the line, or its first word, since what follows a boundary does not count (RFC 2046, 5.1.1, note)."""
    text = line.rstrip(_SPACE)
    if text in names:
        return text
    word = text.partition(b" ")[0]
    return word if word in names else None


def _delimiter(source: bytes, start: int, text: bytes) -> Delimiter:
    end = source.find(b"\n", start)
    return Delimiter(start, len(source) if end < 0 else end + 1, text)


def next_blank(source: bytes, start: int) -> tuple[int, int]:
    """Start and end of the first empty line; twice the end of the source if there is none."""
    for begin in range(start, len(source), _MANY):
        if (found := BLANK.search(source, begin, begin + _MANY + 2)) is not None:
            return found.start() + 1, found.end()
    return len(source), len(source)
