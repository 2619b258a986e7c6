"""Workers, and the work that they hold."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.bell import Bell
from service.store.database import Database
from service.store.model import Claim, Dead, Held, Lost, State
from service.store.sealing import Seal
from service.store.tables import now, work, workers

T = TypeVar("T")
_MANY = 500
"""Values in one statement."""


class Queue:
    """The work of one kind."""

    def __init__(self, database: Database, seal: Seal, bell: Bell, kind: str) -> None:
        self._database, self._seal, self._bell, self._kind = database, seal, bell, kind

    async def join(self, worker: str) -> None:
        """A new worker, before it claims anything."""
        async with self._database.begin() as connection:
            await connection.execute(insert(workers).values(id=worker, beat_at=now()))

    async def leave(self, worker: str) -> None:
        """The worker ends. Others can have its work at once."""
        async with self._database.begin() as connection:
            await connection.execute(update(work).where(work.c.owner == worker).values(owner=None))
            await connection.execute(delete(workers).where(workers.c.id == worker))
            await self._bell.ring(connection)

    async def reap(self, seconds: float) -> int:
        """Declare those dead that did not report for so long, and free their work. Returns how much."""
        async with self._database.begin() as connection:
            silent = select(workers.c.id).where(workers.c.beat_at < now() - seconds).order_by(workers.c.id)
            dead = (await connection.scalars(silent.with_for_update(skip_locked=True))).all()
            if not dead:
                return 0
            await connection.execute(delete(workers).where(workers.c.id.in_(dead)))
            freed = await connection.execute(update(work).where(work.c.owner.in_(dead)).values(owner=None))
            await self._bell.ring(connection)
            return freed.rowcount

    async def report(self, worker: str) -> list[Held]:
        """The worker is alive. Returns what it holds. Raises Dead."""
        async with self._database.begin() as connection:
            await _beat(connection, worker)
            columns = (work.c.id, work.c.epoch, work.c.revision)
            rows = await connection.execute(select(*columns).where(work.c.owner == worker, work.c.kind == self._kind))
            return [Held(Claim(row.id, row.epoch), row.revision) for row in rows]

    async def share(self) -> tuple[int, int]:
        """How much work there is to hold, and how many workers to hold it."""
        async with self._database.begin() as connection:
            of_kind = select(func.count()).select_from(work).where(self._is_live())
            total = await connection.scalar(of_kind)
            count = await connection.scalar(select(func.count()).select_from(workers))
            return total or 0, max(1, count or 0)

    async def claim(self, worker: str, most: int) -> list[Claim]:
        """Take up to ``most`` of the work that has no owner, what is due longest first. Raises Dead.

        The owner is a column of the row itself: an outer join with the workers would be evaluated before the row is
        locked, and two workers would get the same row.
        """
        async with self._database.begin() as connection:
            await _beat(connection, worker)
            free = (
                select(work.c.id, work.c.epoch)
                .where(self._is_live(), work.c.owner.is_(None), work.c.due_at <= now())
                .order_by(work.c.due_at)
                .limit(most)
                .with_for_update(skip_locked=True)
            )
            found = (await connection.execute(free)).all()
            ids = [row.id for row in found]
            for part in _parts(ids):
                own = update(work).where(work.c.id.in_(part))
                await connection.execute(own.values(owner=worker, epoch=work.c.epoch + 1))
            return [Claim(row.id, row.epoch + 1) for row in found]

    async def release(self, claims: Sequence[Claim], seconds: float = 0) -> None:
        """Leave work to others; it is due again after these seconds."""
        async with self._database.begin() as connection:
            for part in _parts(claims):
                same = or_(*(is_held(claim) for claim in part))
                await connection.execute(update(work).where(same).values(owner=None, due_at=now() + seconds))
            await self._bell.ring(connection)

    async def require(self, claim: Claim) -> int:
        """The fence before each effect. Returns the revision of the work. Raises Lost if another worker may have it."""
        async with self._database.begin() as connection:
            revision: int | None = await connection.scalar(select(work.c.revision).where(is_held(claim)))
        if revision is None:
            raise Lost
        return revision

    async def advance(self, claim: Claim, mark: bytes) -> None:
        """Note how far the work was done. Raises Lost."""
        await self._change(claim, {"mark": self._seal.seal(mark, mark_place(claim.id))})

    async def fail(self, claim: Claim) -> None:
        """It is not claimed again before its user has changed it. Raises Lost."""
        await self._change(claim, {"state": State.FAILED, "owner": None})

    async def _change(self, claim: Claim, values: dict[str, object]) -> None:
        async with self._database.begin() as connection:
            done = await connection.execute(update(work).where(is_held(claim)).values(values))
            if not done.rowcount:
                raise Lost

    def _is_live(self) -> ColumnElement[bool]:
        unexpired = or_(work.c.expires_at.is_(None), work.c.expires_at > now())
        return and_(work.c.kind == self._kind, work.c.state == State.LIVE, unexpired)


async def _beat(connection: AsyncConnection, worker: str) -> None:
    """Locks the worker's row to the end of the transaction, so that it is not declared dead meanwhile."""
    done = await connection.execute(update(workers).where(workers.c.id == worker).values(beat_at=now()))
    if not done.rowcount:
        raise Dead


def is_held(claim: Claim) -> ColumnElement[bool]:
    """The epoch is enough: each claim has another one. Without an owner, the work was left to others."""
    return and_(work.c.id == claim.id, work.c.epoch == claim.epoch, work.c.owner.is_not(None))


def _parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[at : at + _MANY] for at in range(0, len(values), _MANY))


def content_place(id: str) -> str:  # noqa: A002
    """The place of the content of work, for the seal."""
    return f"work/{id}/content"


def mark_place(id: str) -> str:  # noqa: A002
    return f"work/{id}/mark"
