"""Changes of a folder, and of the whole mailbox, since a sync token."""

from collections.abc import Iterable
from typing import NamedTuple

from service.adapters.imap.folders.list import FolderListing, read_new_listing
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import folder_numbers
from service.adapters.imap.session.selection import state_of
from service.adapters.imap.sync.deltas import Delta, changes_since, current_state, state_from
from service.adapters.imap.sync.token import SyncState, read_token, read_tokens, write_token, write_tokens
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import NotFound, StaleToken

_COUNTS = b"(MESSAGES UIDNEXT UIDVALIDITY)"
_COUNTS_WITH_CHANGES = b"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
_ITEMS = (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"MESSAGES")
"""In the order of ``SyncState.numbers``."""
MAX_IN_ONE = 50
"""Folders whose messages are looked at for one answer; the next answer has the rest."""


class _Said(NamedTuple):
    """What the server said of all folders: the listing's digest, and the token that was made of it and nothing else."""

    digest: bytes
    token: bytes


class _Counted(NamedTuple):
    """The states of all folders that hold messages, by STATUS."""

    states: dict[bytes, SyncState]
    digest: bytes | None
    is_all: bool
    """Whether the counts are the complete states: the server reports what vanishes."""


class ChangeLog:
    """What happened in a mailbox since a token."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._ids = access.ids
        self._said: _Said | None = None

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
        said = self._said
        counted = await self._counted(said)
        if counted is None:
            assert said is not None
            return said.token
        states = {name: await self._known(name, state, counted) for name, state in counted.states.items()}
        token = write_tokens(states)
        self._keep(counted, token)
        return token

    def is_state(self, token: bytes, folder: bytes, state: str | None) -> bool:
        """Whether the server counts all changes of all folders, and had counted those of this one up to the selection's
        ``state`` when it said what the token says."""
        if self._said is None or self._said.token != token or state is None:
            return False
        known = read_tokens(token).get(folder)
        return known is not None and state == state_of(dict(zip(_ITEMS, known.numbers, strict=True)))

    def _keep(self, counted: _Counted, token: bytes) -> None:
        """Remember the token, if the same answer of the server would lead to the same one."""
        if counted.digest is not None and counted.is_all and all(state.modseq for state in counted.states.values()):
            self._said = _Said(counted.digest, token)

    async def account_changes(self, since: bytes) -> AccountChanges:
        """See the port. One round trip if nothing changed and the server counts changes, and one for each folder that
        did."""
        said = self._said if self._said and self._said.token == since else None
        before = read_tokens(since)
        counted = await self._counted(said)
        if counted is None:
            return AccountChanges(since)
        now = counted.states
        states: dict[bytes, SyncState] = {}
        changed: list[FolderChanges] = []
        has_more = False
        for name, counts in now.items():
            known = before.get(name)
            if known is None:
                states[name] = await self._known(name, counts, counted)
            elif known.modseq and known.numbers == counts.numbers:
                states[name] = known
            elif len(changed) >= MAX_IN_ONE:
                states[name], has_more = known, True
            else:
                changes, states[name], more = await self._compare(name, known, counts, counted)
                has_more |= more
                if changes:
                    changed.append(changes)
        token = write_tokens(states)
        if states == now:
            self._keep(counted, token)
        return AccountChanges(
            token,
            changed,
            [self._ids.folder(name) for name in now.keys() - before.keys()],
            [self._ids.folder(name) for name in before.keys() - now.keys()],
            has_more,
        )

    async def _compare(
        self, name: bytes, known: SyncState, counts: SyncState, counted: _Counted
    ) -> tuple[FolderChanges, SyncState, bool]:
        """If the changes cannot be computed, the folder has to be listed again; its state is known from now on."""
        folder_id = self._ids.folder(name)
        if not known.modseq and known.flags is None and known.numbers == counts.numbers:
            return FolderChanges(folder_id=folder_id), known, False  # too large to be read each time
        try:
            delta = await self._delta(name, known, counts.modseq)
            return self._changes(name, delta), delta.state, delta.has_more
        except StaleToken:
            return FolderChanges(folder_id=folder_id, resync=True), await self._known(name, counts, counted), False
        except NotFound:  # it was removed just now
            return FolderChanges(folder_id=folder_id), known, False

    @again
    async def _counted(self, said: _Said | None) -> _Counted | None:
        """None if the server answers as it did then."""
        async with self.access.anywhere() as connection:
            items = _COUNTS_WITH_CHANGES if connection.has_modseq else _COUNTS
            is_all = connection.has_modseq and connection.capabilities >= {"QRESYNC", "ENABLE", "UNSELECT"}
            listing = await read_new_listing(connection, items, said.digest if said and is_all else None)
        return None if listing is None else _Counted(_states(listing), listing.digest, is_all)

    async def _known(self, name: bytes, counts: SyncState, counted: _Counted) -> SyncState:
        """The complete state."""
        return counts if counts.modseq and counted.is_all else await self._state(name)

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


def _states(listing: FolderListing) -> dict[bytes, SyncState]:
    """The states of all folders that hold messages, by STATUS."""
    return {
        row.name: state_from(listing.counts[row.name])
        for row in listing.rows
        if listing.counts.get(row.name, {}).get(b"UIDVALIDITY")
    }
