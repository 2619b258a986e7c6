"""A page of a folder, newest arrival first, by sequence numbers for place and by UID for identity.

Arrival is the order of UIDs. A page costs the same wherever it lies: no search, no walk over the mailbox.
"""

from service.adapters.imap.arguments import uid_set
from service.adapters.imap.codes import refusal
from service.adapters.imap.connection import Connection
from service.adapters.imap.envelope import SUMMARY_ITEMS, read_summary
from service.adapters.imap.places import Cursor, Ids
from service.adapters.imap.responses import MAX_UID, SEQUENCE, Row, fetch_rows, found_uids, number
from service.adapters.imap.search import is_ascii, search_keys
from service.mail.errors import UpstreamProtocol
from service.mail.model import Page
from service.mail.query import Filter, ListQuery

_ITEMS = b"(%b)" % SUMMARY_ITEMS
Rows = list[tuple[int, Row]]
"""UID and row, newest first."""


async def list_page(connection: Connection, ids: Ids, query: ListQuery) -> Page:
    """A page of the selected folder."""
    assert connection.selected is not None
    name, validity = connection.selected.name, connection.selected.uid_validity
    list_of = name + repr(query.filter).encode() if query.filter else name
    after = ids.read_cursor(query.cursor, list_of, validity) if query.cursor is not None else None
    if query.filter is None:
        rows, total = await _newest(connection, query.limit, after)
        is_last = not rows or _sequence(rows[-1][1]) == 1
    else:
        rows, total, is_last = await _matching(connection, query.filter, query.limit, after)
    folder_id = ids.folder(name)
    return Page(
        items=tuple(read_summary(row, ids.message(name, validity, uid), folder_id) for uid, row in rows),
        next_cursor=None if is_last else ids.cursor(list_of, validity, Cursor(rows[-1][0], _sequence(rows[-1][1]))),
        total=total,
    )


async def _newest(connection: Connection, limit: int, after: Cursor | None) -> tuple[Rows, int]:
    """The newest below the cursor. Its sequence number only falls as others are expunged, so everything below its UID
    lies below its number; what lies between is dropped by UID."""
    selected = await connection.refresh()
    below = MAX_UID + 1 if after is None else after.uid
    high = selected.exists if after is None else min(selected.exists, after.sequence - 1)
    rows: Rows = []
    while high > 0 and len(rows) < limit:
        low = max(1, high - (limit - len(rows)) + 1)
        answer = await connection.run(b"FETCH", b"%d:%d" % (low, high), _ITEMS)
        found = fetch_rows(answer.untagged)
        fitting = [(uid, found[uid]) for uid in sorted(found, reverse=True) if uid < below and _is_whole(found[uid])]
        rows += fitting
        high = low - 1 if fitting or after is None else min(low - 1, await _count_below(connection, after.uid))
    return rows[:limit], selected.exists


async def _count_below(connection: Connection, uid: int) -> int:
    """How many messages have a smaller UID, which is the sequence number of the highest of them."""
    answer = await connection.run(b"SEARCH", b"UID", b"1:%d" % (uid - 1)) if uid > 1 else None
    return len(found_uids(answer.untagged)) if answer else 0


async def _matching(connection: Connection, tree: Filter, limit: int, after: Cursor | None) -> tuple[Rows, int, bool]:
    uids = await search(connection, tree)
    wanted = [uid for uid in uids if after is None or uid < after.uid]
    page = wanted[-limit:]
    if not page:
        return [], len(uids), True
    answer = await connection.run(b"UID", b"FETCH", uid_set(page), _ITEMS)
    found = fetch_rows(answer.untagged)
    rows = [(uid, found[uid]) for uid in reversed(page) if uid in found and _is_whole(found[uid])]
    if not rows and len(wanted) > limit:  # all of the page was expunged meanwhile: the next one
        return await _matching(connection, tree, limit, replace_uid(after, page[0]))
    return rows, len(uids), len(wanted) <= limit or not rows


def replace_uid(after: Cursor | None, uid: int) -> Cursor:
    """The cursor moved on to ``uid``."""
    return Cursor(uid, after.sequence if after else 0)


async def search(connection: Connection, tree: Filter) -> list[int]:
    """The UIDs that match, ascending. NOOP goes ahead in the same round trip, so that what just arrived is found."""
    keys = search_keys(tree)
    form = [b"RETURN", b"(ALL)"] if "ESEARCH" in connection.capabilities else []
    charset = [] if is_ascii(keys) else [b"CHARSET", b"UTF-8"]
    noop, found = await connection.attempt_all([[b"NOOP"], [b"UID", b"SEARCH", *form, *charset, *keys]])
    for answer in (noop, found):
        if answer.status.kind != "OK":
            raise refusal(answer.status)
    return found_uids(found.untagged)


def _is_whole(row: Row) -> bool:
    """Whether all of a row came: news of flags from other clients arrive in the same answer as what was asked."""
    return b"ENVELOPE" in row or b"RFC822.SIZE" in row


def _sequence(row: Row) -> int:
    try:
        return number(row[SEQUENCE], MAX_UID)
    except UpstreamProtocol:
        return 0
