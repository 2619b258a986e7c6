"""What happened to the messages of a folder since an earlier state (RFC 7162; plain IMAP by comparing).

An answer is complete up to one moment; what happens while it is read belongs to the next one. So nothing is missed, and
only a removal may be reported twice.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import find_all, folder_numbers
from service.adapters.imap.session.selection import STATE_ITEMS, Selection, select
from service.adapters.imap.sync.token import SyncState
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.commands import AnswerTooLarge
from service.adapters.imap.wire.pace import paced, slices
from service.adapters.imap.wire.responses import each_row, fetch_rows, status_rows, version_of
from service.adapters.imap.wire.values.flags import from_wire
from service.adapters.imap.wire.values.numbers import MAX_UID, clip, count, members, read_ranges
from service.mail.errors import StaleToken

_RENUMBERED = "The folder was renumbered. List it again."
MAX_CHANGED = 1000
"""Messages of one answer; the client asks again for the rest."""
MAX_VANISHED = 20_000
MAX_COMPARED = 20_000
"""Messages of a folder that is compared message by message."""


class Delta(NamedTuple):
    """UIDs, and the state that they lead to."""

    state: SyncState
    created: Iterable[int] = ()
    updated: Iterable[int] = ()
    destroyed: Iterable[int] = ()
    has_more: bool = False


def state_from(numbers: Mapping[bytes, int]) -> SyncState:
    """The state that the numbers of STATUS describe."""
    uid_validity, uid_next, modseq, total = (
        numbers.get(item, 0) for item in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"MESSAGES")
    )
    return SyncState(uid_validity, uid_next, modseq, total)


async def current_state(selection: Selection) -> SyncState:
    """The folder's state now, with all that the server will not report later."""
    if not selection.counts_changes:
        return await _all_flags(selection)
    state = await _counted(selection)
    if selection.reports_vanished:
        return state
    return state._replace(uids=frozenset(uid for uid in await find_all(selection) if uid < state.uid_next))


async def changes_since(connection: Connection, folder: bytes, before: SyncState, least: int = 0) -> Delta:
    """Selects the folder if need be. One round trip with QRESYNC, else two or three. ``least`` is a MODSEQ that the
    folder is known to have reached.

    Raises StaleToken if the folder was renumbered, or if it can no longer be said what vanished.
    """
    try:
        told = await _told(connection, folder, before) if connection.is_qresync and before.modseq else None
        if told is None or told.now.modseq < max(least, before.modseq) or told.now.uid_next < before.uid_next:
            return await _step_by_step(connection, folder, before)
        if told.now.uid_validity != before.uid_validity:
            raise StaleToken(_RENUMBERED)
        return await _by_qresync(told, before)
    except AnswerTooLarge:
        raise StaleToken("Too much has changed for one answer. List the folder again.") from None


class _Told(NamedTuple):
    """The state of a folder, and all that the server reports of what happened up to it, and perhaps later."""

    now: SyncState
    reported: Iterable[bytes]


async def _told(connection: Connection, folder: bytes, before: SyncState) -> _Told | None:
    """One round trip. On a connection that has the folder selected, the news may come too late for it: then the state
    is older than the folder. None if the server refuses, or counts no changes in this folder."""
    selection = connection.selection
    if selection is None or selection.name != folder:
        selection = Selection(connection, folder)
        reported = await selection.select((before.uid_validity, before.modseq))
        return _Told(state_from(selection.numbers)._replace(uid_validity=selection.uid_validity), reported)
    status = [b"STATUS", string(folder), STATE_ITEMS]
    answers = await connection.attempt([b"NOOP"], status, _since(before))
    if any(answer.status.kind != "OK" for answer in answers):
        return None
    return _Told(state_from((await status_rows(answers[-1].untagged)).get(folder, {})), answers[-1].untagged)


def _since(before: SyncState) -> list[bytes]:
    """One FETCH reports what changed and what vanished (RFC 7162, 3.2.6).

    The range ends in the last UID there can be. ``*`` would be the last message that is still there (RFC 9051, 9:
    seq-number), and Cyrus takes it so: the removal of the newest message would never be reported.
    """
    return [b"UID", b"FETCH", b"1:%d" % MAX_UID, b"(UID FLAGS)", b"(CHANGEDSINCE %d VANISHED)" % before.modseq]


async def _step_by_step(connection: Connection, folder: bytes, before: SyncState) -> Delta:
    selection = connection.selection
    if selection is None or selection.name != folder:
        selection = await select(connection, folder)
    await selection.enable_qresync()
    await selection.refresh()
    if selection.uid_validity != before.uid_validity:
        raise StaleToken(_RENUMBERED)
    if not selection.counts_changes:
        return await _by_comparing(selection, before)
    now = await _counted(selection)
    if not before.modseq or now.modseq < before.modseq or now.uid_next < before.uid_next:
        raise StaleToken("The mail server restarted its count of changes. List the folder again.")
    if now.numbers == before.numbers:
        return Delta(before)
    if not selection.reports_vanished:
        return await _by_condstore(selection, before, now)
    return await _by_qresync(_Told(now, (await connection.run(_since(before))).untagged), before)


