"""Permanent removal of exactly the requested messages (RFC 9051, 6.4.9; RFC 4315)."""

from collections.abc import Iterable

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import find_existing
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import uid_set
from service.adapters.imap.wire.responses import fetch_rows
from service.adapters.imap.wire.status import error_from
from service.mail.errors import MailError, NotFound, NotPermitted, NotSupported

BATCH = 1000


def require_uidplus(connection: Connection) -> None:
    """Raises NotSupported: a bare EXPUNGE removes what others have marked, so without UID EXPUNGE nothing is
    removed."""
    if "UIDPLUS" not in connection.capabilities and "IMAP4REV2" not in connection.capabilities:
        raise NotSupported(
            "uidplus",
            "This IMAP server cannot remove single messages (no UIDPLUS), so it can neither delete nor move them."
            " Copy them, or set $deleted and let a mail program expunge the folder.",
        )


async def delete(selection: Selection, uids: Iterable[int]) -> dict[int, MailError]:
    """Remove these messages; returns an error for each that was not removed.

    Three round trips: mark them, which shows which exist; expunge them; look for what is left. One more if some are
    marked already, because servers need not report those.
    """
    wanted = set(uids)
    require_uidplus(selection.connection)
    if selection.is_read_only or not selection.keeps("\\Deleted"):
        raise NotPermitted("Messages of this folder cannot be removed by this user.")
    marked = await selection.connection.run([b"UID", b"STORE", uid_set(wanted), b"+FLAGS", b"(\\Deleted)"])
    existing = (await fetch_rows(marked.untagged)).keys() & wanted
    if silent := wanted - existing:
        existing |= await find_existing(selection, silent)
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - existing}
    if existing:
        await _expunge(selection.connection, existing)
        remaining = await find_existing(selection, existing)
        errors.update({uid: NotPermitted("The mail server kept the message.") for uid in remaining})
    return errors


async def _expunge(connection: Connection, uids: set[int]) -> None:
    [answer] = await connection.attempt([b"UID", b"EXPUNGE", uid_set(uids)])
    if answer.status.kind == "BAD":  # offered, but not understood: another EXPUNGE must not remove what was marked
        connection.disable("UIDPLUS", "IMAP4REV2")
        await connection.run([b"UID", b"STORE", uid_set(uids), b"-FLAGS", b"(\\Deleted)"])
        require_uidplus(connection)
    if answer.status.kind != "OK":
        raise error_from(answer.status)
