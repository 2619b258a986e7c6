"""A caller that goes away while it waits for an answer: what was begun for it ends.

The HTTP server tells of it only to who asks, so somebody has to, and only then: most requests are over before that.
Writes go on to their end: a phone that lost its network has asked for them all the same.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE = 0.3
"""Seconds before somebody looks whether the caller is still there."""
_READS = frozenset({"GET", "HEAD"})


class Disconnects:
    """Cancels reads whose caller has gone; the adapter then closes the connection that was in use."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_read(scope):
            await self._app(scope, receive, send)
            return
        caller = _Caller(receive)
        look = asyncio.get_running_loop().call_later(PATIENCE, caller.watch)
        try:
            await self._app(scope, caller.receive, send)
        except asyncio.CancelledError:
            if not caller.has_gone:
                raise
            caller.request.uncancel()
        finally:
            look.cancel()
            caller.forget()


class _Caller:
    """Reads what the server says of the caller, for the request as well."""

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.request = task
        self.has_gone = False
        self._receive = receive
        self._told: asyncio.Queue[Message] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        return await (self._receive() if self._told is None else self._told.get())

    def watch(self) -> None:
        """From now on."""
        self._told = asyncio.Queue()
        self._watching = asyncio.ensure_future(self._watch(self._told))

    async def _watch(self, told: asyncio.Queue[Message]) -> None:
        message: Message = {}
        while message.get("type") != "http.disconnect":
            message = await self._receive()
            told.put_nowait(message)
        self.has_gone = True
        self.request.cancel()

    def forget(self) -> None:
        """The request is over."""
        if self._watching is not None:
            self._watching.cancel()


def _is_read(scope: Scope) -> bool:
    return scope["method"] in _READS or (scope["method"] == "POST" and scope["path"].endswith("/search"))
