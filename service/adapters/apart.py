"""Work that takes its time goes to a thread, so that everybody else's requests go on (R-OPS-12)."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LARGE = 32 << 10
"""Octets of mail that are read where they arrive: a millisecond or so. More would hold up others."""


async def apart(work: Callable[[], T], octets: int) -> T:
    """What ``work`` on so many octets answers."""
    return await asyncio.to_thread(work) if octets > LARGE else work()
