"""The cache of list rows. A row never changes while the message has its unique name (RFC 1939, 7; Maildir), so its
header is read once.

Rows outlive sessions. Their size in octets is bounded over all accounts of the process; the least recently used go
first.
"""

from collections.abc import Iterable, Iterator
from sys import getsizeof
from threading import Lock

from cachetools import LRUCache

from service.adapters.shared.cache_metrics import MeasuredCache
from service.mail.model import Address, MessageSummary, Protocol

BUDGET = 64 << 20
_COST = 2000
"""Octets of a row in memory without its addresses and texts. This and the next were measured with tracemalloc."""
_ADDRESS_COST = 500
_Key = tuple[str, bytes]


class RowCache(MeasuredCache):
    """Rows by account and unique name. Thread-safe."""

    def __init__(self, protocol: Protocol, budget: int = BUDGET) -> None:
        super().__init__(protocol)
        self._budget = budget
        self._rows: LRUCache[_Key, MessageSummary] = LRUCache(budget, getsizeof=_cost)
        self._lock = Lock()

    @property
    def octets(self) -> int:
        return int(self._rows.currsize)

    def get(self, account: str, name: bytes, size: int) -> MessageSummary | None:
        """The row of a message that is listed with this size. With another size it is another message: some servers use
        a unique-id again."""
        with self._lock:
            row = self._rows.get((account, name))
        return row if row is not None and row.size == size else None

    def keep(self, account: str, name: bytes, row: MessageSummary) -> None:
        """Adds a row; the least recently used make room. A row that alone exceeds the budget is not kept."""
        with self._lock:
            self._rows.pop((account, name), None)
            if _cost(row) <= self._budget:
                self._rows[account, name] = row

    def forget(self, account: str, name: bytes) -> None:
        with self._lock:
            self._rows.pop((account, name), None)


def _cost(row: MessageSummary) -> int:
    """Its approximate size in memory, in octets."""
    addresses = (*row.from_, *row.to)
    texts = (row.subject, row.message_id, *(row.in_reply_to or ()), *_texts(addresses))
    return _COST + _ADDRESS_COST * len(addresses) + sum(getsizeof(text) for text in texts if text)


def _texts(addresses: Iterable[Address]) -> Iterator[str | None]:
    for address in addresses:
        yield address.name
        yield address.email
