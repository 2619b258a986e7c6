"""What never changes of a message, kept once read: envelope, structure, dates and size of a (UIDVALIDITY, UID).

Flags are never kept. Rows are bounded by their octets over all accounts of the process; the folder used least goes
first.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from service import metrics
from service.adapters.apart import Turn, apart
from service.adapters.imap.arguments import uid_set
from service.adapters.imap.connection import Connection, Selected
from service.adapters.imap.envelope import (
    SUMMARY_ITEMS,
    addresses,
    envelope_of,
    internal_date,
    read_summary,
    structure_of,
    weight,
)
from service.adapters.imap.flags import json_from_wire
from service.adapters.imap.places import Ids
from service.adapters.imap.responses import MAX_UID, Row, fetch_rows
from service.mail.model import Address, MessageSummary, Part, Value
from service.mail.rows import row_json, with_member

BUDGET = 64 << 20
_COST = 400
"""Octets of a row in memory beside its JSON, measured with tracemalloc."""
_PAGES = 200
_SUMMARY = frozenset({b"ENVELOPE", b"RFC822.SIZE"})
_BATCH = 500
_DATES_BATCH = 5000


class Rest(Value):
    """What no list shows: for searches, and for who opens the message."""

    structure: Part | None = None
    sender: tuple[Address, ...] = ()
    """This and ``reply_to`` are empty where they are who it is from, which is what servers put there."""
    reply_to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()


@dataclass(slots=True)
class Entry:
    """A row as it is kept: octets, of which models are made where somebody looks into them."""

    row: bytes
    """The summary's JSON, without flags."""
    rest_json: bytes
    preview: str | None = None
    thread_id: str | None = None

    @property
    def summary(self) -> MessageSummary:
        """Without flags."""
        return MessageSummary.model_validate_json(self.row)

    @property
    def rest(self) -> Rest:
        return Rest.model_validate_json(self.rest_json)

    @property
    def cost(self) -> int:
        """About its octets in memory."""
        return _COST + len(self.row) + len(self.rest_json)


@dataclass(slots=True)
class Shelf:
    """The entries of one folder by UID, and where its pages were seen to end."""

    entries: dict[int, Entry] = field(default_factory=dict)
    pages: OrderedDict[tuple[int, int], int] = field(default_factory=OrderedDict)
    """By limit and the UID it lies below: the lowest UID of a page. A hint, never an answer."""
    lowest: int = MAX_UID + 1
    """No UID below it was read."""

    def note_page(self, limit: int, below: int, lowest: int) -> None:
        """Remember where a page ended."""
        self.pages[limit, below] = lowest
        self.pages.move_to_end((limit, below))
        if len(self.pages) > _PAGES:
            self.pages.popitem(last=False)


JsonOf = dict[int, bytes]
"""Rows by UID as they are sent."""
_Place = tuple[str, bytes, int]


class Rows:
    """The entries of every account, by account, folder and UIDVALIDITY."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._used = 0
        self._shelves: OrderedDict[_Place, Shelf] = OrderedDict()

    @property
    def octets(self) -> int:
        """About how much memory they take."""
        return self._used

    def shelf(self, account: str, folder: bytes, uid_validity: int) -> Shelf:
        """The folder's entries, from now on the last to go."""
        place = (account, folder, uid_validity)
        shelf = self._shelves.setdefault(place, Shelf())
        self._shelves.move_to_end(place)
        return shelf

    def keep(self, shelf: Shelf, uid: int, entry: Entry) -> None:
        """Put it on its shelf; what is used least makes room."""
        if uid not in shelf.entries:
            shelf.entries[uid] = entry
            shelf.lowest = min(shelf.lowest, uid)
            self._used += entry.cost
        while self._used > self._budget:
            place, oldest = next(iter(self._shelves.items()))
            self._used -= _pop_oldest(oldest.entries)
            if not oldest.entries:
                del self._shelves[place]


def _pop_oldest(entries: dict[int, Entry]) -> int:
    return entries.pop(next(iter(entries))).cost if entries else 0


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


