"""The subscriptions of an account, and the one piece of work that watches for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, insert, literal, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.bell import Bell
from service.store.database import Database
from service.store.model import Claim, Full, Item, State, Work
from service.store.queue import content_place, mark_place
from service.store.sealing import Seal, Unreadable, pack, unpack
from service.store.tables import now, subscriptions, work

WATCH = "watch"
"""The kind of the work."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is written of a mailbox: how to sign in, and for a grant the id of its session."""

    account: str
    content: bytes
    session: str | None = None
    mark: bytes | None = None
    """The state of the mailbox that the app knows, if it is not watched yet."""


class Subscriptions:
    """All of them."""

    def __init__(self, database: Database, seal: Seal, bell: Bell) -> None:
        self._database, self._seal, self._bell = database, seal, bell

    async def all(self, account: str) -> list[Item]:
        """Those of an account that have not expired, active or not."""
        query = select(subscriptions).join(work).where(self._is_of(account), subscriptions.c.expires_at > now())
        async with self._database.begin() as connection:
            rows = (await connection.execute(query.order_by(subscriptions.c.expires_at))).all()
        return self._opened(rows)

    async def has_mark(self, account: str) -> bool:
        """Whether the account is watched, or was."""
        query = select(work.c.id).where(self._is_of(account), work.c.mark.is_not(None))
        async with self._database.begin() as connection:
            return await connection.scalar(query) is not None

    async def keep(self, watched: Watched, item: Item, name: str, *, is_active: bool, most: int | None = None) -> None:
        """Adds a subscription, or replaces the one with its id or its name. The account is watched again if it had
        failed, and from the first active subscription on. Raises Full if there would be more than ``most``."""
        try:
            await self._keep(watched, item, name, is_active=is_active, most=most)
        except IntegrityError:  # another replica added the same one just now
            await self._keep(watched, item, name, is_active=is_active, most=most)

    async def _keep(self, watched: Watched, item: Item, name: str, *, is_active: bool, most: int | None) -> None:
        names = self._seal.names("subscription", watched.account, name)
        async with self._database.begin() as connection:
            id = await self._work(connection, watched)  # noqa: A001
            same = subscriptions.c.name.in_(names) | (subscriptions.c.id == item.id)
            await connection.execute(delete(subscriptions).where(subscriptions.c.work == id, same))
            if most is not None and await self._living(connection, id) >= most:
                raise Full
            row = {
                "id": item.id,
                "work": id,
                "name": names[0],
                "content": self._seal.seal(pack([watched.account, name], item.content), item_place(item.id)),
                "is_active": is_active,
                "expires_at": item.expires_at,
                "failures": item.failures,
            }
            await connection.execute(insert(subscriptions).values(row))
            await self._settle(connection, id, is_new=True)
            await self._bell.ring(connection)

    async def _living(self, connection: AsyncConnection, id: str) -> int:  # noqa: A002
        living = (subscriptions.c.work == id) & (subscriptions.c.expires_at > now())
        return await connection.scalar(select(func.count()).select_from(subscriptions).where(living)) or 0

    async def _work(self, connection: AsyncConnection, watched: Watched) -> str:
        """The id of the account's work, which now has these credentials."""
        query = select(work.c.id).where(self._is_of(watched.account)).with_for_update()
        found = await connection.scalar(query)
        id = found or token_hex(16)  # noqa: A001
        content = pack([watched.account, watched.session], watched.content)
        values: dict[str, Any] = {
            "account": self._seal.name("account", watched.account),
            "content": self._seal.seal(content, content_place(id)),
            "grant": self._seal.name("grant", watched.session) if watched.session else None,
        }
        if watched.mark is not None:
            values["mark"] = self._seal.seal(watched.mark, mark_place(id))
        if found:
            if "mark" in values:  # only its watch moves a mark
                values["mark"] = func.coalesce(work.c.mark, literal(values["mark"], work.c.mark.type))
            await connection.execute(update(work).where(work.c.id == id).values(values))
            return id
        values |= {"id": id, "kind": WATCH, "name": "", "state": State.WAITING, "due_at": now()}
        await connection.execute(insert(work).values({**values, "epoch": 0, "revision": 0, "failures": 0}))
        return id

    async def _settle(self, connection: AsyncConnection, id: str, *, is_new: bool = False) -> None:  # noqa: A002
        """The work lives as long as one of its subscriptions, and waits until one of them is active. What failed stays
        so, unless there is a new one."""
        mine = subscriptions.c.work == id
        latest = await connection.scalar(select(func.max(subscriptions.c.expires_at)).where(mine))
        if latest is None:
            await connection.execute(delete(work).where(work.c.id == id))
            return
        is_live = await connection.scalar(select(exists().where(mine, subscriptions.c.is_active)))
        values: dict[str, Any] = {"expires_at": latest, "revision": work.c.revision + 1}
        await connection.execute(update(work).where(work.c.id == id).values(values))
        revived = {"state": State.LIVE if is_live else State.WAITING, "due_at": now()}
        may_change = true() if is_new else work.c.state != State.FAILED
        await connection.execute(update(work).where(work.c.id == id, may_change).values(revived))

    async def remove(self, account: str, id: str) -> bool:  # noqa: A002
        """Whether there was one."""
        async with self._database.begin() as connection:
            found = await connection.scalar(select(work.c.id).where(self._is_of(account)).with_for_update())
            if found is None:
                return False
            is_it = (subscriptions.c.work == found) & (subscriptions.c.id == id)
            done = await connection.execute(delete(subscriptions).where(is_it))
            await self._settle(connection, found)
            await self._bell.ring(connection)
            return bool(done.rowcount)

    async def load(self, claim: Claim) -> Work | None:
        """Claimed work with its active subscriptions; None if it is gone. Raises Unreadable if no key opens it."""
        active = (subscriptions.c.work == claim.id) & subscriptions.c.is_active & (subscriptions.c.expires_at > now())
        async with self._database.begin() as connection:
            row = (await connection.execute(select(work).where(work.c.id == claim.id))).one_or_none()
            items = (await connection.execute(select(subscriptions).where(active))).all()
        if row is None or row.epoch != claim.epoch or row.owner is None:
            return None
        _, content = unpack(self._seal.open(row.content, content_place(row.id)))
        mark = self._seal.open(row.mark, mark_place(row.id)) if row.mark is not None else None
        return Work(claim, row.revision, content, mark, row.failures, self._opened(items))

    async def count(self, id: str, failures: int) -> None:  # noqa: A002
        """Note how often pushes failed since the last success."""
        async with self._database.begin() as connection:
            await connection.execute(update(subscriptions).where(subscriptions.c.id == id).values(failures=failures))

    async def drop(self, claim: Claim, id: str) -> None:  # noqa: A002
        """Remove a subscription that has no device any more."""
        async with self._database.begin() as connection:
            await connection.scalar(select(work.c.id).where(work.c.id == claim.id).with_for_update())
            is_it = (subscriptions.c.work == claim.id) & (subscriptions.c.id == id)
            await connection.execute(delete(subscriptions).where(is_it))
            await self._settle(connection, claim.id)

    async def sweep(self) -> None:
        """Remove what has expired. In two transactions, so that it never holds one row while it waits for another."""
        left = exists().where(subscriptions.c.work == work.c.id)
        async with self._database.begin() as connection:
            await connection.execute(delete(subscriptions).where(subscriptions.c.expires_at <= now()))
        async with self._database.begin() as connection:
            await connection.execute(delete(work).where(work.c.kind == WATCH, ~left, work.c.expires_at <= now()))

    def _is_of(self, account: str) -> ColumnElement[bool]:
        return (work.c.kind == WATCH) & work.c.account.in_(self._seal.names("account", account))

    def _opened(self, rows: Sequence[Any]) -> list[Item]:
        """Without those that no key opens any more: their app subscribes again."""
        found = []
        for row in rows:
            try:
                _, content = unpack(self._seal.open(row.content, item_place(row.id)))
            except Unreadable:
                continue
            found.append(Item(row.id, content, row.failures, row.expires_at))
        return found


def item_place(id: str) -> str:  # noqa: A002
    """The place of the content of a subscription, for the seal."""
    return f"subscriptions/{id}/content"
