"""Rows in memory, bounded by their octets over all accounts of the process. The folder used least recently goes first.

A shelf (one folder's rows) changes only while it is out of the cache, and going back in is what counts it: so nothing
is counted that is not kept. Nobody holds a shelf over an await, because it may be pushed out meanwhile.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from sys import getsizeof

from cachetools import Cache, LRUCache

from service.adapters.imap.wire.numbers import MAX_UID
from service.adapters.shared.cache_metrics import Measured
from service.mail.model import Address, MessageSummary, Part, Protocol, Value

BUDGET = 64 << 20
PAGES = 200
"""Ends of pages that are remembered of a folder."""
SHELF_COST = 1200
"""Octets of a shelf in memory beside its entries and pages."""
PAGE_COST = 260
ENTRY_COST = 400
"""Octets of an entry in memory beside its JSON. This and the two above were measured with tracemalloc."""
Place = tuple[str, bytes, int]
"""Account, folder and UIDVALIDITY."""


class Rest(Value):
    """What no list shows: for searches, and for who opens the message."""

    structure: Part | None = None
    sender: tuple[Address, ...] = ()
    """This and ``reply_to`` are empty where they are who it is from, which is what servers put there."""
    reply_to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is kept: octets, of which models are made where somebody looks into them. It never changes, so what
    was counted for it stays true; another one takes its place."""

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
        cost = ENTRY_COST + len(self.row) + len(self.rest_json)
        for text in (self.preview, self.thread_id):
            if text:
                cost += getsizeof(text)
        return cost


class Shelf:
    """The entries of one folder by UID, and where its pages were seen to end."""

    def __init__(self, name: bytes = b"") -> None:
        self.own_octets = SHELF_COST + len(name)
        """About what it takes while it is empty."""
        self.entries: dict[int, Entry] = {}
        self.pages: LRUCache[tuple[int, int], int] = LRUCache(PAGES)
        """By limit and the UID it lies below: the lowest UID of a page. A hint, never an answer."""
        self.lowest = MAX_UID + 1
        """No UID below it was read."""
        self._entry_octets = 0

    @property
    def octets(self) -> int:
        """About how much memory it takes."""
        return self.own_octets + PAGE_COST * len(self.pages) + self._entry_octets

    @property
    def is_empty(self) -> bool:
        return not self.entries and not self.pages

    def put(self, uid: int, entry: Entry) -> None:
        """Add it, or replace the one that is there."""
        self.take(uid)
        self.entries[uid] = entry
        self._entry_octets += entry.cost
        self.lowest = min(self.lowest, uid)

    def take(self, uid: int) -> None:
        """Remove it, if it is there."""
        entry = self.entries.pop(uid, None)
        if entry is not None:
            self._entry_octets -= entry.cost

    def trim(self, budget: int) -> None:
        """Remove the entries put first until all fits, or none is left."""
        excess = self.octets - budget
        gone = []
        for uid, entry in self.entries.items():
            if excess <= 0:
                break
            excess -= entry.cost
            gone.append(uid)
        for uid in gone:
            self.take(uid)


class Rows(Measured):
    """The entries of every account, by place."""

    def __init__(self, budget: int = BUDGET) -> None:
        super().__init__(Protocol.IMAP)
        self._budget = budget
        self._nothing = Shelf()
        self._shelves: LRUCache[Place, Shelf] = LRUCache(budget, getsizeof=_octets_of)

    @property
    def octets(self) -> int:
        return int(self._shelves.currsize)

    @property
    def kept_octets(self) -> int:
        return sum(shelf.octets for shelf in self.shelves)

    @property
    def shelves(self) -> list[Shelf]:
        """All that are kept. To look at them is no use of them."""
        return [Cache.__getitem__(self._shelves, place) for place in self._shelves]

    def shelf(self, place: Place) -> Shelf:
        """The folder's shelf, or an empty one that is not kept: to read now, neither to write to nor to hold."""
        return self._shelves.get(place, self._nothing)

    def keep(self, place: Place, entries: Mapping[int, Entry]) -> None:
        """Put them on the folder's shelf, in place of those with the same UIDs. What is used least recently makes
        room; an entry that alone exceeds the budget is not kept."""
        with self._changed(place) as shelf:
            for uid, entry in entries.items():
                if shelf.own_octets + entry.cost <= self._budget:
                    shelf.put(uid, entry)
                else:
                    shelf.take(uid)

    def keep_page(self, place: Place, limit: int, below: int, lowest: int) -> None:
        """Remember where a page ended."""
        with self._changed(place) as shelf:
            shelf.pages[limit, below] = lowest

    @contextmanager
    def _changed(self, place: Place) -> Iterator[Shelf]:
        shelf = self._shelves.pop(place, None) or Shelf(place[1])
        yield shelf
        shelf.trim(self._budget)
        if not shelf.is_empty and shelf.octets <= self._budget:
            self._shelves[place] = shelf


def _octets_of(shelf: Shelf) -> int:
    return shelf.octets
