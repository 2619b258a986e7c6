"""Rows of lists, kept once their header was read: what is behind a unique name never changes (RFC 1939, 7; Maildir).

They outlive sessions and are bounded by their octets over all accounts of the process. The one used least recently goes
first.
"""

from collections.abc import Iterable, Iterator
from sys import getsizeof
from threading import Lock

from cachetools import LRUCache

from service.adapters.shared.cache_metrics import Measured
from service.mail.model import Address, MessageSummary, Protocol

BUDGET = 64 << 20
_COST = 2000
"""Octets of a row in memory beside its addresses and texts, measured with tracemalloc as the next one was."""
_ADDRESS_COST = 500
_Key = tuple[str, bytes]


class Rows(Measured):
    """By account and place. Safe from several threads at once."""

    def __init__(self, protocol: Protocol, budget: int = BUDGET) -> None:
        super().__init__(protocol)
        self._budget = budget
        self._rows: LRUCache[_Key, MessageSummary] = LRUCache(budget, getsizeof=_cost)
        self._lock = Lock()

    @property
    def octets(self) -> int:
        return int(self._rows.currsize)

    def get(self, account: str, place: bytes, size: int) -> MessageSummary | None:
        """The row of a message that is listed with this size: with another one it is another message, of a server that
        uses its unique-ids again."""
        with self._lock:
            row = self._rows.get((account, place))
        return row if row is not None and row.size == size else None

    def keep(self, account: str, place: bytes, row: MessageSummary) -> None:
        """What is used least recently makes room; a row that alone exceeds the budget is not kept."""
        with self._lock:
            self._rows.pop((account, place), None)
            if _cost(row) <= self._budget:
                self._rows[account, place] = row

    def forget(self, account: str, place: bytes) -> None:
        with self._lock:
            self._rows.pop((account, place), None)


def _cost(row: MessageSummary) -> int:
    """About its octets in memory."""
    addresses = (*row.from_, *row.to)
    texts = (row.subject, row.message_id, *(row.in_reply_to or ()), *_texts(addresses))
    return _COST + _ADDRESS_COST * len(addresses) + sum(getsizeof(text) for text in texts if text)


def _texts(addresses: Iterable[Address]) -> Iterator[str | None]:
    for one in addresses:
        yield one.name
        yield one.email
