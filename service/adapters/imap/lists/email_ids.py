"""Permanent ids of messages, if the server has them: EMAILID (RFC 8474), Gmail's X-GM-MSGID, or Dovecot's X-GUID."""

from collections.abc import Collection, Sequence

from service.adapters.imap.ids import Ids
from service.adapters.imap.messages.items import GMAIL
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import fetch
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import Piece, string, uid_set
from service.adapters.imap.wire.responses import FetchResponse, fetch_rows, found_uids
from service.adapters.imap.wire.status import error_from

MAX_SEARCHED = 100
"""Ids in one SEARCH."""
GUID = "X-GUID"
"""Dovecot has it in all versions and announces it in none, so it is tried once."""
_NO_SEARCH = "SEARCH=EMAILID"
"""Disabled for servers that fetch the id but do not search it (Cyrus 3.6)."""
_MAX_NAME = 150


class EmailIds:
    """The permanent ids of one account."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._ids = access.ids
        self._has_guid = False
        """Whether the server was seen to have Dovecot's item: then a refusal has another reason."""

    @again
    async def read(self, folder: bytes, uid_validity: int, uids: Sequence[int]) -> dict[int, str]:
        """The ids of these messages of one folder. Raises as ``Access.messages``. One round trip."""
        async with self.access.messages(folder, uid_validity, uids) as selection:
            item = _item(selection.connection)
            if item is None:
                return {}
            return _names(self._ids, await self._fetch(selection, uids, item), item)

    @again
    async def find(self, folder: bytes, emails: Sequence[str]) -> dict[str, list[str]]:
        """The messages of the folder with these ids. One round trip for each hundred of them, and one to verify."""
        names = {name: email for email in emails if (name := self._ids.email_name(email)) is not None}
        async with self.access.within(folder, Lane.BULK) as selection:
            item = _item(selection.connection)
            if item is None or not names:
                return {}
            await selection.refresh()
            uids = await _search(selection, list(names), item)
            found: dict[str, list[str]] = {}
            for uid, email in _names(self._ids, await self._fetch(selection, uids, item), item).items():
                if self._ids.email_name(email) in names:
                    message = self._ids.message(selection.name, selection.uid_validity, uid)
                    found.setdefault(email, []).append(message)
            return found

    async def _fetch(self, selection: Selection, uids: Collection[int], item: bytes) -> dict[int, FetchResponse]:
        """Empty if the server refuses the item that it did not announce."""
        if item != GUID.encode() or self._has_guid:
            return await fetch(selection, uids, item)
        if not uids:
            return {}
        connection = selection.connection
        [answer] = await connection.attempt([b"UID", b"FETCH", uid_set(uids), b"(UID %b)" % item])
        if answer.status.kind != "OK":
            connection.disable(GUID)
            return {}
        wanted = set(uids)
        rows = {uid: row for uid, row in (await fetch_rows(answer.untagged)).items() if uid in wanted}
        self._has_guid = any(item in row for row in rows.values())
        return rows


def _item(connection: Connection) -> bytes | None:
    """The item of FETCH; None if the server has none."""
    if connection.has("OBJECTID"):
        return b"EMAILID"
    if connection.has(GMAIL):
        return b"X-GM-MSGID"
    return None if connection.is_disabled(GUID) else GUID.encode()


async def _search(selection: Selection, names: Sequence[bytes], item: bytes) -> list[int]:
    """All UIDs of the folder if the server does not search for ids."""
    connection = selection.connection
    found: list[int] = []
    for at in range(0, len(names), MAX_SEARCHED):
        if connection.is_disabled(_NO_SEARCH):
            break
        keys = _any_of([[item, string(name)] for name in names[at : at + MAX_SEARCHED]])
        [answer] = await connection.attempt([b"UID", b"SEARCH", *keys])
        if answer.status.kind == "BAD":
            connection.disable(_NO_SEARCH)
        elif answer.status.kind != "OK":
            raise error_from(answer.status)
        else:
            found += await found_uids(answer.untagged, selection.exists)
    if connection.is_disabled(_NO_SEARCH):
        answer = await connection.run([b"UID", b"SEARCH", b"ALL"])
        return await found_uids(answer.untagged, selection.exists)
    return found


def _any_of(keys: Sequence[Sequence[Piece]]) -> list[Piece]:
    """OR takes two keys, so several are nested to the right."""
    pieces: list[Piece] = []
    for key in keys[:-1]:
        pieces += [b"OR", *key]
    return [*pieces, *keys[-1]]


def _names(ids: Ids, rows: dict[int, FetchResponse], item: bytes) -> dict[int, str]:
    return {uid: ids.email(name) for uid, row in rows.items() if (name := _name(row.get(item)))}


def _name(token: object) -> bytes | None:
    """RFC 8474 writes the id in parentheses."""
    name = next(iter(token), None) if isinstance(token, list) else token
    return name if isinstance(name, bytes) and 0 < len(name) <= _MAX_NAME else None
