"""Reads numbers as servers write them (RFC 9051, 9: number, nz-number, number64), and sets of them. A set is never
expanded before it is counted."""

from collections.abc import Iterator, Sequence

from service.mail.errors import UpstreamProtocol
from service.mail.numbers import MAX_NUMBER, read_number

MAX_UID = (1 << 32) - 1
MAX_RUNS = 20_000
Range = tuple[int, int]


def number(token: object, most: int = MAX_NUMBER) -> int:
    """As ``read_number``, but raises UpstreamProtocol if it is not a number."""
    value = read_number(token, most)
    if value is None:
        raise UpstreamProtocol("The mail server wrote something other than a number.", protocol="imap")
    return value


def read_runs(text: bytes) -> list[Range]:
    """Returns the ranges of ``1:3,9,8:7``, each ascending, in the order written. Raises UpstreamProtocol for anything
    else, ``*`` included, and for more than ``MAX_RUNS`` ranges."""
    if text.count(b",") >= MAX_RUNS:
        raise UpstreamProtocol("The mail server wrote a longer set of numbers than can be read.", protocol="imap")
    ranges: list[Range] = []
    for run in text.split(b","):
        low, _, high = run.partition(b":")
        first = number(low, MAX_UID)
        last = number(high, MAX_UID) if high else first
        ranges.append((min(first, last), max(first, last)))
    return ranges


def read_ranges(text: bytes) -> list[Range]:
    """As ``read_runs``, but the ranges are ascending and disjoint."""
    merged: list[Range] = []
    for low, high in sorted(read_runs(text)):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def count(ranges: Sequence[Range]) -> int:
    """Returns how many numbers lie in the ranges."""
    return sum(high - low + 1 for low, high in ranges)


def clip(ranges: Sequence[Range], most: int) -> list[Range]:
    """Returns the part of the ranges up to ``most``."""
    return [(low, min(high, most)) for low, high in ranges if low <= most]


def members(ranges: Sequence[Range]) -> Iterator[int]:
    """Yields the numbers one by one: ``count`` them first."""
    for low, high in ranges:
        yield from range(low, high + 1)
