"""What never changes of a message, kept once read: envelope, structure, dates and size of a (UIDVALIDITY, UID).

Flags are never kept. Rows are bounded by their octets over all accounts of the process; the folder used least goes
first.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.adapters.imap.arguments import uid_set
from service.adapters.imap.connection import Connection
from service.adapters.imap.envelope import (
    SUMMARY_ITEMS,
    addresses,
    envelope_of,
    internal_date,
    read_summary,
    structure_of,
)
from service.adapters.imap.flags import from_wire
from service.adapters.imap.places import Ids
from service.adapters.imap.responses import Row, fetch_rows
from service.mail.model import Address, MessageSummary, Part

BUDGET = 64 << 20
_COST = 1500
"""Octets of a row in memory beside its texts, measured with tracemalloc on a page of fifty."""
_BATCH = 500
_DATES_BATCH = 5000


@dataclass(slots=True)
class Entry:
    """A row as it is kept: the summary without flags, and what only searches look at."""

    summary: MessageSummary
    structure: Part | None = None
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    preview: str | None = None
    thread_id: str | None = None
    cost: int = _COST

    def shown(self, flags: tuple[str, ...]) -> MessageSummary:
        """With the flags of this moment."""
        return self.summary.model_copy(update={"flags": flags})


Shelf = dict[int, Entry]
"""The entries of one folder by UID."""
Summaries = dict[int, MessageSummary]
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
        shelf = self._shelves.setdefault(place, {})
        self._shelves.move_to_end(place)
        return shelf

    def keep(self, shelf: Shelf, uid: int, entry: Entry) -> None:
        """Put it on its shelf; what is used least makes room."""
        if uid not in shelf:
            shelf[uid] = entry
            self._used += entry.cost
        while self._used > self._budget:
            place, oldest = next(iter(self._shelves.items()))
            self._used -= oldest.pop(next(iter(oldest))).cost if oldest else 0
            if not oldest:
                del self._shelves[place]


class FolderRows:
    """Rows of the folder a connection has selected."""

    def __init__(self, rows: Rows, ids: Ids, connection: Connection) -> None:
        assert connection.selected is not None
        self.connection = connection
        self.name = connection.selected.name
        self.uid_validity = connection.selected.uid_validity
        self._ids = ids
        self._rows = rows
        self._shelf = rows.shelf(ids.account, self.name, self.uid_validity)
        self.folder_id = ids.folder(self.name)

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known of the folder."""
        return not self._shelf

    def id(self, uid: int) -> str:
        """The message's id."""
        return self._ids.message(self.name, self.uid_validity, uid)

    async def summaries(self, uids: Sequence[int]) -> Summaries:
        """The rows of those that are there, in the order asked, in one round trip: flags of all, and the rest of those
        not known."""
        known = {uid: self._shelf[uid] for uid in uids if uid in self._shelf}
        unknown = [uid for uid in uids if uid not in known]
        commands = []
        if known:
            commands.append([b"UID", b"FETCH", uid_set(known), b"(UID FLAGS)"])
        if unknown:
            commands.append([b"UID", b"FETCH", uid_set(unknown), b"(%b)" % SUMMARY_ITEMS])
        told = fetch_rows((await self.connection.run_all(commands)).untagged) if commands else {}
        return self.read(uids, told, known | self._read_entries(told, unknown))

    def read(self, uids: Iterable[int], told: Mapping[int, Row], entries: Mapping[int, Entry]) -> Summaries:
        """The entries of these with the flags that were told, in the order asked."""
        both = (uid for uid in uids if uid in told and uid in entries)
        return {uid: entries[uid].shown(from_wire(told[uid].get(b"FLAGS"))) for uid in both}

    async def entries(self, uids: Iterable[int], told: Mapping[int, Row] | None = None) -> dict[int, Entry]:
        """The entries of those that are there; a round trip for each five hundred that are neither known nor
        ``told``."""
        found = {uid: self._shelf[uid] for uid in uids if uid in self._shelf}
        found |= self._read_entries(told or {}, [uid for uid in uids if uid not in found])
        missing = [uid for uid in uids if uid not in found]
        for at in range(0, len(missing), _BATCH):
            batch = missing[at : at + _BATCH]
            answer = await self.connection.run(b"UID", b"FETCH", uid_set(batch), b"(%b)" % SUMMARY_ITEMS)
            found |= self._read_entries(fetch_rows(answer.untagged), batch)
        return found

    async def dates(self, uids: Sequence[int]) -> dict[int, datetime | None]:
        """When each of those that are there was received; known ones may have gone meanwhile."""
        dates = {uid: self._shelf[uid].summary.received_at for uid in uids if uid in self._shelf}
        missing = [uid for uid in uids if uid not in dates]
        for at in range(0, len(missing), _DATES_BATCH):
            batch = uid_set(missing[at : at + _DATES_BATCH])
            answer = await self.connection.run(b"UID", b"FETCH", batch, b"(UID INTERNALDATE)")
            told = fetch_rows(answer.untagged).items()
            dates |= {uid: internal_date(row[b"INTERNALDATE"]) for uid, row in told if b"INTERNALDATE" in row}
        return dates

    def _read_entries(self, told: Mapping[int, Row], uids: Iterable[int]) -> dict[int, Entry]:
        read = {uid: self._entry(uid, told[uid]) for uid in uids if uid in told}
        return {uid: entry for uid, entry in read.items() if entry is not None}

    def _entry(self, uid: int, row: Row) -> Entry | None:
        """None for news of flags from other clients, which arrive in the same answer as what was asked."""
        if b"ENVELOPE" not in row and b"RFC822.SIZE" not in row:
            return None
        structure, envelope = structure_of(row), envelope_of(row)
        summary = read_summary({**row, b"FLAGS": None}, self.id(uid), self.folder_id, structure)
        texts = len(summary.subject or "") + 60 * (len(summary.from_) + len(summary.to))
        entry = Entry(summary, structure, addresses(envelope[6]), addresses(envelope[7]), cost=_COST + texts)
        if b"ENVELOPE" in row and b"BODYSTRUCTURE" in row:
            self._rows.keep(self._shelf, uid, entry)
        return entry
