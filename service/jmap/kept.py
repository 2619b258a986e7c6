"""Pages of folders as they were read last. One is shown again for as long as the mailbox as a whole is in the state in
which it was read, which the mail server is asked for each time."""

from cachetools import LRUCache

from service.mail.json_rows import JsonRows
from service.mail.model import Page
from service.mail.search.filter import ListQuery

MAX_OCTETS = 8 << 20
"""Of all accounts of a process: the first pages of about 300."""
MAX_COUNTS = 10_000
_MORE = 1000
"""Octets of a page beside its rows."""


class KeptPages:
    """Of all accounts of a process."""

    def __init__(self) -> None:
        self._pages: LRUCache[tuple[str, str, ListQuery], tuple[bytes, Page]] = LRUCache(MAX_OCTETS, _weight)
        self._hidden: LRUCache[tuple[str, str], tuple[bytes, int]] = LRUCache(MAX_COUNTS)

    def at(self, token: bytes, account: str, folder: str, query: ListQuery) -> Page | None:
        """The page as it was read when the mailbox had this token."""
        kept = self._pages.get((account, folder, query))
        return kept[1] if kept is not None and kept[0] == token else None

    def keep(self, token: bytes, account: str, folder: str, query: ListQuery, page: Page) -> None:
        """Keep a page that shows what was there when the mailbox had this token."""
        if isinstance(page.items, JsonRows) and _weight((token, page)) <= MAX_OCTETS:
            self._pages[account, folder, query] = token, page

    def hidden_at(self, token: bytes, account: str, folder: str) -> int | None:
        """How many messages were marked as deleted when the mailbox had this token."""
        kept = self._hidden.get((account, folder))
        return kept[1] if kept is not None and kept[0] == token else None

    def keep_hidden(self, token: bytes, account: str, folder: str, hidden: int) -> None:
        self._hidden[account, folder] = token, hidden


def _weight(kept: tuple[bytes, Page]) -> int:
    token, page = kept
    assert isinstance(page.items, JsonRows)
    return len(token) + page.items.octets + _MORE
