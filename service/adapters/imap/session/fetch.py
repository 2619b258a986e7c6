"""Questions that all kinds of operations ask of the selected folder: its UIDs, rows of messages, which still exist."""

import re
from collections.abc import Collection, Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import STATE_ITEMS, Selection
from service.adapters.imap.wire.arguments import string, uid_set
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, found_uids, status_rows

_TRIES = 3
_GONE = re.compile(rb"\d{1,10} EXPUNGE\Z|VANISHED ", re.IGNORECASE)


async def find_all(selection: Selection) -> list[int]:
    """Returns every UID of the selected folder, ascending. One round trip."""
    answer = await selection.connection.run([b"UID", b"SEARCH", b"ALL"])
    return await found_uids(answer.untagged, selection.exists)


async def fetch(selection: Selection, uids: Collection[int], items: bytes) -> dict[int, FetchResponse]:
    """Returns rows with these items, of those messages that exist. One round trip; none if ``uids`` is empty."""
    if not uids:
        return {}
    answer = await selection.connection.run([b"UID", b"FETCH", uid_set(uids), b"(UID %b)" % items])
    requested = set(uids)
    return {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if uid in requested}


def says_gone(untagged: Iterable[bytes]) -> bool:
    """Whether an answer reports that messages are gone, which Dovecot may have listed before in the same answer."""
    return any(map(_GONE.match, untagged))


async def find_existing(selection: Selection, uids: Iterable[int]) -> set[int]:
    """Returns which of these the selected folder has. One round trip; another one if the answer reports that some are
    gone, because Dovecot may still list those."""
    requested = set(uids)
    for _ in range(_TRIES):
        answer = await selection.connection.run([b"UID", b"FETCH", uid_set(requested), b"(UID)"])
        if not says_gone(answer.untagged):
            break
    return (await fetch_rows(answer.untagged)).keys() & requested


async def folder_numbers(connection: Connection, name: bytes) -> dict[bytes, int]:
    """Returns the present numbers of STATUS of a folder. One round trip; two if the folder is selected and there is
    news of it, because Dovecot answers STATUS from what the connection knows already."""
    status, selection = [b"STATUS", string(name), STATE_ITEMS], connection.selection
    if selection is None or selection.name != name:
        answer = await connection.run(status)
    else:
        was_quiet = selection.quiet_since()
        answer = await connection.run([b"NOOP"], status)
        if not was_quiet():
            answer = await connection.run(status)
    return (await status_rows(answer.untagged)).get(name, {})
