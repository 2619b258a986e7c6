"""Does long work on a server's answer in slices: the event loop gets a turn every ten milliseconds, and work that takes
seconds of CPU ends with an error.

    async for responses in slices(untagged):
        for response in responses:
            ...

The server decides how much there is to read, or an attacker on the connection; other requests must not wait for it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from heapq import merge
from time import perf_counter, thread_time
from typing import TypeVar

from service.mail.errors import UpstreamProtocol

T = TypeVar("T")
SLICE_SECONDS = 0.01
BUDGET_SECONDS = 3.0
"""CPU seconds that one answer may cost. Legitimate ones take a tenth of it, on slow machines too."""

_AT_ONCE = 20_000
"""Numbers that are sorted in a few milliseconds."""


class Pace:
    """Says when to pause. Create one for each answer, just before the work on it begins."""

    __slots__ = ("_began", "_due", "_left")

    def __init__(self, budget: float = BUDGET_SECONDS) -> None:
        self._left = budget - SLICE_SECONDS
        self._began: float | None = None  # reading the CPU's clock takes as long as ten rows: not for a first slice
        self._due = perf_counter() + SLICE_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether the slice is used up."""
        return perf_counter() > self._due

    def within(self, items: Iterator[T]) -> Iterator[T]:
        """Yields items until the slice is used up."""
        due = self._due
        for item in items:
            yield item
            if perf_counter() > due:
                return

    async def turn(self) -> None:
        """Let other tasks run. Raises UpstreamProtocol once the budget is spent."""
        if self._began is not None:
            self._left -= thread_time() - self._began
        if self._left < 0:
            raise UpstreamProtocol("The mail server's answer takes too long to read.", protocol="imap")
        await asyncio.sleep(0)
        self._began = thread_time()
        self._due = perf_counter() + SLICE_SECONDS


async def slices(items: Iterable[T], pace: Pace | None = None) -> AsyncIterator[Iterator[T]]:
    """Yields the items in iterators, one for each slice, with a pause in between. Read each to its end."""
    pace, rest = pace or Pace(), iter(items)
    yield pace.within(rest)
    while pace.is_due:
        await pace.turn()
        yield pace.within(rest)


async def paced(items: Iterable[T], pace: Pace | None = None) -> AsyncIterator[T]:
    """Yields the items one by one, with a pause whenever one is due. For loops whose body takes longer than this does;
    ``slices`` costs a fifth."""
    async for some in slices(items, pace):
        for item in some:
            yield item


async def ascending(numbers: Collection[int]) -> list[int]:
    """Returns the numbers in order, each once. Sorting hundreds of thousands at once would block the event loop."""
    if len(numbers) <= _AT_ONCE:
        return sorted(set(numbers))
    pace, unsorted, runs = Pace(), list(numbers), []
    for start in range(0, len(unsorted), _AT_ONCE):
        runs.append(sorted(unsorted[start : start + _AT_ONCE]))
        if pace.is_due:
            await pace.turn()
    merged: list[int] = []
    async for number in paced(merge(*runs), pace):
        if not merged or merged[-1] != number:
            merged.append(number)
    return merged
