"""A watch without a mail server behind it."""

import asyncio
from contextlib import suppress


class PollingWatch:
    """Only ``wake`` ends a wait early."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        return self._woken.is_set()

    def wake(self) -> None:
        self._woken.set()
