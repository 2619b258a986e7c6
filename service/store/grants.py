"""The states of grants (OAuth 2.0) that standing work signs in with. Each refresh may end the refresh token before it,
so the work of all replicas and the requests of the session share the newest state."""

from collections.abc import Callable

from sqlalchemy import select, update

from service.store.database import Database
from service.store.queue import content_place
from service.store.sealing import Seal, Unreadable, pack, unpack
from service.store.tables import work


class GrantStates:
    """By session. What is in the content, its writer knows."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    async def contents(self, session: str) -> list[bytes]:
        """Of all work that signs in with the session's grant."""
        return await self.change(session, lambda _: None)

    async def change(self, session: str, changed: Callable[[bytes], bytes | None]) -> list[bytes]:
        """Replaces each content for which ``changed`` returns another. Returns those from before."""
        before = []
        async with self._database.begin() as connection:
            query = select(work.c.id, work.c.content).where(work.c.grant.in_(self._seal.names("grant", session)))
            for id, sealed in await connection.execute(query.with_for_update()):  # noqa: A001
                try:
                    head, content = unpack(self._seal.open(sealed, content_place(id)))
                except Unreadable:
                    continue
                before.append(content)
                new = changed(content)
                if new is not None:
                    again = self._seal.seal(pack(head, new), content_place(id))
                    await connection.execute(update(work).where(work.c.id == id).values(content=again))
        return before
