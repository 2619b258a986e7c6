"""Removing messages for good, exactly those that were asked for (RFC 4315).

EXPUNGE without UIDs removes whatever anybody marked, so it is never sent.
"""

from collections.abc import Iterable

from service.adapters.imap.arguments import uid_set
from service.adapters.imap.connection import Connection
from service.adapters.imap.responses import fetch_rows
from service.mail.errors import MailError, NotFound, NotPermitted, NotSupported


async def delete(connection: Connection, uids: Iterable[int]) -> dict[int, MailError]:
    """Remove these from the selected folder; answers an error for each that was not removed. Three round trips: mark
    them, which tells which exist; then expunge them and look for what is left."""
    wanted = set(uids)
    if "UIDPLUS" not in connection.capabilities and "IMAP4REV2" not in connection.capabilities:
        raise NotSupported(
            "uidplus", "This IMAP server cannot remove single messages (no UIDPLUS). Move them to the trash."
        )
    marked = await connection.run(b"UID", b"STORE", uid_set(wanted), b"+FLAGS", b"(\\Deleted)")
    there = fetch_rows(marked.untagged).keys() & wanted
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - there}
    if there:
        await connection.run(b"UID", b"EXPUNGE", uid_set(there))
        left = await connection.run(b"UID", b"FETCH", uid_set(there), b"(UID)")
        remaining = fetch_rows(left.untagged).keys() & there
        errors.update({uid: NotPermitted("The mail server kept the message.") for uid in remaining})
    return errors
