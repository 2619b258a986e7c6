"""Appends messages that the server puts together itself (CATENATE, RFC 4469): parts of other messages do not travel to
this service and back."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from service.adapters.imap.ids import MessageRef
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import Literal, Piece, flag_list, string
from service.adapters.imap.wire.status import error_from
from service.adapters.imap.wire.values.flags import to_wire
from service.adapters.imap.writes.append import appended_at
from service.adapters.shared.folder_names import decode_name, encode_name
from service.mail.errors import NotSupported

MAX_TEXT = 1 << 20
"""Octets that this service adds. More of them are streamed with the rest."""
_CATENATE = "CATENATE"


class Section(NamedTuple):
    """A section of a message, as BODY[…] names it."""

    message: MessageRef
    section: bytes


async def append(
    connection: Connection, folder: bytes, pieces: Sequence[bytes | Section], flags: Sequence[str]
) -> tuple[int, int] | None:
    """As ``append.append``. One round trip with LITERAL+. Raises NotSupported if the server cannot do this, or does not
    find a section: then it has appended nothing."""
    if not connection.has(_CATENATE) or sum(len(piece) for piece in pieces if isinstance(piece, bytes)) > MAX_TEXT:
        raise _not_supported()
    command: list[Piece] = [b"APPEND", string(folder), flag_list(map(to_wire, flags)), _CATENATE.encode(), b"("]
    for piece in pieces:
        command += [b"TEXT", Literal(piece)] if isinstance(piece, bytes) else [b"URL", string(_url(piece))]
    [answer] = await connection.attempt([*command, b")"])
    if answer.status.kind == "BAD":
        connection.disable(_CATENATE)
    if answer.status.kind == "BAD" or answer.status.code == "BADURL":
        raise _not_supported()
    if answer.status.kind != "OK":
        raise error_from(answer.status)
    return appended_at(answer.status)


def _url(piece: Section) -> bytes:
    """Relative to the server and the user (RFC 5092, 7.2)."""
    name = decode_name(piece.message.folder)
    if encode_name(name) != piece.message.folder:
        raise _not_supported()
    where = (quote(name).encode(), piece.message.uid_validity, piece.message.uid, piece.section)
    return b"/%b;UIDVALIDITY=%d/;UID=%d/;SECTION=%b" % where


def _not_supported() -> NotSupported:
    return NotSupported("assembling", "This IMAP server cannot put the message together.")
