"""Lists: by arrival with file names alone; filtered or sorted with what is read of each message."""

import time
from collections.abc import Sequence
from functools import partial

from service.adapters.maildir.disk.names import arrival
from service.adapters.maildir.disk.threads import checkpoint
from service.adapters.maildir.folders.folder import MaildirFolder
from service.adapters.maildir.mailbox import Mailbox
from service.adapters.maildir.operations.cursor import MAX_SHOWN, Cursor, read_cursor, short_digest, write_cursor
from service.adapters.maildir.operations.matching import matches
from service.adapters.maildir.operations.rows import ListedFolder, ListedMessage, id_of, row_of, row_with_preview
from service.mail.errors import NotSupported, StaleToken
from service.mail.exchange import FoundMessages
from service.mail.model import Capability, EvaluatedBy, MessageSummary, Page
from service.mail.search.filter import Criterion, Filter, ListQuery, Order, SortKey
from service.mail.search.matching import sort_value

SEARCH_SECONDS = 15.0
"""How long a search may read. The page then names the folders that were not read to their end as ``unsearched``."""
MAX_SORTED = 10_000
"""The longest list that is sorted: sorting reads the row of each message."""
NEWEST_FIRST = (Order(SortKey.RECEIVED_AT, is_descending=True),)
THREAD_CRITERIA = frozenset({Criterion.ALL_IN_THREAD, Criterion.SOME_IN_THREAD, Criterion.NONE_IN_THREAD})
_Keyed = tuple[ListedMessage, MessageSummary]


def list_messages(mailbox: Mailbox, folder: str, query: ListQuery) -> Page:
    """``state`` of the page is that of the snapshot which was listed."""
    [listed] = _listed(mailbox, [mailbox.folder(folder)], query)
    page = _List(mailbox, [listed], query, query.sort).page()
    return page.model_copy(update={"state": listed.snapshot.state})


def search_messages(mailbox: Mailbox, folders: Sequence[str] | None, query: ListQuery) -> Page:
    """A list of several folders, by the time of receipt if the query names no order."""
    if folders is None:
        searched = mailbox.tree.selectable()
    else:
        searched = [mailbox.folder(folder) for folder in dict.fromkeys(folders)]
    return _List(mailbox, _listed(mailbox, searched, query), query, query.sort or NEWEST_FIRST).page()


def find_messages(mailbox: Mailbox, folder: str, tree: Filter | None, limit: int) -> FoundMessages:
    """The newest messages that match."""
    query = ListQuery(filter=tree)
    return _List(mailbox, _listed(mailbox, [mailbox.folder(folder)], query), query, ()).ids(limit)


def _listed(mailbox: Mailbox, folders: Sequence[MaildirFolder], query: ListQuery) -> list[ListedFolder]:
    roles = mailbox.tree.roles() if query.filter else {}  # only filters ask for the role
    return [
        ListedFolder(mailbox.tree.id(folder.stored_name), roles.get(folder.stored_name), folder, folder.snapshot())
        for folder in folders
    ]


class _List:
    """One list. Each page makes it again."""

    def __init__(
        self, mailbox: Mailbox, folders: Sequence[ListedFolder], query: ListQuery, sort: Sequence[Order]
    ) -> None:
        self._mailbox = mailbox
        self._folders = folders
        self._query = query
        self._sort = sort
        self._name = repr(([listed.folder.stored_name for listed in folders], query.filter, sort))
        """Identifies the list in its cursors."""

    def page(self) -> Page:
        query, unsearched = self._query, None
        messages = _newest_first(self._folders)
        if query.filter is not None:
            messages, unsearched = self._matching(messages, query.filter)
        if self._sort:
            messages = self._sorted(messages)
        start = self._start(messages)
        stop = start + query.limit
        return Page(
            items=self._rows(messages[start:stop]),
            next_cursor=self._cursor(messages[:stop]) if stop < len(messages) else None,
            total=len(messages),
            evaluated_by=EvaluatedBy.LOCAL if query.filter or query.sort else None,
            unsearched=unsearched or None,
        )

    def ids(self, limit: int) -> FoundMessages:
        """The ids of the first messages."""
        messages, unsearched = _newest_first(self._folders), None
        if self._query.filter is not None:
            messages, unsearched = self._matching(messages, self._query.filter)
        ids = [id_of(self._mailbox, message) for message in messages[:limit]]
        return FoundMessages(ids, has_more=len(messages) > limit or bool(unsearched))

    def _rows(self, messages: Sequence[ListedMessage]) -> tuple[MessageSummary, ...]:
        read = row_with_preview if self._query.with_preview else row_of
        rows = []
        for message in messages:
            checkpoint()
            if (row := read(self._mailbox, message)) is not None:
                rows.append(row)
        return tuple(rows)

    def _matching(self, messages: Sequence[ListedMessage], tree: Filter) -> tuple[list[ListedMessage], tuple[str, ...]]:
        """The messages for which the filter holds, and the folders that were not read to their end in time."""
        until = time.monotonic() + SEARCH_SECONDS
        matching: list[ListedMessage] = []
        for index, message in enumerate(messages):
            checkpoint()
            if time.monotonic() > until:
                return matching, tuple(dict.fromkeys(left.listed.id for left in messages[index:]))
            if matches(self._mailbox, tree, message):
                matching.append(message)
        return matching, ()

    def _sorted(self, messages: Sequence[ListedMessage]) -> list[ListedMessage]:
        """Equal messages stay in the order of arrival."""
        if len(messages) > MAX_SORTED:
            detail = f"Only lists of up to {MAX_SORTED} messages are sorted. Narrow this one by criteria."
            raise NotSupported(Capability.SORT, detail)
        keyed: list[_Keyed] = []
        for message in reversed(messages):
            checkpoint()
            if (row := row_of(self._mailbox, message)) is not None:
                keyed.append((message, row))
        for order in reversed(self._sort):
            keyed.sort(key=partial(_sort_key, order), reverse=order.is_descending)
        return [message for message, _ in keyed]

    def _start(self, messages: Sequence[ListedMessage]) -> int:
        if self._query.cursor is None:
            return 0
        cursor = read_cursor(self._mailbox.tag, self._name, self._query.cursor)
        return self._start_of_sorted(messages, cursor) if self._sort else _start_of_arrivals(messages, cursor)

    def _start_of_sorted(self, messages: Sequence[ListedMessage], cursor: Cursor) -> int:
        digests = (short_digest(id_of(self._mailbox, message)) for message in messages)
        shown = [index for index, digest in enumerate(digests) if digest in cursor.shown]
        if not shown:
            raise StaleToken
        return shown[-1] + 1

    def _cursor(self, messages: Sequence[ListedMessage]) -> str:
        """For what follows after these messages."""
        shown = [id_of(self._mailbox, message) for message in messages[-MAX_SHOWN:]] if self._sort else []
        return write_cursor(self._mailbox.tag, self._name, shown, messages[-1].entry.unique)


def _newest_first(folders: Sequence[ListedFolder]) -> list[ListedMessage]:
    """Folder by folder."""
    return [
        ListedMessage(listed, entry) for listed in folders for entry in reversed(list(listed.snapshot.entries.values()))
    ]


def _start_of_arrivals(messages: Sequence[ListedMessage], cursor: Cursor) -> int:
    last = arrival(cursor.last)
    older = (index for index, message in enumerate(messages) if arrival(message.entry.unique) < last)
    return next(older, len(messages))


def _sort_key(order: Order, keyed: _Keyed) -> tuple[int, str]:
    return sort_value(order.key, keyed[1])
