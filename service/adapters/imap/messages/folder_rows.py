"""What never changes of a message, kept once read: envelope, structure, dates and size of a (UIDVALIDITY, UID). Flags
are never kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from service.adapters.imap.ids import Ids
from service.adapters.imap.messages.cache import Entry, Rest, Rows
from service.adapters.imap.messages.envelope import (
    SUMMARY_ITEMS,
    addresses,
    envelope_of,
    read_summary,
    structure_of,
    weight,
)
from service.adapters.imap.session.connection import Connection, Selected
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.dates import read_date_time
from service.adapters.imap.wire.flags import json_from_wire
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import Row, fetch_rows
from service.adapters.shared.threads import LARGE, apart
from service.mail.json_rows import row_json, with_member
from service.telemetry import metrics

_SUMMARY = frozenset({b"ENVELOPE", b"RFC822.SIZE"})
_BATCH = 500
_DATES_BATCH = 5000


JsonOf = dict[int, bytes]
"""Rows by UID as they are sent."""
_NONE: Mapping[int, str] = {}


def _is_whole(row: Row) -> bool:
    """Of what another session removed just now Dovecot tells a size of 0, the year 1970 and NIL for all else."""
    envelope = row.get(b"ENVELOPE")
    is_gone = (
        row.get(b"RFC822.SIZE") == b"0"
        and row.get(b"INTERNALDATE") == b"01-Jan-1970 00:00:00 +0000"
        and isinstance(envelope, list)
        and not any(envelope)
    )
    return not is_gone and not _SUMMARY.isdisjoint(row)


def _entry_of(row: Row, message_id: str, folder_id: str) -> Entry:
    """What is kept of a row."""
    structure, envelope = structure_of(row), envelope_of(row)
    _, _, from_, sender, reply_to, _, cc, bcc, _, _ = envelope
    rest = Rest(
        structure=structure,
        sender=addresses(sender) if sender != from_ else (),
        reply_to=addresses(reply_to) if reply_to != from_ else (),
        cc=addresses(cc),
        bcc=addresses(bcc),
    )
    summary = read_summary(row, message_id, folder_id, structure)
    return Entry(row_json(summary), rest.model_dump_json(exclude_defaults=True).encode())


class FolderRows:
    """Rows of the folder a connection has selected."""

    def __init__(self, rows: Rows, ids: Ids, connection: Connection) -> None:
        self.connection = connection
        self.name = self.selected.name
        self.uid_validity = self.selected.uid_validity
        self._ids = ids
        self._rows = rows
        self._place = (ids.account, self.name, self.uid_validity)
        self.folder_id = ids.folder(self.name)

    @property
    def selected(self) -> Selected:
        """The folder as the server told it last."""
        assert self.connection.selected is not None
        return self.connection.selected

    def is_unread(self, below: int) -> bool:
        """Whether nothing is known of the folder below this UID."""
        return below <= self._rows.shelf(self._place).lowest

    def page_end(self, limit: int, below: int) -> int | None:
        """The lowest UID of the page below a UID when it was last shown, if that is remembered."""
        return self._rows.shelf(self._place).pages.get((limit, below))

    def keep_page(self, limit: int, below: int, lowest: int) -> None:
        """Remember where a page ended."""
        self._rows.keep_page(self._place, limit, below, lowest)

    @property
    def _known(self) -> Mapping[int, Entry]:
        """What is kept at this moment, in a look-up that counts as use: taken once before many UIDs are looked up,
        and again after an await."""
        return self._rows.shelf(self._place).entries

    def id(self, uid: int) -> str:
        """The message's id."""
        return self._ids.message(self.name, self.uid_validity, uid)

    async def summaries(self, uids: Sequence[int]) -> JsonOf:
        """The rows of those that are there, in the order asked, in one round trip: flags of all, and the rest of those
        not known."""
        kept = self._known
        known = {uid: kept[uid] for uid in uids if uid in kept}
        unknown = [uid for uid in uids if uid not in known]
        metrics.rows("imap", len(known), len(unknown))
        commands = []
        if known:
            commands.append([b"UID", b"FETCH", uid_set(known), b"(UID FLAGS)"])
        if unknown:
            commands.append([b"UID", b"FETCH", uid_set(unknown), b"(%b)" % SUMMARY_ITEMS])
        told = await fetch_rows((await self.connection.run_all(commands)).untagged) if commands else {}
        return self.read(uids, told, known | await self._read_entries(told, unknown))

    def read(self, uids: Iterable[int], told: Mapping[int, Row], entries: Mapping[int, Entry]) -> JsonOf:
        """The entries of these with the flags that were told, in the order asked."""
        both = [uid for uid in uids if uid in told and uid in entries]
        return {uid: with_member(entries[uid].row, b"flags", json_from_wire(told[uid].get(b"FLAGS"))) for uid in both}

    async def entries(self, uids: Iterable[int], told: Mapping[int, Row] | None = None) -> dict[int, Entry]:
        """The entries of those that are there; a round trip for each five hundred that are neither known nor
        ``told``."""
        kept = self._known
        found = {uid: kept[uid] for uid in uids if uid in kept}
        known = len(found)
        found |= await self._read_entries(told or {}, [uid for uid in uids if uid not in found])
        missing = [uid for uid in uids if uid not in found]
        for at in range(0, len(missing), _BATCH):
            batch = missing[at : at + _BATCH]
            answer = await self.connection.run(b"UID", b"FETCH", uid_set(batch), b"(%b)" % SUMMARY_ITEMS)
            found |= await self._read_entries(await fetch_rows(answer.untagged), batch)
        metrics.rows("imap", known, len(found) - known)
        return found

    async def dates(self, uids: Sequence[int]) -> dict[int, datetime | None]:
        """When each of those that are there was received; known ones may have gone meanwhile."""
        kept = self._known
        dates = {uid: kept[uid].summary.received_at async for uid in paced(uid for uid in uids if uid in kept)}
        missing = [uid for uid in uids if uid not in dates]
        for at in range(0, len(missing), _DATES_BATCH):
            batch = uid_set(missing[at : at + _DATES_BATCH])
            answer = await self.connection.run(b"UID", b"FETCH", batch, b"(UID INTERNALDATE)")
            told = (await fetch_rows(answer.untagged)).items()
            dates |= {uid: read_date_time(row[b"INTERNALDATE"]) for uid, row in told if b"INTERNALDATE" in row}
        return dates

    async def _read_entries(self, told: Mapping[int, Row], uids: Iterable[int]) -> dict[int, Entry]:
        """News of flags from other clients arrive in the same answer as what was asked, and are no rows."""
        return await self.learn({uid: told[uid] for uid in uids if uid in told and _is_whole(told[uid])})

    def known(self, uid: int) -> Entry | None:
        """The message's entry, if it was read before. It may be gone meanwhile."""
        return self._known.get(uid)

    async def learn(self, told: Mapping[int, Row]) -> dict[int, Entry]:
        """The entries of rows; those of complete rows are kept. A row that takes its time is read by a thread."""
        large = {uid: octets for uid, row in told.items() if (octets := weight(row)) > LARGE}
        usual = ((uid, row) for uid, row in told.items() if uid not in large)
        entries = {uid: _entry_of(row, self.id(uid), self.folder_id) async for uid, row in paced(usual)}
        for uid, octets in large.items():
            entries[uid] = await apart(partial(_entry_of, told[uid], self.id(uid), self.folder_id), octets)
        kept = self._known
        new = {uid: entries[uid] for uid, row in told.items() if uid not in kept and _is_complete(row)}
        if new:
            self._rows.keep(self._place, new)
        return entries

    def extend(
        self, entries: Mapping[int, Entry], *, previews: Mapping[int, str] = _NONE, threads: Mapping[int, str] = _NONE
    ) -> dict[int, Entry]:
        """These entries with more texts. Those that are still kept are kept so."""
        kept = self._known
        more = {uid: _extended(kept[uid], previews.get(uid), threads.get(uid)) for uid in entries if uid in kept}
        if more:
            self._rows.keep(self._place, more)
        return {uid: _extended(entry, previews.get(uid), threads.get(uid)) for uid, entry in entries.items()}


def _is_complete(row: Row) -> bool:
    return b"ENVELOPE" in row and b"BODYSTRUCTURE" in row


def _extended(entry: Entry, preview: str | None, thread_id: str | None) -> Entry:
    return replace(
        entry,
        preview=entry.preview if preview is None else preview,
        thread_id=entry.thread_id if thread_id is None else thread_id,
    )
