"""Removal for good, of exactly the messages asked for (RFC 9051, 6.4.9; RFC 4315)."""

from collections.abc import Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import still_there
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.responses import fetch_rows
from service.adapters.imap.wire.status import refusal
from service.mail.errors import MailError, NotFound, NotPermitted, NotSupported

BATCH = 1000


def require_uidplus(connection: Connection) -> None:
    """A bare EXPUNGE removes what others have marked, so without UID EXPUNGE nothing is removed."""
    if "UIDPLUS" not in connection.capabilities and "IMAP4REV2" not in connection.capabilities:
        raise NotSupported(
            "uidplus",
            "This IMAP server cannot remove single messages (no UIDPLUS), so it can neither delete nor move them."
            " Copy them, or set $deleted and let a mail program expunge the folder.",
        )


async def delete(connection: Connection, uids: Iterable[int]) -> dict[int, MailError]:
    """Remove these from the selected folder; answers an error for each that was not removed. Three round trips: mark
    them, which tells which exist; then expunge them and look for what is left. One more where some are marked already:
    of those servers need not tell."""
    wanted = set(uids)
    require_uidplus(connection)
    assert connection.selected is not None
    if connection.selected.is_read_only or not connection.selected.keeps("\\Deleted"):
        raise NotPermitted("Messages of this folder cannot be removed by this user.")
    marked = await connection.run(b"UID", b"STORE", uid_set(wanted), b"+FLAGS", b"(\\Deleted)")
    there = (await fetch_rows(marked.untagged)).keys() & wanted
    if silent := wanted - there:
        there |= await still_there(connection, silent)
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - there}
    if there:
        await _expunge(connection, there)
        remaining = await still_there(connection, there)
        errors.update({uid: NotPermitted("The mail server kept the message.") for uid in remaining})
    return errors


async def _expunge(connection: Connection, uids: set[int]) -> None:
    answer = await connection.attempt(b"UID", b"EXPUNGE", uid_set(uids))
    if answer.status.kind == "BAD":  # offered, but not understood: what was marked must not go with the next EXPUNGE
        connection.distrust("UIDPLUS")
        connection.distrust("IMAP4REV2")
        await connection.run(b"UID", b"STORE", uid_set(uids), b"-FLAGS", b"(\\Deleted)")
        require_uidplus(connection)
    if answer.status.kind != "OK":
        raise refusal(answer.status)
