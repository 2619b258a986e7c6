"""Threads for work that would block the event loop, and so all other requests, for too long (R-OPS-12)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
LARGE = 16 << 10
"""Octets of mail up to which the event loop reads it itself. Usual mail takes less than a millisecond, the worst 20."""
_THREADS = ThreadPoolExecutor(4, "parsing")
"""Few, because each has all that it works on in memory."""


async def in_thread(work: Callable[[], T], octets: int) -> T:
    """Returns the result of ``work``, which reads this many octets of mail: in a thread if they are many."""
    if octets <= LARGE:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
