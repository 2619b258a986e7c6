"""Equal reads that wait for a connection are done once.

A read that has begun is never joined: it may have read what a newcomer has changed since.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from service.telemetry.upstream import queued

T = TypeVar("T")
_AGAIN = object()
"""What followers get where who went ahead was cancelled: one of them goes ahead now."""


class SingleFlight:
    """The reads of one mailbox that have not begun."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Future[Any]] = {}

    async def run(self, key: Hashable, work: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """``work`` calls what it is given when it begins. Errors are everybody's."""
        while (others := self._waiting.get(key)) is not None:
            with queued("read"):
                found = await asyncio.shield(others)
            if found is not _AGAIN:
                return found  # type: ignore[no-any-return]
        mine: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[key] = mine

        def begin() -> None:
            if self._waiting.get(key) is mine:
                del self._waiting[key]

        try:
            found = await work(begin)
        except asyncio.CancelledError:
            mine.set_result(_AGAIN)
            raise
        except BaseException as error:
            mine.set_exception(error)
            mine.exception()  # often nobody else asked
            raise
        else:
            mine.set_result(found)
            return found
        finally:
            begin()
