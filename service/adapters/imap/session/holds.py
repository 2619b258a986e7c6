"""Connections of the pool while they are held: ``async with HeldFolder(pool, folder, lane) as selection``."""

from collections.abc import Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.selection import Selection, select
from service.mail.errors import NotFound, StaleId, UpstreamProtocol


class Held:
    """A connection. If no folder is named, any may be selected on it."""

    __slots__ = ("_connection", "_folder", "_lane", "_pool")

    def __init__(self, pool: Pool, folder: bytes | None, lane: Lane) -> None:
        self._pool, self._folder, self._lane = pool, folder, lane

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.acquire(self._folder, self._lane)
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, at: object) -> None:
        connection = self._connection
        if isinstance(error, UpstreamProtocol):  # the answer was invalid: nothing more is read from this connection
            connection.fail(error)
        if connection.selection is not None:
            connection.selection.is_fresh = False
        self._pool.leave(self._lane, connection)


class HeldFolder:
    """A connection with the folder selected: one that has it, else one that has none, else one that has another folder,
    else a new one below the limit. To select a folder takes one round trip, to log in four. Raises NotFound."""

    __slots__ = ("_folder", "_held")

    def __init__(self, pool: Pool, folder: bytes, lane: Lane) -> None:
        self._held, self._folder = Held(pool, folder, lane), folder

    async def __aenter__(self) -> Selection:
        connection = await self._held.__aenter__()
        try:
            return await self._select(connection)
        except BaseException as error:
            await self._held.__aexit__(type(error), error, None)
            raise

    async def _select(self, connection: Connection) -> Selection:
        selection = connection.selection
        if selection is None or selection.name != self._folder:
            selection = await select(connection, self._folder)
        return selection

    async def __aexit__(self, kind: object, error: BaseException | None, at: object) -> None:
        await self._held.__aexit__(kind, error, at)


class HeldMessages(HeldFolder):
    """As ``HeldFolder``, of messages: the session knows of all of them. Raises NotFound("message") if the folder is
    gone, and StaleId if it was renumbered. Only entering translates the error."""

    __slots__ = ("_uid_validity", "_uids")

    def __init__(self, pool: Pool, folder: bytes, lane: Lane, uid_validity: int, uids: Iterable[int]) -> None:
        super().__init__(pool, folder, lane)
        self._uid_validity, self._uids = uid_validity, uids

    async def _select(self, connection: Connection) -> Selection:
        try:
            selection = await super()._select(connection)
        except NotFound:
            raise NotFound("message") from None
        if selection.uid_validity != self._uid_validity:
            raise StaleId
        await selection.catch_up(self._uids)
        return selection
