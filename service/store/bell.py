"""Wakes those who wait for work, in all processes that share the database."""

import asyncio
from contextlib import suppress

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.database import Database

CHANNEL = "casella_work"
_AGAIN_SECONDS = 5.0
"""Until the next attempt to listen. Meanwhile those who wait look at intervals."""
_log = structlog.get_logger("service.store.bell")


class Bell:
    """One for each process. With ``listen`` it rings when that of another process does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rung = asyncio.Event()

    async def ring(self, connection: AsyncConnection) -> None:
        """Wakes all when the transaction is committed; in this process soon, perhaps before that."""
        if self._database.is_shared:
            await connection.execute(text(f"notify {CHANNEL}"))
        else:
            asyncio.get_running_loop().call_soon(self._rung.set)

    def wake(self) -> None:
        """Wakes those of this process."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Returns after these seconds, or when it rings."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

    async def listen(self) -> None:
        """Listens to other processes until cancelled. Returns at once if there are none."""
        while self._database.is_shared:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        connection = await self._database.listener()
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, lambda *_: self.wake())
            self.wake()  # for what rang before
            await ended.wait()
        finally:
            connection.terminate()
