"""Rows of lists, kept once their header was read: what is behind a unique name never changes (RFC 1939, 7; Maildir).

They outlive sessions, are bounded by their octets over all accounts of the process, and the one used least goes first.
"""

from collections import OrderedDict
from threading import Lock

from service.mail.model import MessageSummary

BUDGET = 64 << 20
_COST = 1500
"""Octets of a row in memory beside its texts."""
_Key = tuple[str, bytes]


class Rows:
    """By account and place. Safe from several threads at once."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._rows: OrderedDict[_Key, MessageSummary] = OrderedDict()
        self._lock = Lock()

    def get(self, account: str, place: bytes, size: int) -> MessageSummary | None:
        """The row of a message that is listed with this size: with another one it is another message, of a server that
        uses its unique-ids again."""
        key = (account, place)
        with self._lock:
            row = self._rows.get(key)
            if row is None or row.size != size:
                return None
            self._rows.move_to_end(key)
            return row

    def keep(self, account: str, place: bytes, row: MessageSummary) -> None:
        """What is used least makes room."""
        with self._lock:
            self._forget((account, place))
            self._rows[account, place] = row
            self._left -= _cost(row)
            while self._left < 0:
                _, oldest = self._rows.popitem(last=False)
                self._left += _cost(oldest)

    def forget(self, account: str, place: bytes) -> None:
        with self._lock:
            self._forget((account, place))

    def _forget(self, key: _Key) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._left += _cost(row)


def _cost(row: MessageSummary) -> int:
    people = sum(60 + len(one.name or "") + len(one.email) for one in (*row.from_, *row.to))
    names = sum(60 + len(name) for name in row.in_reply_to or ())
    return _COST + len(row.subject or "") + people + names
