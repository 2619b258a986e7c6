"""Changes of a folder, and of the whole mailbox, since a sync token."""

from collections.abc import Iterable

from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import folder_numbers
from service.adapters.imap.sync.deltas import Delta, changes_since, current_state, state_from
from service.adapters.imap.sync.token import SyncState, read_token, read_tokens, write_token, write_tokens
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import NotFound, StaleToken

_COUNTS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_COUNTS_WITH_CHANGES = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
MAX_IN_ONE = 50
"""Folders whose messages are looked at for one answer; the next answer has the rest."""


class ChangeLog:
    """What happened in a mailbox since a token."""

    def __init__(self, access: Access, folders: Folders) -> None:
        self.access = access
        self._ids = access.ids
        self._folders = folders

    async def folder_token(self, folder: bytes) -> bytes:
        """A token for the present state of the folder."""
        return write_token(folder, await self._state(folder))

    async def folder_changes(self, folder: bytes, since: bytes) -> Changes:
        """See the port. One round trip if nothing changed, else two."""
        before = read_token(folder, since)
        now = await self._now(folder) if before.modseq else SyncState(0, 0, 0, 0)
        if before.modseq and now.numbers == before.numbers:
            return Changes(FolderChanges(folder_id=self._ids.folder(folder)), since)
        delta = await self._delta(folder, before, now.modseq)
        return Changes(self._changes(folder, delta), write_token(folder, delta.state), delta.has_more)

    async def account_token(self) -> bytes:
        """A token for the present state of all folders."""
        counted = await self._counted()
        return write_tokens({name: await self._known(name, state) for name, state in counted.items()})

    async def account_changes(self, since: bytes) -> AccountChanges:
        """See the port. One round trip if nothing changed and the server counts changes, and one for each folder that
        did."""
        before = read_tokens(since)
        now = await self._counted()
        states: dict[bytes, SyncState] = {}
        changed: list[FolderChanges] = []
        has_more = False
        for name, counts in now.items():
            known = before.get(name)
            if known is None:
                states[name] = await self._known(name, counts)
            elif known.modseq and known.numbers == counts.numbers:
                states[name] = known
            elif len(changed) >= MAX_IN_ONE:
                states[name], has_more = known, True
            else:
                changes, states[name], more = await self._compare(name, known, counts)
                has_more |= more
                if changes:
                    changed.append(changes)
        return AccountChanges(
            write_tokens(states),
            changed,
            [self._ids.folder(name) for name in now.keys() - before.keys()],
            [self._ids.folder(name) for name in before.keys() - now.keys()],
            has_more,
        )

    async def _compare(self, name: bytes, known: SyncState, counts: SyncState) -> tuple[FolderChanges, SyncState, bool]:
        """If the changes cannot be computed, the folder has to be listed again; its state is known from now on."""
        folder_id = self._ids.folder(name)
        if not known.modseq and known.flags is None and known.numbers == counts.numbers:
            return FolderChanges(folder_id=folder_id), known, False  # too large to be read each time
        try:
            delta = await self._delta(name, known, counts.modseq)
            return self._changes(name, delta), delta.state, delta.has_more
        except StaleToken:
            return FolderChanges(folder_id=folder_id, resync=True), await self._known(name, counts), False
        except NotFound:  # it was removed just now
            return FolderChanges(folder_id=folder_id), known, False

    async def _counted(self) -> dict[bytes, SyncState]:
        """The states of all folders that hold messages, by STATUS."""
        listing = await self._folders.listing(await self._items())
        return {
            row.name: state_from(listing.counts[row.name])
            for row in listing.rows
            if listing.counts.get(row.name, {}).get(b"UIDVALIDITY")
        }

    @again
    async def _items(self) -> bytes:
        async with self.access.anywhere() as connection:
            return _COUNTS_WITH_CHANGES if connection.has_modseq else _COUNTS

    async def _known(self, name: bytes, counts: SyncState) -> SyncState:
        """The complete state. If the server reports what vanishes, the counts are all of it."""
        if counts.modseq and await self._reports_vanished():
            return counts
        return await self._state(name)

    @again
    async def _reports_vanished(self) -> bool:
        async with self.access.anywhere() as connection:
            return connection.has_modseq and connection.capabilities >= {"QRESYNC", "ENABLE", "UNSELECT"}

    @again
    async def _state(self, folder: bytes) -> SyncState:
        async with self.access.within(folder) as selection:
            await selection.enable_qresync()
            return await current_state(selection)

    @again
    async def _delta(self, folder: bytes, before: SyncState, least: int) -> Delta:
        async with self.access.near(folder) as connection:
            return await changes_since(connection, folder, before, least)

    @again
    async def _now(self, folder: bytes) -> SyncState:
        async with self.access.anywhere() as connection:
            return state_from(await folder_numbers(connection, folder))

    def _changes(self, folder: bytes, delta: Delta) -> FolderChanges:
        def ids(uids: Iterable[int]) -> tuple[str, ...]:
            return tuple(self._ids.message(folder, delta.state.uid_validity, uid) for uid in sorted(uids))

        return FolderChanges(
            folder_id=self._ids.folder(folder),
            created=ids(delta.created),
            updated=ids(delta.updated),
            destroyed=ids(delta.destroyed),
        )
