"""Standing fetches: the mail of another mailbox comes into an account again and again.

A fetch is two rows of work. The first has all of it, signs in to the account, and is claimed when it is due. The second
is never claimed: it has the credentials of the other mailbox, so that a grant there is found by its session too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.store.database import Database
from service.store.model import Claim, Lost, State
from service.store.queue import content_place, is_held, mark_place
from service.store.sealing import Seal, Unreadable, pack, unpack
from service.store.tables import now, work

FETCH = "fetch"
SOURCE = "fetchSource"
"""The kinds of the two rows."""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials, written; for a grant also the id of its session."""

    account: str
    content: bytes
    session: str | None = None


class Made(NamedTuple):
    """What a fetch is to be: the login of its owner, with the rest of its content, and its mark."""

    owner: Login
    mark: bytes


@dataclass(frozen=True, slots=True)
class FetchRow:
    """A fetch, opened."""

    id: str
    content: bytes
    source: bytes
    mark: bytes
    failures: int
    is_stopped: bool
    is_running: bool
    due_in: float
    """Seconds until it is due."""


class Fetches:
    """All of them."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database, self._seal = database, seal

    async def all(self, account: str) -> list[FetchRow]:
        """Those of an account, oldest first. Without those that no key opens any more."""
        async with self._database.begin() as connection:
            return await self._opened(connection, self._is_of(account))

    async def keep(
        self, source: Login, most: int, same: Callable[[FetchRow], bool], made: Callable[[FetchRow | None], Made]
    ) -> FetchRow | None:
        """Adds a fetch that is due now, or replaces the one that is the same. ``made`` is given that one, if there is
        one. None if the account has ``most`` already."""
        try:
            return await self._keep(source, most, same, made)
        except IntegrityError:  # another replica added the same one just now
            return await self._keep(source, most, same, made)

    async def _keep(
        self, source: Login, most: int, same: Callable[[FetchRow], bool], made: Callable[[FetchRow | None], Made]
    ) -> FetchRow | None:
        owner = made(None).owner
        async with self._database.begin() as connection:
            locked = select(work.c.id).where(self._is_of(owner.account)).order_by(work.c.id).with_for_update()
            await connection.execute(locked)
            present = await self._opened(connection, self._is_of(owner.account))
            known = next((row for row in present if same(row)), None)
            if known is not None:
                await self._replace(connection, known.id, made(known), source)
            elif len(present) >= most:
                return None
            else:
                await self._insert(connection, made(None), source)
            return next(row for row in await self._opened(connection, self._is_of(owner.account)) if same(row))

    async def _insert(self, connection: AsyncConnection, made: Made, source: Login) -> None:
        id = f"f_{token_hex(12)}"  # noqa: A001
        common = {
            "account": self._seal.name("account", made.owner.account),
            "name": self._seal.name("fetch", made.owner.account, source.account),
            "due_at": now(),
            "epoch": 0,
            "revision": 0,
            "failures": 0,
        }
        own = self._login(id, made.owner) | {"mark": self._seal.seal(made.mark, mark_place(id)), "state": State.LIVE}
        other = self._login(_source_of(id), source) | {"state": State.WAITING}
        await connection.execute(insert(work).values(kind=FETCH, **common, **own))
        await connection.execute(insert(work).values(kind=SOURCE, **common, **other))

    async def _replace(self, connection: AsyncConnection, id: str, made: Made, source: Login) -> None:  # noqa: A002
        """A run that is under way loses it."""
        values = self._login(id, made.owner) | {
            "mark": self._seal.seal(made.mark, mark_place(id)),
            "state": State.LIVE,
            "due_at": now(),
            "failures": 0,
            "revision": work.c.revision + 1,
            "owner": None,
        }
        await connection.execute(update(work).where(work.c.id == id).values(values))
        other = _source_of(id)
        await connection.execute(update(work).where(work.c.id == other).values(self._login(other, source)))

    def _login(self, id: str, login: Login) -> dict[str, Any]:  # noqa: A002
        return {
            "id": id,
            "content": self._seal.seal(pack([login.account, login.session], login.content), content_place(id)),
            "grant": self._seal.name("grant", login.session) if login.session else None,
        }

    async def remove(self, account: str, id: str) -> bool:  # noqa: A002
        """Whether there was one. A run that is under way finds it lost."""
        async with self._database.begin() as connection:
            done = await connection.execute(delete(work).where(self._is_of(account), work.c.id == id))
            if done.rowcount:
                await connection.execute(delete(work).where(work.c.id == _source_of(id)))
            return bool(done.rowcount)

    async def load(self, claim: Claim) -> FetchRow | None:
        """A claimed fetch; None if it is no longer held. Raises Unreadable if no key opens it."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(work, _DUE_IN).where(is_held(claim)))).one_or_none()
            source = await self._source(connection, claim.id) if row is not None else None
        return None if row is None or source is None else self._row(row, source)

    async def finish(self, claim: Claim, mark: bytes, failures: int, seconds: float | None) -> None:
        """A run has ended. It is due again after these seconds; None: not before its user has changed it. Raises
        Lost."""
        values: dict[str, Any] = {"failures": failures, "owner": None}
        values["mark"] = self._seal.seal(mark, mark_place(claim.id))
        values |= {"state": State.FAILED} if seconds is None else {"due_at": now() + seconds}
        async with self._database.begin() as connection:
            done = await connection.execute(update(work).where(is_held(claim)).values(values))
            if not done.rowcount:
                raise Lost

    async def _source(self, connection: AsyncConnection, id: str) -> bytes | None:  # noqa: A002
        query = select(work.c.content).where(work.c.id == _source_of(id), work.c.kind == SOURCE)
        sealed: bytes | None = await connection.scalar(query)
        return None if sealed is None else unpack(self._seal.open(sealed, content_place(_source_of(id))))[1]

    async def _opened(self, connection: AsyncConnection, which: ColumnElement[bool]) -> list[FetchRow]:
        found = []
        rows: Sequence[Any] = (await connection.execute(select(work, _DUE_IN).where(which))).all()
        for row in rows:
            try:
                source = await self._source(connection, row.id)
                found += [self._row(row, source)] if source is not None else []
            except Unreadable:
                continue
        return found

    def _row(self, row: Any, source: bytes) -> FetchRow:
        _, content = unpack(self._seal.open(row.content, content_place(row.id)))
        mark = self._seal.open(row.mark, mark_place(row.id))
        is_stopped, is_running = row.state == State.FAILED, row.owner is not None
        return FetchRow(row.id, content, source, mark, row.failures, is_stopped, is_running, row.due_in)

    def _is_of(self, account: str) -> ColumnElement[bool]:
        return (work.c.kind == FETCH) & work.c.account.in_(self._seal.names("account", account))


def _source_of(id: str) -> str:  # noqa: A002
    return f"{id}_source"


_DUE_IN = (work.c.due_at - now()).label("due_in")
