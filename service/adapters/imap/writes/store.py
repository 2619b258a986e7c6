"""Flags of messages read and written, by STORE alone: never read, change and write back (RFC 9051, 6.4.6; RFC 7162)."""

from collections.abc import Iterable, Sequence

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import still_there
from service.adapters.imap.wire.arguments import Piece, flag_list, uid_set
from service.adapters.imap.wire.flags import from_wire, to_wire
from service.adapters.imap.wire.responses import Row, fetch_rows, version_of
from service.adapters.imap.wire.status import refusal
from service.mail.errors import Changed, MailError, NotFound, NotPermitted, NotSupported
from service.mail.model import Flags
from service.mail.numbers import read_number

Rows = dict[int, Row]


async def get_flags(connection: Connection, uid: int) -> Flags:
    """As they are now, with the version where the server counts changes."""
    rows = await _fetch(connection, [uid])
    return _flags(rows, uid)


async def set_flags(connection: Connection, uid: int, flags: Sequence[str], version: str | None) -> Flags:
    """All flags replaced; with ``version`` only while the message has it."""
    rows = await _store_one(connection, uid, b"FLAGS", flags, version)
    return _flags(rows, uid)


async def change_flags(
    connection: Connection, uid: int, add: Sequence[str], remove: Sequence[str], version: str | None
) -> Flags:
    """Some set, others cleared. The version is asked of the first change; the second belongs to it."""
    rows: Rows = {}
    for change, flags in ((b"+FLAGS", add), (b"-FLAGS", remove)):
        if flags:
            rows = await _store_one(connection, uid, change, flags, version)
            version = None
    return _flags(rows or await _fetch(connection, [uid]), uid)


async def change_many(
    connection: Connection, uids: Iterable[int], add: Sequence[str], remove: Sequence[str]
) -> dict[int, MailError]:
    """Answers an error for each that is not there. A round trip each, one more where the server does not tell all."""
    wanted = set(uids)
    told: set[int] = set()
    for change, flags in ((b"+FLAGS", add), (b"-FLAGS", remove)):
        if flags:
            told |= (await _store(connection, wanted, change, flags)).keys()
    if silent := wanted - told:  # not there, or nothing changed, which some servers do not tell
        told |= (await _fetch(connection, silent)).keys()
    return {uid: NotFound("message") for uid in wanted - told}


async def _store_one(
    connection: Connection, uid: int, change: bytes, flags: Sequence[str], version: str | None
) -> Rows:
    modifier = [] if version is None else [_unchanged_since(connection, version)]
    rows = await _store(connection, [uid], change, flags, modifier)
    return rows if b"FLAGS" in rows.get(uid, {}) else await _fetch(connection, [uid])


async def _store(
    connection: Connection, uids: Iterable[int], change: bytes, flags: Sequence[str], modifier: Sequence[bytes] = ()
) -> Rows:
    words = [to_wire(flag) for flag in flags]
    listed = flag_list(words)
    _refuse_forbidden(connection, words, change)
    if connection.is_old and not (uids := await still_there(connection, uids)):
        return {}
    pieces: list[Piece] = [b"UID", b"STORE", uid_set(uids), *modifier, change, listed]
    answer = await connection.attempt(*pieces)
    if answer.status.kind != "OK" or answer.status.code == "MODIFIED":
        raise Changed if answer.status.code == "MODIFIED" else refusal(answer.status)
    return await fetch_rows(answer.untagged)


def _refuse_forbidden(connection: Connection, words: Sequence[str], change: bytes) -> None:
    """A server says OK to a flag it will not keep, so its list is asked (RFC 9051, 7.1: PERMANENTFLAGS)."""
    selected = connection.selected
    assert selected is not None
    if selected.is_read_only:
        raise NotPermitted("The folder is read-only.")
    if change == b"-FLAGS":
        return
    lost = [word for word in words if not selected.keeps(word)]
    if lost:
        raise NotPermitted(f"This folder does not keep the flag {lost[0]}.")


def _unchanged_since(connection: Connection, version: str) -> bytes:
    if not connection.counts_changes:
        raise NotSupported("versions", "This IMAP server does not count changes (CONDSTORE), so If-Match cannot hold.")
    if (count := read_number(version.encode())) is None:
        raise Changed
    return b"(UNCHANGEDSINCE %d)" % count


async def _fetch(connection: Connection, uids: Iterable[int]) -> Rows:
    items = b"(UID FLAGS MODSEQ)" if connection.counts_changes else b"(UID FLAGS)"
    answer = await connection.run(b"UID", b"FETCH", uid_set(uids), items)
    return {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if b"FLAGS" in row}


def _flags(rows: Rows, uid: int) -> Flags:
    if uid not in rows:
        raise NotFound("message")
    return Flags(flags=from_wire(rows[uid].get(b"FLAGS")), version=version_of(rows[uid]))
