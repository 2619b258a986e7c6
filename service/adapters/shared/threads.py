"""Work that takes its time goes to a thread, so that everybody else's requests go on (R-OPS-12)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
LARGE = 8 << 10
"""Octets of mail that are read at once by the event loop. Honest ones take less than a millisecond, the worst 20."""
_THREADS = ThreadPoolExecutor(4, "apart")
"""However many ask: each has all that it works on in memory."""


async def apart(work: Callable[[], T], octets: int) -> T:
    """What ``work`` on so many octets answers."""
    if octets <= LARGE:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
