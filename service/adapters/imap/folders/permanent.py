"""Permanent ids of folders, if the server has them: MAILBOXID (RFC 8474), or the GUID of Dovecot."""

from service.adapters.imap.folders.list import UNSELECTABLE, canonical
from service.adapters.imap.ids import Ids
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import Literal, string
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import list_rows
from service.adapters.imap.wire.tokens import parse
from service.mail.errors import UpstreamProtocol

GUID = "STATUS=X-GUID"
"""Dovecot has it in all versions and announces it in none, so it is tried once."""
MAX_NAME = 100
_BATCH = 100


class PermanentFolders:
    """The permanent ids of the folders of one account."""

    def __init__(self, access: Access, ids: Ids) -> None:
        self.access = access
        self._ids = ids

    @again
    async def read(self) -> dict[str, str]:
        """The permanent ids by folder id. One round trip, two if the server has no LIST-STATUS."""
        async with self.access.anywhere() as connection:
            item = _item(connection)
            if item is None:
                return {}
            return {
                self._ids.folder(canonical(name)): self._ids.permanent_folder(guid)
                for name, guid in (await _read(connection, item)).items()
            }


def _item(connection: Connection) -> bytes | None:
    if connection.has("OBJECTID"):
        return b"MAILBOXID"
    return None if connection.is_disabled(GUID) else b"X-GUID"


async def _read(connection: Connection, item: bytes) -> dict[bytes, bytes]:
    """By name on the wire; empty if the server does not know the item."""
    if connection.has("LIST-STATUS"):
        wanted = b"(STATUS (%b))" % item
        [answer] = await connection.attempt([b"LIST", b'""', b'"*"', b"RETURN", wanted])
        is_known, untagged = answer.status.kind == "OK", answer.untagged
    else:
        listed = await connection.run([b"LIST", b'""', b'"*"'])
        names = [row.name for row in await list_rows(listed.untagged) if not row.attributes & UNSELECTABLE]
        is_known, untagged = await _ask(connection, names, item)
    if not is_known:
        connection.disable(GUID)
        return {}
    found = [_status(each) async for each in paced(untagged)]
    return {name: guid for each in found if each is not None for name, guid in [each]}


async def _ask(connection: Connection, names: list[bytes], item: bytes) -> tuple[bool, list[bytes]]:
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    untagged: list[bytes] = []
    for at in range(0, len(plain), _BATCH):
        answers = await connection.attempt(*([b"STATUS", piece, b"(%b)" % item] for piece in plain[at : at + _BATCH]))
        if any(answer.status.kind == "BAD" for answer in answers):
            return False, []
        untagged += answers[-1].untagged
    return True, untagged


def _status(response: bytes) -> tuple[bytes, bytes] | None:
    if response[:7].upper() != b"STATUS ":
        return None
    try:
        match parse(response, 7):
            case [bytes() as name, [_, bytes() as guid]] | [bytes() as name, [_, [bytes() as guid]]]:
                return (name, guid) if len(guid) <= MAX_NAME else None
    except UpstreamProtocol:
        pass
    return None
