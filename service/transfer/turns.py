"""One burst at a time for each destination in this process. Other processes are seen by what they append."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from service.mail.errors import InUse

PATIENCE = 60.0
"""Seconds that a request waits for its turn: usually the one before it has lost its client."""


class ImportTurns:
    """The turns of all accounts."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[None]:
        """Raises InUse if the turn does not come in time."""
        lock = self._turns.setdefault(account, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE):
                await lock.acquire()
        except TimeoutError:
            raise InUse("Another import into this mailbox is running.", retry_after=10) from None
        try:
            yield
        finally:
            lock.release()