async def _counted(selection: Selection) -> SyncState:
    """No round trip if the selection is fresh, and the server has reported its whole state."""
    if selection.is_fresh and selection.state is not None:
        return state_from(selection.numbers)
    return state_from(await folder_numbers(selection.connection, selection.name))


async def _by_qresync(told: _Told, before: SyncState) -> Delta:
    now = told.now
    if now.numbers == before.numbers:
        return Delta(before)
    changed = await _changed(told.reported, now)
    destroyed = await _vanished(told.reported, before.uid_next - 1)
    reported, upto = _page(changed, now)
    state = now if upto == now.modseq else now._replace(modseq=upto, uid_next=before.uid_next)
    return Delta(
        state,
        [uid for uid in reported if uid >= before.uid_next],
        [uid for uid in reported if uid < before.uid_next],
        destroyed,
        upto != now.modseq,
    )


def _page(changed: Mapping[int, int], now: SyncState) -> tuple[list[int], int]:
    """The UIDs that changed first, and the MODSEQ up to which they are complete."""
    if len(changed) <= MAX_CHANGED:
        return sorted(changed), now.modseq
    upto = sorted(changed.values())[MAX_CHANGED - 1]
    return sorted(uid for uid, modseq in changed.items() if modseq <= upto), upto


async def _by_condstore(selection: Selection, before: SyncState, now: SyncState) -> Delta:
    """What vanished is what is no longer found. Without the earlier UIDs it can only be said that nothing vanished."""
    modifier = b"(CHANGEDSINCE %d)" % before.modseq
    answer = await selection.connection.run([b"UID", b"FETCH", b"1:%d" % MAX_UID, b"(UID FLAGS)", modifier])
    changed = await _changed(answer.untagged, now)
    existing = {uid for uid in await find_all(selection) if uid < now.uid_next}
    created = {uid for uid in existing if uid >= before.uid_next}
    if before.uids is None and len(existing) - len(created) != before.total:
        raise StaleToken("It is not known which messages are gone. List the folder again.")
    destroyed = set() if before.uids is None else before.uids - existing
    updated = {uid for uid in changed if uid < before.uid_next and uid in existing}
    return Delta(now._replace(uids=frozenset(existing), total=len(existing)), created, updated, destroyed)


async def _by_comparing(selection: Selection, before: SyncState) -> Delta:
    if before.flags is None:
        raise StaleToken("This server counts no changes, and the folder is too large to be compared. List it again.")
    now = await _all_flags(selection)
    if now.flags is None:
        raise StaleToken("The folder has become too large to be compared. List it again.")
    old, new = _by_uid(before.flags), _by_uid(now.flags)
    return Delta(
        now,
        new.keys() - old.keys(),
        {uid for uid in new.keys() & old.keys() if new[uid] != old[uid]},
        old.keys() - new.keys(),
    )


async def _all_flags(selection: Selection) -> SyncState:
    """The state of a folder whose changes the server does not count: the flags of all messages."""
    await selection.refresh()
    if not selection.exists:
        return SyncState(selection.uid_validity, 1, 0, 0, flags={})
    if selection.exists > MAX_COMPARED:
        return SyncState(selection.uid_validity, 1, 0, selection.exists)
    answer = await selection.connection.run([b"FETCH", b"1:*", b"(UID FLAGS)"])
    groups: dict[str, set[int]] = {}
    async for uid, row in paced((await fetch_rows(answer.untagged)).items()):
        groups.setdefault(" ".join(sorted(from_wire(row.get(b"FLAGS")))), set()).add(uid)
    uids = {uid for group in groups.values() for uid in group}
    flags = {words: frozenset(group) for words, group in groups.items()}
    return SyncState(selection.uid_validity, max(uids, default=0) + 1, 0, len(uids), flags=flags)


def _by_uid(flags: Mapping[str, frozenset[int]]) -> dict[int, str]:
    return {uid: words for words, uids in flags.items() for uid in uids}


async def _changed(untagged: Iterable[bytes], now: SyncState) -> dict[int, int]:
    """The MODSEQ of each message that changed until ``now``; the next answer reports what changed later."""
    changed: dict[int, int] = {}
    async for responses in slices(untagged):
        for uid, row in each_row(responses):
            modseq = int(version_of(row) or now.modseq)
            if modseq <= now.modseq and uid < now.uid_next:
                changed[uid] = modseq
    return changed


async def _vanished(untagged: Iterable[bytes], newest: int) -> set[int]:
    """The UIDs up to ``newest`` that vanished. A server may name UIDs that no message ever had, in ranges without
    end, so they are counted before they are made."""
    gone: set[int] = set()
    async for response in paced(untagged):
        if response[:9].upper() == b"VANISHED ":
            ranges = clip(read_ranges(response.rpartition(b" ")[2]), newest)
            if len(gone) + count(ranges) > MAX_VANISHED:
                raise StaleToken("Too many messages are gone for one answer. List the folder again.")
            gone.update(members(ranges))
    return gone
