"""Runs equal reads that wait for a connection once.

No caller joins a read that has begun: it may have read what that caller has changed since.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from service.telemetry.upstream import queued

T = TypeVar("T")
_CANCELLED = object()
"""The result for those that wait if the leader was cancelled: one of them becomes the leader."""


class SingleFlight:
    """The reads of one mailbox that have not begun."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Future[Any]] = {}

    async def run(self, key: Hashable, work: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """Returns the result of ``work``, shared with all callers of the same key that came before it began. ``work``
        receives a function to call when it begins. An error is raised to all of them."""
        while (leader := self._waiting.get(key)) is not None:
            with queued("read"):
                result = await asyncio.shield(leader)
            if result is not _CANCELLED:
                return result  # type: ignore[no-any-return]
        own: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[key] = own

        def begin() -> None:
            if self._waiting.get(key) is own:
                del self._waiting[key]

        try:
            result = await work(begin)
        except asyncio.CancelledError:
            own.set_result(_CANCELLED)
            raise
        except BaseException as error:
            own.set_exception(error)
            own.exception()  # marks it as retrieved: often there is no other caller
            raise
        else:
            own.set_result(result)
            return result
        finally:
            begin()
