"""What operations of every kind ask of the selected folder: its UIDs, rows of some of them, which are still there."""

import re
from collections.abc import Collection, Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.responses import Row, fetch_rows, found_uids

_TRIES = 3
_GONE = re.compile(rb"\d{1,10} EXPUNGE\Z|VANISHED ", re.IGNORECASE)


async def found_all(connection: Connection) -> list[int]:
    """Every UID of the selected folder, ascending. One round trip."""
    answer = await connection.run(b"UID", b"SEARCH", b"ALL")
    assert connection.selected is not None
    return await found_uids(answer.untagged, connection.selected.exists)


async def fetch(connection: Connection, uids: Collection[int], items: bytes) -> dict[int, Row]:
    """Rows with these items, of those messages that are there. One round trip; none for no messages."""
    if not uids:
        return {}
    answer = await connection.run(b"UID", b"FETCH", uid_set(uids), b"(UID %b)" % items)
    wanted = set(uids)
    return {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if uid in wanted}


async def still_there(connection: Connection, uids: Iterable[int]) -> set[int]:
    """Which of these the selected folder has. One round trip; asked again if the answer brings the news that some are
    gone, because Dovecot may have rows of those all the same."""
    wanted = set(uids)
    for _ in range(_TRIES):
        left = await connection.run(b"UID", b"FETCH", uid_set(wanted), b"(UID)")
        if not any(map(_GONE.match, left.untagged)):
            break
    return (await fetch_rows(left.untagged)).keys() & wanted
