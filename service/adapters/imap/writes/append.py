"""Appends messages (RFC 9051, 6.3.12; RFC 4315, 3), and finds one if the answer to APPEND was lost."""

import re
from collections.abc import Sequence
from datetime import datetime

from service.adapters.imap.messages.download import WINDOW
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire import arguments
from service.adapters.imap.wire.arguments import Piece, flag_list, uid_set
from service.adapters.imap.wire.responses import fetch_rows, found_uids, octets
from service.adapters.imap.wire.status import Status, error_from
from service.adapters.imap.wire.values.dates import write_date_time
from service.adapters.imap.wire.values.flags import is_system, to_wire
from service.adapters.imap.wire.values.numbers import MAX_UID
from service.adapters.imap.writes.store import not_kept_error
from service.mail.cleaning import server_text
from service.mail.errors import TooLarge
from service.mail.exchange import Source
from service.mail.mime.digest import Digest
from service.mail.numbers import read_number

MAX_COMPARED = 20
"""Messages with the same Message-ID, or of about the same size, that are read and compared."""
_PLAIN = re.compile(r"[A-Za-z0-9$_.-]+")


async def append(
    connection: Connection, folder: bytes, source: Source, flags: Sequence[str], received_at: datetime | None
) -> tuple[int, int] | None:
    """UIDVALIDITY and UID of the new message; None if the server does not report them. Two round trips, one with
    LITERAL+."""
    _refuse_too_large(connection, source.size)
    pieces: list[Piece] = [b"APPEND", arguments.string(folder), *message_arguments(flags, received_at)]
    answer = await connection.append(pieces, source.size, source.chunks(), waits=not are_plain(flags))
    if answer.status.kind != "OK":
        raise error_from(answer.status)
    return appended_at(answer.status)


def message_arguments(flags: Sequence[str], received_at: datetime | None) -> list[bytes]:
    """What stands before the octets of a message. Raises NotPermitted for a system flag that no message can have: a
    server that does not wait with a literal may read the message as commands once it has refused the flag (Dovecot)."""
    words = [to_wire(flag) for flag in flags]
    for word in words:
        if word.startswith("\\") and not is_system(word):
            raise not_kept_error(server_text(word.encode()))
    written = [flag_list(words)] if words else []
    return [*written, write_date_time(received_at)] if received_at else written


def are_plain(flags: Sequence[str]) -> bool:
    """Whether every server can read these flags, so that it takes the octets behind them for those of the message."""
    return all(is_system(word) or _PLAIN.fullmatch(word) for word in map(to_wire, flags))


def appended_at(status: Status) -> tuple[int, int] | None:
    """UIDVALIDITY and UID of APPENDUID; None if the server does not report them."""
    if status.code == "APPENDUID":
        match status.argument.split():
            case [validity, uid]:
                numbers = read_number(validity, MAX_UID), read_number(uid, MAX_UID)
                return (numbers[0], numbers[1]) if numbers[0] and numbers[1] else None
    return None


def _refuse_too_large(connection: Connection, size: int) -> None:
    limit = limit_of(connection)
    if limit is not None and size > limit:
        raise TooLarge(f"The mail server takes messages of at most {limit} octets.")


def limit_of(connection: Connection) -> int | None:
    """How long a message may be (RFC 7889); None if the server does not say."""
    words = (word.partition("=") for word in connection.capabilities)
    limits = (read_number(limit.encode()) for name, _, limit in words if name == "APPENDLIMIT")
    return next((limit for limit in limits if limit is not None), None)


async def find_same(selection: Selection, source: Source, *, most: int = 1) -> list[int]:
    """The lowest UIDs in the folder whose messages have the same octets, ``most`` of them. Two round trips, and those
    of reading the candidates, of which only the newest ``MAX_COMPARED`` are read."""
    if source.message_id:
        keys: list[Piece] = [b"HEADER", b"Message-ID", arguments.string(source.message_id)]
    else:  # line ends may have made it longer or shorter by a few octets a line
        slack = source.size // 20 + 64
        keys = [b"LARGER", b"%d" % max(0, source.size - slack), b"SMALLER", b"%d" % (source.size + slack)]
    if not selection.is_fresh:  # some servers do not announce new mail in the answer to NOOP
        await selection.select()
    answer = await selection.connection.run([b"UID", b"SEARCH", *keys])
    same: list[int] = []
    for uid in (await found_uids(answer.untagged, selection.exists))[-MAX_COMPARED:]:
        if await _digest(selection.connection, uid, 2 * source.size + WINDOW) == source.digest:
            same.append(uid)
        if len(same) >= most:
            break
    return same


async def _digest(connection: Connection, uid: int, limit: int) -> bytes:
    """The digest of the message as it is stored; if it is longer than ``limit``, of what was read."""
    digest = Digest()
    at = 0
    while at < limit:
        answer = await connection.run([b"UID", b"FETCH", uid_set([uid]), b"(UID BODY.PEEK[]<%d.%d>)" % (at, WINDOW)])
        row = (await fetch_rows(answer.untagged)).get(uid, {})
        piece = octets(row, b"BODY[]<%d>" % at) or b""
        digest.feed(piece)
        at += len(piece)
        if len(piece) < WINDOW:
            break
    return digest.finish()
