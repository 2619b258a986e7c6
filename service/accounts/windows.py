"""Counts of this process by key, each for a window of time: the storage that ``limits`` counts in without a Redis.

Bounded, which the one that comes with ``limits`` is not: keys are made of what callers send.
"""

import time
from dataclasses import dataclass

from cachetools import TLRUCache
from limits.aio.storage import Storage

LARGEST = 100_000
"""Keys, of some 400 octets each."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int


def _ends(_: str, window: _Window, now: float) -> float:
    return window.ends


class Windows(Storage):
    """At most ``largest`` keys: beyond that the key that was asked for longest ago is forgotten. A key whose count
    comes back to nothing is forgotten at once."""

    STORAGE_SCHEME = None

    def __init__(self, largest: int = LARGEST) -> None:
        super().__init__()
        self._windows: TLRUCache[str, _Window, float] = TLRUCache(largest, _ends, timer=time.monotonic)

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """The count afterwards. A window begins with the first count of a key, and never below nothing."""
        window = self._windows.get(key)
        if window is None:
            if amount > 0:
                self._windows[key] = _Window(time.monotonic() + expiry, amount)
            return amount
        window.count += amount
        if window.count <= 0:
            self._windows.pop(key, None)
        return window.count

    async def get(self, key: str) -> int:
        window = self._windows.get(key)
        return window.count if window else 0

    async def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since the epoch."""
        window = self._windows.get(key)
        return time.time() + (window.ends - time.monotonic() if window else 0)

    async def check(self) -> bool:
        return True

    async def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)
