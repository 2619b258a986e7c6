"""Server-sent events as a client reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Event:
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    retry: int | None = None


class Stream:
    """The events of one connection."""

    def __init__(self, lines: AsyncIterator[str], last: str | None = None) -> None:
        self._lines = lines
        self.id = last

    async def next(self, *names: str) -> Event:
        """The next one of these names; StopAsyncIteration where the stream ends first."""
        async with asyncio.timeout(20):
            while True:
                event = await self._event()
                self.id = event.id or self.id
                if not names or event.name in names:
                    return event

    async def _event(self) -> Event:
        event = Event()
        while line := await anext(self._lines):
            name, _, value = line.partition(": ")
            if name == "data":
                event.data = json.loads(value)
            elif name in {"event", "id", "retry"}:
                setattr(event, {"event": "name"}.get(name, name), int(value) if name == "retry" else value)
        return event
