"""How operations get a connection: any one, one with a folder selected, or one with the folder of some messages.

    async with access.within(folder) as selection:
        ...

A connection that is idle may have died unnoticed. What may be done twice says so by ``@again`` and gets another one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from service.adapters.imap.ids import Ids
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.holds import Held, HeldFolder, HeldMessages
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.status import LoginDeferred, SignedOut, lost
from service.mail.errors import UpstreamTimeout, UpstreamUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Access:
    """The connections of one mailbox, for its operations."""

    def __init__(self, pool: Pool, ids: Ids) -> None:
        self.pool = pool
        self.ids = ids

    @property
    def tries(self) -> int:
        """How often work may meet a dead connection: once for each idle one, or for a new one."""
        return max(1, self.pool.idle)

    def contradicts(self, folder: bytes, uid_validity: int, *held: Selection | None) -> bool:
        """Whether a connection, idle or held, has the folder selected with another UIDVALIDITY than a response code
        says. Then one of them is wrong, or old: no id is made of it."""
        known = [*self.pool.idle_selections(), *filter(None, held)]
        return any(each.name == folder and each.uid_validity != uid_validity for each in known)

    def anywhere(self, lane: Lane = Lane.INTERACTIVE) -> AbstractAsyncContextManager[Connection]:
        """Any connection; what it has selected may change under its holder."""
        return Held(self.pool, None, lane)

    def near(self, folder: bytes) -> AbstractAsyncContextManager[Connection]:
        """A connection that has the folder selected if there is one, else any: the holder selects it."""
        return Held(self.pool, folder, Lane.INTERACTIVE)

    def within(self, folder: bytes, lane: Lane = Lane.INTERACTIVE) -> AbstractAsyncContextManager[Selection]:
        """A connection with the folder selected. Raises NotFound("folder")."""
        return HeldFolder(self.pool, folder, lane)

    def messages(
        self, folder: bytes, uid_validity: int, uids: Iterable[int], lane: Lane = Lane.INTERACTIVE
    ) -> AbstractAsyncContextManager[Selection]:
        """A connection with the folder of these messages selected, which knows of all of them.

        Raises NotFound("message") if the folder is gone, and StaleId if it was renumbered. Only entering translates the
        error: a COPY to a folder that is missing stays NotFound("folder").
        """
        return HeldMessages(self.pool, folder, lane, uid_validity, uids)

    @asynccontextmanager
    async def once(self, advice: str) -> AsyncIterator[Connection]:
        """Any connection, for what must not be done twice. If the answer is lost, raises UpstreamError
        ``outcomeUnknown`` with advice on how to find out."""
        try:
            async with self.anywhere() as connection:
                yield connection
        except SignedOut:
            raise  # the server refused the command
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            raise lost(error, advice) from None


class _HasAccess(Protocol):
    @property
    def access(self) -> Access: ...


S = TypeVar("S", bound=_HasAccess)


def once_more(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """For methods that must not run twice: they run again if the server refused the command because the login had
    ended, which says that nothing was done."""

    @wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, *args, **kwargs)
        except SignedOut:
            return await method(self, *args, **kwargs)

    return run


def again(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """For methods that may run twice: they run again while UpstreamUnavailable may mean no more than that an idle
    connection had died. Dovecot ends a connection when its folder is renamed. The last try's error is raised, and at
    once that of a login that the server defers."""

    @wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(self.access.tries):
            try:
                return await method(self, *args, **kwargs)
            except LoginDeferred:
                raise
            except UpstreamUnavailable:
                continue
        return await method(self, *args, **kwargs)

    return run
