"""Counts by key in fixed windows of time, in this process: the storage of ``limits`` if there is no Redis.

It is bounded, unlike the memory storage that comes with ``limits``: clients choose the keys.
"""

import time
from dataclasses import dataclass

from cachetools import TLRUCache
from limits.aio.storage import Storage

MAX_KEYS = 100_000
"""A key takes about 400 octets."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int


def _ends(_: str, window: _Window, now: float) -> float:
    return window.ends


class Windows(Storage):
    """At most ``max_keys`` keys; beyond that the least recently used one is dropped. A key whose count returns to zero
    is dropped at once."""

    STORAGE_SCHEME = None

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        super().__init__()
        self._windows: TLRUCache[str, _Window, float] = TLRUCache(max_keys, _ends, timer=time.monotonic)

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Returns the count after it. A window begins with the first positive count of a key."""
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
        """Returns when the window ends, in seconds since the epoch."""
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
