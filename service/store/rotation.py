"""Seals with the present key what others sealed, so that they can be removed from the settings."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Table, delete, func, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.database import Database
from service.store.queue import content_place, mark_place
from service.store.sealing import KEY, Seal, Unreadable, pack, unpack
from service.store.subscriptions import item_place
from service.store.tables import subscriptions, work

_AT_ONCE = 100
"""Rows in one transaction."""


class Rotation:
    """One pass over all rows, while others work with them."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    async def run(self) -> int:
        """Returns how many rows were sealed again. Rows that no key opens stay as they are."""
        count = 0
        async for connection, row in self._old(work):
            count += await self._renew_work(connection, row)
        async for connection, row in self._old(subscriptions):
            count += await self._renew_subscription(connection, row)
        return count

    async def _old(self, table: Table) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        last = ""
        is_old = or_(*(self._is_old(table.c[name]) for name in ("content", "mark") if name in table.c))
        while True:
            query = select(table).where(is_old, table.c.id > last).order_by(table.c.id).limit(_AT_ONCE)
            async with self._database.begin() as connection:
                rows: Sequence[Any] = (await connection.execute(query.with_for_update(skip_locked=True))).all()
                for row in rows:
                    yield connection, row
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1].id

    def _is_old(self, column: Any) -> Any:
        return func.substr(column, 1, KEY) != literal(self._seal.key, column.type)

    async def _renew_work(self, connection: AsyncConnection, row: Any) -> bool:
        try:
            head, content = unpack(self._seal.open(row.content, content_place(row.id)))
            mark = None if row.mark is None else self._seal.open(row.mark, mark_place(row.id))
        except Unreadable:
            return False
        account, session = str(head[0]), head[1]
        name = self._seal.name("account", account)
        values = {
            "account": name,
            "grant": self._seal.name("grant", session) if session else None,
            "content": self._seal.seal(pack(head, content), content_place(row.id)),
            "mark": None if mark is None else self._seal.seal(mark, mark_place(row.id)),
        }
        try:
            async with connection.begin_nested():
                await connection.execute(update(work).where(work.c.id == row.id).values(values))
        except IntegrityError:  # replicas with another first key added the same mailbox at the same time
            same = (work.c.kind == row.kind) & (work.c.account == name) & (work.c.name == row.name)
            other = (await connection.scalars(select(work.c.id).where(same))).one()
            await self._merge(connection, row.id, other)
        return True

    async def _merge(self, connection: AsyncConnection, old: str, new: str) -> None:
        """The subscriptions of one row move to the other, except those that it has too."""
        for id in await connection.scalars(select(subscriptions.c.id).where(subscriptions.c.work == old)):  # noqa: A001
            row = (await connection.execute(select(subscriptions).where(subscriptions.c.id == id))).one()
            await self._renew_subscription(connection, row, work=new)
        await connection.execute(delete(work).where(work.c.id == old))
        latest = select(func.max(subscriptions.c.expires_at)).where(subscriptions.c.work == new).scalar_subquery()
        values = {"revision": work.c.revision + 1, "expires_at": latest}
        await connection.execute(update(work).where(work.c.id == new).values(values))

    async def _renew_subscription(self, connection: AsyncConnection, row: Any, **more: str) -> bool:
        try:
            head, content = unpack(self._seal.open(row.content, item_place(row.id)))
        except Unreadable:
            return False
        values = {
            "name": self._seal.name("subscription", *map(str, head)),
            "content": self._seal.seal(pack(head, content), item_place(row.id)),
        }
        is_it = subscriptions.c.id == row.id
        try:
            async with connection.begin_nested():
                await connection.execute(update(subscriptions).where(is_it).values(**values, **more))
        except IntegrityError:  # the other one of its name is newer
            await connection.execute(delete(subscriptions).where(is_it))
        return True
