"""Whether a server reports news by itself, as it promises by NOTIFY or IDLE. Some accept IDLE and stay silent: Courier,
as Debian configures it, looks into the folder once a minute, and when IDLE ends.

All mailboxes of a server share its record, so that one message proves it for all of them.
"""

import re
from weakref import WeakValueDictionary

_NEWS = re.compile(rb"(?:\d{1,10} (?:EXISTS|EXPUNGE|FETCH)|VANISHED|STATUS|LIST)\b", re.IGNORECASE)
AT_ONCE = 0.5
"""Seconds after the beginning of an IDLE in which news prove nothing: the server may look into the folder then."""
MANY = 2
"""If news come too late this often, one after the other, the server is silent. Once may be chance."""


def is_news(response: bytes) -> bool:
    """Whether an untagged response reports a change, and not only that the server is there."""
    return _NEWS.match(response) is not None


class NewsRecord:
    """What was seen of one server."""

    def __init__(self) -> None:
        self.is_notify_proven = False
        """Whether news came by NOTIFY."""
        self.is_proven = False
        """Whether news came during IDLE, and none too late since then."""
        self._late = 0

    @property
    def is_silent(self) -> bool:
        """Whether news came only after IDLE had ended, again and again."""
        return self._late >= MANY

    def note(self, *, in_time: bool) -> None:
        """News came: during IDLE, or after it had ended."""
        self._late = 0 if in_time else self._late + 1
        self.is_proven = in_time or (self.is_proven and not self.is_silent)


class NewsRecords:
    """The records of all servers whose mailboxes are open."""

    def __init__(self) -> None:
        self._records: WeakValueDictionary[str, NewsRecord] = WeakValueDictionary()

    def named(self, key: str) -> NewsRecord:
        """The record of this server."""
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = NewsRecord()
        return record
