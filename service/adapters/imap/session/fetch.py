"""What operations of every kind ask of the selected folder: its UIDs, rows of some of them, which are still there."""

import re
from collections.abc import Collection, Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import STATE_ITEMS, Selection
from service.adapters.imap.wire.arguments import string, uid_set
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, found_uids, status_rows

_TRIES = 3
_GONE = re.compile(rb"\d{1,10} EXPUNGE\Z|VANISHED ", re.IGNORECASE)


async def find_all(selection: Selection) -> list[int]:
    """Every UID of the selected folder, ascending. One round trip."""
    answer = await selection.connection.run([b"UID", b"SEARCH", b"ALL"])
    return await found_uids(answer.untagged, selection.exists)


async def fetch(selection: Selection, uids: Collection[int], items: bytes) -> dict[int, FetchResponse]:
    """Rows with these items, of those messages that are there. One round trip; none for no messages."""
    if not uids:
        return {}
    answer = await selection.connection.run([b"UID", b"FETCH", uid_set(uids), b"(UID %b)" % items])
    wanted = set(uids)
    return {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if uid in wanted}


async def find_existing(selection: Selection, uids: Iterable[int]) -> set[int]:
    """Which of these the selected folder has. One round trip; asked again if the answer brings the news that some are
    gone, because Dovecot may have rows of those all the same."""
    wanted = set(uids)
    for _ in range(_TRIES):
        answer = await selection.connection.run([b"UID", b"FETCH", uid_set(wanted), b"(UID)"])
        if not any(map(_GONE.match, answer.untagged)):
            break
    return (await fetch_rows(answer.untagged)).keys() & wanted


async def folder_numbers(connection: Connection, name: bytes) -> dict[bytes, int]:
    """The numbers of STATUS of a folder now. One round trip; two if the folder is selected, because Dovecot answers
    STATUS from what the connection knows already."""
    if connection.selection is not None and connection.selection.name == name:
        await connection.run([b"NOOP"])
    answer = await connection.run([b"STATUS", string(name), STATE_ITEMS])
    return (await status_rows(answer.untagged)).get(name, {})
