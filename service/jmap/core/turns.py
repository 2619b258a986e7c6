"""What one request may take from the others: turns of the event loop, and places for its account."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from service.jmap.core.errors import MethodError, RequestError

SLICE_SECONDS = 0.005


class Turns:
    """Lets other requests run, in the course of long work."""

    def __init__(self) -> None:
        self._due = perf_counter() + SLICE_SECONDS

    async def pause(self) -> None:
        """Call it often."""
        if perf_counter() > self._due:
            await asyncio.sleep(0)
            self._due = perf_counter() + SLICE_SECONDS


class Budget:
    """How much one request may use of something, in octets."""

    def __init__(self, most: int, what: str) -> None:
        """``what`` begins the sentence that says what is too large."""
        self._most, self._what = most, what
        self.spent = 0

    def spend(self, octets: int) -> None:
        """Raises requestTooLarge."""
        self.spent += octets
        if self.spent > self._most:
            raise MethodError("requestTooLarge", f"{self._what} more than {self._most} octets.")


class Places:
    """How many requests of an account may run at once in this process."""

    def __init__(self, most: int, limit: str) -> None:
        """``limit`` is the name of the limit in the Session object."""
        self._most, self._limit = most, limit
        self._taken: Counter[str] = Counter()

    @contextmanager
    def of(self, account: str) -> Iterator[None]:
        """Raises RequestError."""
        if self._taken[account] >= self._most:
            detail = f"At most {self._most} of these requests may run at once. Wait until one has ended."
            raise RequestError("limit", detail, 429, limit=self._limit)
        self._taken[account] += 1
        try:
            yield
        finally:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]
