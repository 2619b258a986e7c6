"""Permanent removal of exactly the requested messages (RFC 9051, 6.4.9; RFC 4315)."""

from collections.abc import Iterable
from contextlib import suppress

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


def require_removable(selection: Selection) -> None:
    """Raises NotSupported as ``require_uidplus``, and NotPermitted if the user may remove nothing from the folder."""
    require_uidplus(selection.connection)
    if selection.is_read_only or not selection.keeps("\\Deleted"):
        raise NotPermitted("Messages of this folder cannot be removed by this user.")


async def delete(selection: Selection, uids: Iterable[int]) -> dict[int, MailError]:
    """Remove these messages; returns an error for each that was not removed.

    Three round trips: mark them, which shows which exist; expunge them; look for what is left. One more if some are
    marked already, because servers need not report those. What is not removed loses the mark that it got here: else
    another client's EXPUNGE would remove it.
    """
    wanted = set(uids)
    require_removable(selection)
    [answer] = await selection.connection.attempt([b"UID", b"STORE", uid_set(wanted), b"+FLAGS", b"(\\Deleted)"])
    if answer.status.kind != "OK":
        return await _without_missing(selection, wanted, error_from(answer.status))
    marked = (await fetch_rows(answer.untagged)).keys() & wanted
    existing = marked
    if silent := wanted - existing:
        existing = marked | await find_existing(selection, silent)
    errors: dict[int, MailError] = {uid: NotFound("message") for uid in wanted - existing}
    if existing:
        await _expunge(selection.connection, existing, marked)
        remaining = await find_existing(selection, existing)
        await _unmark(selection.connection, remaining & marked)
        errors.update({uid: NotPermitted("The mail server kept the message.") for uid in remaining})
    return errors


async def _without_missing(selection: Selection, wanted: set[int], refusal: MailError) -> dict[int, MailError]:
    """A server may refuse to mark any of the messages, because one is gone (RFC 2180, 4.2)."""
    existing = await find_existing(selection, wanted)
    if not existing or existing == wanted:
        raise refusal
    return {uid: NotFound("message") for uid in wanted - existing} | await delete(selection, existing)


async def _expunge(connection: Connection, uids: set[int], marked: set[int]) -> None:
    [answer] = await connection.attempt([b"UID", b"EXPUNGE", uid_set(uids)])
    if answer.status.kind == "OK":
        return
    if answer.status.kind == "BAD":  # offered, but not understood: another EXPUNGE must not remove what was marked
        connection.disable("UIDPLUS", "IMAP4REV2")
    await _unmark(connection, uids if answer.status.kind == "BAD" else marked)
    require_uidplus(connection)
    raise error_from(answer.status)


async def _unmark(connection: Connection, uids: set[int]) -> None:
    if not uids:
        return
    with suppress(MailError):  # that they were not removed says more
        await connection.run([b"UID", b"STORE", uid_set(uids), b"-FLAGS", b"(\\Deleted)"])
