"""Text that was added behind base64 on the way: mailing lists and scanners put their footers below what they do not
decode."""

import re
from typing import NamedTuple

MAX_FOOTER = 16 << 10
_ODD = re.compile(rb"[^A-Za-z0-9+/=\s]")
_FULL_LINE = re.compile(rb"^[A-Za-z0-9+/]{60,}={0,2}\s*$", re.MULTILINE)
_PROSE = re.compile(rb"^[-_*=~#]{2,}\s*$|[^\s]{2} [A-Za-z]", re.MULTILINE)
"""A rule, or words."""
_BLANK = re.compile(rb"\n[ \t]*\r?\n")


class Parted(NamedTuple):
    """``footer`` is empty if there is none."""

    base64: bytes
    footer: bytes


def part_footer(stored: bytes) -> Parted:
    """Base64 up to the lines that are none, and those. Lines with odd characters amid base64 are not a footer: the
    decoder skips such characters."""
    odd = _ODD.search(stored)
    start = stored.rfind(b"\n", 0, odd.start()) + 1 if odd else 0
    if not start or len(stored) - start > MAX_FOOTER or not _is_footer(stored, start):
        return Parted(stored, b"")
    start = _first_line(stored, start)
    return Parted(stored[:start], stored[start:].strip())


def _is_footer(stored: bytes, start: int) -> bool:
    return _PROSE.search(stored, start) is not None and not _FULL_LINE.search(stored, start)


def _first_line(stored: bytes, odd: int) -> int:
    """A footer may begin with words that could be base64: behind the first blank line."""
    blank = _BLANK.search(stored, max(0, odd - MAX_FOOTER), odd)
    if blank is None or not stored[: blank.start()].strip() or _FULL_LINE.search(stored, blank.end(), odd):
        return odd
    return blank.end()
