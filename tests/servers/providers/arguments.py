"""Reads the arguments of commands: atoms, strings, literals and lists, and sets of numbers."""

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Argument: TypeAlias = "bytes | Quoted | list[Argument]"
_PIECE = re.compile(
    rb'\s*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|\{(?P<size>\d+)\+?\}\r\n|(?P<atom>(?:BODY[A-Z.]*\[[^\]]*\](?:<[\d.]+>)?|[^\s()"]+)))',
    re.DOTALL,
)


class Quoted(bytes):
    """A string, quoted or literal, which is no atom."""


def read(text: bytes) -> list[Argument]:
    """All arguments."""
    stack: list[list[Argument]] = [[]]
    at = 0
    while match := _PIECE.match(text, at):
        at = match.end()
        if match["open"]:
            stack.append([])
        elif match["close"]:
            done = stack.pop()
            stack[-1].append(done)
        elif match["size"] is not None:
            at += int(match["size"])
            stack[-1].append(Quoted(text[match.end() : at]))
        elif match["quoted"] is not None:
            stack[-1].append(Quoted(re.sub(rb"\\(.)", rb"\1", match["quoted"])))
        else:
            stack[-1].append(match["atom"])
    return stack[0]


def members(numbers: bytes, existing: Sequence[int]) -> list[int]:
    """The members of ``existing`` (ascending) that a set names."""
    last = existing[-1] if existing else 0
    ranges = list(_ranges(numbers.replace(b"*", b"%d" % last)))
    return [number for number in existing if any(low <= number <= high for low, high in ranges)]


def _ranges(numbers: bytes) -> Iterator[tuple[int, int]]:
    for run in numbers.split(b","):
        first, _, last = run.partition(b":")
        low, high = int(first), int(last or first)
        yield min(low, high), max(low, high)
