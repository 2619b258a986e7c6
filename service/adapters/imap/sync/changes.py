"""Changes of a folder and of the whole mailbox since a mark."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from service.adapters.imap.folders.tree import Anywhere, Folders
from service.adapters.imap.ids import Ids
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.sync.deltas import Delta, changes_since, counted, mark_of, numbers_of, ready
from service.adapters.imap.sync.token import Mark, read_mark, read_marks, write_mark, write_marks
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import NotFound, StaleToken

_COUNTS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_COUNTS_WITH_CHANGES = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
MAX_IN_ONE = 50
"""Folders whose messages are looked at for one answer; the rest comes with the next."""


class In(Protocol):
    """Runs work on a connection that has a folder selected."""

    def __call__(
        self, folder: bytes, work: Callable[[Connection], Awaitable[Any]], lane: Lane = Lane.INTERACTIVE
    ) -> Awaitable[Any]: ...


class History:
    """What happened in a mailbox."""

    def __init__(self, ids: Ids, folders: Folders, anywhere: Anywhere, within: In) -> None:
        self._ids = ids
        self._folders = folders
        self._anywhere = anywhere
        self._within = within

    async def mark(self, folder: bytes) -> bytes:
        """Of the folder as it is."""
        return write_mark(folder, await self._mark(folder))

    async def changes(self, folder: bytes, since: bytes) -> Changes:
        """See the port."""
        before = read_mark(folder, since)
        if before.modseq and await self._numbers(folder) == before.numbers:
            return Changes(FolderChanges(folder_id=self._ids.folder(folder)), since)
        delta = await self._delta(folder, before)
        return Changes(self._told(folder, delta), write_mark(folder, delta.mark), delta.has_more)

    async def account_mark(self) -> bytes:
        """Of all folders as they are."""
        return write_marks({name: await self._known(name, mark) for name, mark in (await self._counted()).items()})

    async def account_changes(self, since: bytes) -> AccountChanges:
        """See the port."""
        before = read_marks(since)
        now = await self._counted()
        marks: dict[bytes, Mark] = {}
        told: list[FolderChanges] = []
        has_more = False
        for name, counts in now.items():
            known = before.get(name)
            if known is None:
                marks[name] = await self._known(name, counts)
            elif known.modseq and known.numbers == counts.numbers:
                marks[name] = known
            elif len(told) >= MAX_IN_ONE:
                marks[name], has_more = known, True
            else:
                changes, marks[name], more = await self._changes(name, known, counts)
                has_more |= more
                if changes:
                    told.append(changes)
        return AccountChanges(
            write_marks(marks),
            told,
            [self._ids.folder(name) for name in now.keys() - before.keys()],
            [self._ids.folder(name) for name in before.keys() - now.keys()],
            has_more,
        )

    async def _changes(self, name: bytes, known: Mark, counts: Mark) -> tuple[FolderChanges, Mark, bool]:
        """Where it cannot be told, the folder has to be listed anew, and is known from now on."""
        folder_id = self._ids.folder(name)
        if not known.modseq and known.flags is None and known.numbers == counts.numbers:
            return FolderChanges(folder_id=folder_id), known, False  # too large to look at each time
        try:
            delta = await self._delta(name, known)
            return self._told(name, delta), delta.mark, delta.has_more
        except StaleToken:
            return FolderChanges(folder_id=folder_id, resync=True), await self._known(name, counts), False
        except NotFound:  # it went just now
            return FolderChanges(folder_id=folder_id), known, False

    async def _counted(self) -> dict[bytes, Mark]:
        """All folders that hold messages, by what STATUS tells."""
        told = await self._folders.told(await self._items())
        return {
            row.name: counted(told.counts[row.name])
            for row in told.rows
            if told.counts.get(row.name, {}).get(b"UIDVALIDITY")
        }

    async def _items(self) -> bytes:
        async def items(connection: Connection) -> bytes:
            return _COUNTS_WITH_CHANGES if connection.has_condstore else _COUNTS

        found: bytes = await self._anywhere(items)
        return found

    async def _known(self, name: bytes, counts: Mark) -> Mark:
        """The counts are all there is to know where the server tells what vanishes."""

        async def is_enough(connection: Connection) -> bool:
            return connection.has_condstore and connection.capabilities >= {"QRESYNC", "ENABLE", "UNSELECT"}

        if counts.modseq and await self._anywhere(is_enough):
            return counts
        return await self._mark(name)

    async def _mark(self, folder: bytes) -> Mark:
        async def work(connection: Connection) -> Mark:
            await ready(connection)
            return await mark_of(connection)

        mark: Mark = await self._within(folder, work)
        return mark

    async def _delta(self, folder: bytes, before: Mark) -> Delta:
        async def work(connection: Connection) -> Delta:
            await ready(connection)
            return await changes_since(connection, before)

        delta: Delta = await self._within(folder, work)
        return delta

    async def _numbers(self, folder: bytes) -> tuple[int, int, int, int]:
        async def work(connection: Connection) -> tuple[int, int, int, int]:
            return counted(await numbers_of(connection, folder)).numbers

        numbers: tuple[int, int, int, int] = await self._anywhere(work)
        return numbers

    def _told(self, folder: bytes, delta: Delta) -> FolderChanges:
        def ids(uids: Iterable[int]) -> tuple[str, ...]:
            return tuple(self._ids.message(folder, delta.mark.validity, uid) for uid in sorted(uids))

        return FolderChanges(
            folder_id=self._ids.folder(folder),
            created=ids(delta.created),
            updated=ids(delta.updated),
            destroyed=ids(delta.destroyed),
        )