def entry_of(row: Row, message_id: str, folder_id: str) -> Entry:
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
        self.shelf = rows.shelf(ids.account, self.name, self.uid_validity)
        self._known = self.shelf.entries
        self.folder_id = ids.folder(self.name)

    @property
    def selected(self) -> Selected:
        """The folder as the server told it last."""
        assert self.connection.selected is not None
        return self.connection.selected

    def is_unread(self, below: int) -> bool:
        """Whether nothing is known of the folder below this UID."""
        return below <= self.shelf.lowest

    def id(self, uid: int) -> str:
        """The message's id."""
        return self._ids.message(self.name, self.uid_validity, uid)

    async def summaries(self, uids: Sequence[int]) -> JsonOf:
        """The rows of those that are there, in the order asked, in one round trip: flags of all, and the rest of those
        not known."""
        known = {uid: self._known[uid] for uid in uids if uid in self._known}
        unknown = [uid for uid in uids if uid not in known]
        metrics.rows("imap", len(known), len(unknown))
        commands = []
        if known:
            commands.append([b"UID", b"FETCH", uid_set(known), b"(UID FLAGS)"])
        if unknown:
            commands.append([b"UID", b"FETCH", uid_set(unknown), b"(%b)" % SUMMARY_ITEMS])
        told = fetch_rows((await self.connection.run_all(commands)).untagged) if commands else {}
        return self.read(uids, told, known | await self._read_entries(told, unknown))

    def read(self, uids: Iterable[int], told: Mapping[int, Row], entries: Mapping[int, Entry]) -> JsonOf:
        """The entries of these with the flags that were told, in the order asked."""
        both = [uid for uid in uids if uid in told and uid in entries]
        return {uid: with_member(entries[uid].row, b"flags", json_from_wire(told[uid].get(b"FLAGS"))) for uid in both}

    async def entries(self, uids: Iterable[int], told: Mapping[int, Row] | None = None) -> dict[int, Entry]:
        """The entries of those that are there; a round trip for each five hundred that are neither known nor
        ``told``."""
        found = {uid: self._known[uid] for uid in uids if uid in self._known}
        kept = len(found)
        found |= await self._read_entries(told or {}, [uid for uid in uids if uid not in found])
        missing = [uid for uid in uids if uid not in found]
        for at in range(0, len(missing), _BATCH):
            batch = missing[at : at + _BATCH]
            answer = await self.connection.run(b"UID", b"FETCH", uid_set(batch), b"(%b)" % SUMMARY_ITEMS)
            found |= await self._read_entries(fetch_rows(answer.untagged), batch)
        metrics.rows("imap", kept, len(found) - kept)
        return found

    async def dates(self, uids: Sequence[int]) -> dict[int, datetime | None]:
        """When each of those that are there was received; known ones may have gone meanwhile."""
        turn, dates = Turn(), dict[int, datetime | None]()
        for uid in uids:
            if (entry := self._known.get(uid)) is not None:
                dates[uid] = entry.summary.received_at
                await turn.end()
        missing = [uid for uid in uids if uid not in dates]
        for at in range(0, len(missing), _DATES_BATCH):
            batch = uid_set(missing[at : at + _DATES_BATCH])
            answer = await self.connection.run(b"UID", b"FETCH", batch, b"(UID INTERNALDATE)")
            told = fetch_rows(answer.untagged).items()
            dates |= {uid: internal_date(row[b"INTERNALDATE"]) for uid, row in told if b"INTERNALDATE" in row}
        return dates

    async def _read_entries(self, told: Mapping[int, Row], uids: Iterable[int]) -> dict[int, Entry]:
        """News of flags from other clients arrive in the same answer as what was asked, and are no rows."""
        turn, found = Turn(), dict[int, Entry]()
        for uid in uids:
            if uid in told and _is_whole(told[uid]):
                found[uid] = await self.learn(uid, told[uid])
                await turn.end()
        return found

    def known(self, uid: int) -> Entry | None:
        """The message's entry, where it was read before. It may be gone meanwhile."""
        return self._known.get(uid)

    async def learn(self, uid: int, row: Row) -> Entry:
        """The entry of a row, kept from now on where the row is whole."""
        entry = await apart(partial(entry_of, row, self.id(uid), self.folder_id), weight(row))
        if b"ENVELOPE" in row and b"BODYSTRUCTURE" in row:
            self._rows.keep(self.shelf, uid, entry)
        return entry
