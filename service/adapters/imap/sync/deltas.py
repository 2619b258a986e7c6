"""What happened to the messages of a folder since a mark (RFC 7162; plain IMAP by comparing).

Everything is told up to one moment, and what happens while it is read is told the next time: nothing is missed, and
nothing but a removal may be told twice.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from service.adapters.imap.session.connection import STATE_ITEMS, Connection
from service.adapters.imap.session.fetch import found_all
from service.adapters.imap.sync.token import Mark
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.flags import from_wire
from service.adapters.imap.wire.numbers import clip, count, members, read_ranges
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.protocol import AnswerTooLarge
from service.adapters.imap.wire.responses import each_row, fetch_rows, status_rows, version_of
from service.mail.errors import StaleToken

MAX_TOLD = 1000
"""Messages of one answer; the rest has to be asked for again."""
MAX_VANISHED = 20_000
MAX_COMPARED = 20_000
"""Messages of a folder that is compared message by message."""


class Delta(NamedTuple):
    """UIDs, and the mark from which to go on."""

    mark: Mark
    created: Iterable[int] = ()
    updated: Iterable[int] = ()
    destroyed: Iterable[int] = ()
    has_more: bool = False


async def numbers_of(connection: Connection, name: bytes) -> dict[bytes, int]:
    """A folder's counts now: one round trip, two where the folder is selected, because then STATUS tells what the
    connection knows already and looks no further (Dovecot)."""
    if connection.selected is not None and connection.selected.name == name:
        await connection.run(b"NOOP")
    answer = await connection.run(b"STATUS", arguments.string(name), STATE_ITEMS)
    return (await status_rows(answer.untagged)).get(name, {})


def counted(told: Mapping[bytes, int]) -> Mark:
    """What STATUS tells, as a mark."""
    return Mark(
        told.get(b"UIDVALIDITY", 0), told.get(b"UIDNEXT", 0), told.get(b"HIGHESTMODSEQ", 0), told.get(b"MESSAGES", 0)
    )


async def ready(connection: Connection) -> None:
    """The folder stays selected, and the server tells what vanishes in it, where it can."""
    assert connection.selected is not None
    await connection.enable_qresync(connection.selected.name)


async def mark_of(connection: Connection) -> Mark:
    """The selected folder now."""
    if not connection.counts_changes:
        return await _compared(connection)
    mark = await _counted(connection)
    if connection.tells_vanished:
        return mark
    return mark._replace(uids=frozenset(uid for uid in await found_all(connection) if uid < mark.next))


async def changes_since(connection: Connection, before: Mark) -> Delta:
    """StaleToken where the folder was renumbered, or what vanished cannot be told any more."""
    selected = await connection.refresh()
    if selected.uid_validity != before.validity:
        raise StaleToken("The folder was renumbered. List it again.")
    if not connection.counts_changes:
        return await _by_comparing(connection, before)
    now = await _counted(connection)
    if not before.modseq or now.modseq < before.modseq or now.next < before.next:
        raise StaleToken("The mail server has begun to count anew. List the folder again.")
    if now.numbers == before.numbers:
        return Delta(before)
    how = _by_qresync if connection.tells_vanished else _by_condstore
    try:
        return await how(connection, before, now)
    except AnswerTooLarge:
        raise StaleToken("More has changed than can be told. List the folder again.") from None


async def _counted(connection: Connection) -> Mark:
    assert connection.selected is not None
    return counted(await numbers_of(connection, connection.selected.name))


async def _by_qresync(connection: Connection, before: Mark, now: Mark) -> Delta:
    """One FETCH tells what changed and what vanished (RFC 7162, 3.2.6)."""
    answer = await connection.run(
        b"UID", b"FETCH", b"1:*", b"(UID FLAGS)", b"(CHANGEDSINCE %d VANISHED)" % before.modseq
    )
    changed = await _changed(answer.untagged, now)
    gone = await _vanished(answer.untagged, before.next - 1)
    told, upto = _page(changed, now)
    mark = now if upto == now.modseq else now._replace(modseq=upto, next=before.next)
    return Delta(
        mark,
        [uid for uid in told if uid >= before.next],
        [uid for uid in told if uid < before.next],
        gone,
        upto != now.modseq,
    )


def _page(changed: Mapping[int, int], now: Mark) -> tuple[list[int], int]:
    """The UIDs that changed first, and up to which count all of them are told."""
    if len(changed) <= MAX_TOLD:
        return sorted(changed), now.modseq
    upto = sorted(changed.values())[MAX_TOLD - 1]
    return sorted(uid for uid, modseq in changed.items() if modseq <= upto), upto


async def _by_condstore(connection: Connection, before: Mark, now: Mark) -> Delta:
    """What vanished is what is no longer found. Without the UIDs of before it can only be told that nothing did."""
    answer = await connection.run(b"UID", b"FETCH", b"1:*", b"(UID FLAGS)", b"(CHANGEDSINCE %d)" % before.modseq)
    changed = await _changed(answer.untagged, now)
    there = {uid for uid in await found_all(connection) if uid < now.next}
    created = {uid for uid in there if uid >= before.next}
    if before.uids is None and len(there) - len(created) != before.total:
        raise StaleToken("What is gone cannot be told. List the folder again.")
    gone = set() if before.uids is None else before.uids - there
    updated = {uid for uid in changed if uid < before.next and uid in there}
    return Delta(now._replace(uids=frozenset(there), total=len(there)), created, updated, gone)


async def _by_comparing(connection: Connection, before: Mark) -> Delta:
    if before.flags is None:
        raise StaleToken("This server counts no changes, and the folder is too large to be compared. List it again.")
    now = await _compared(connection)
    if now.flags is None:
        raise StaleToken("The folder has become too large to be compared. List it again.")
    old, new = _by_uid(before.flags), _by_uid(now.flags)
    return Delta(
        now,
        new.keys() - old.keys(),
        {uid for uid in new.keys() & old.keys() if new[uid] != old[uid]},
        old.keys() - new.keys(),
    )


async def _compared(connection: Connection) -> Mark:
    """All flags of the folder."""
    selected = await connection.refresh()
    if not selected.exists:
        return Mark(selected.uid_validity, 1, 0, 0, flags={})
    if selected.exists > MAX_COMPARED:
        return Mark(selected.uid_validity, 1, 0, selected.exists)
    answer = await connection.run(b"FETCH", b"1:*", b"(UID FLAGS)")
    groups: dict[str, set[int]] = {}
    async for uid, row in paced((await fetch_rows(answer.untagged)).items()):
        groups.setdefault(" ".join(sorted(from_wire(row.get(b"FLAGS")))), set()).add(uid)
    uids = {uid for group in groups.values() for uid in group}
    flags = {words: frozenset(group) for words, group in groups.items()}
    return Mark(selected.uid_validity, max(uids, default=0) + 1, 0, len(uids), flags=flags)


def _by_uid(flags: Mapping[str, frozenset[int]]) -> dict[int, str]:
    return {uid: words for words, uids in flags.items() for uid in uids}


async def _changed(untagged: Iterable[bytes], now: Mark) -> dict[int, int]:
    """The counts of the messages that changed, up to the moment of ``now``; what came later is told the next time."""
    changed: dict[int, int] = {}
    async for uid, row in each_row(untagged):
        modseq = int(version_of(row) or now.modseq)
        if modseq <= now.modseq and uid < now.next:
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
                raise StaleToken("More is gone than can be told. List the folder again.")
            gone.update(members(ranges))
    return gone
