"""The folders of a mailbox: names, roles, counts (RFC 9051, 6.3.9; RFC 5819; RFC 6154)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from service.adapters.imap.arguments import Literal, string
from service.adapters.imap.codes import refusal
from service.adapters.imap.connection import Connection
from service.adapters.imap.names import decode_name, role_of
from service.adapters.imap.places import Ids
from service.adapters.imap.responses import Listed, list_rows, status_rows
from service.mail.backend import ROLES
from service.mail.errors import NotFound
from service.mail.model import Folder

INBOX = b"INBOX"
_COUNTS = b"(MESSAGES UNSEEN)"
_BATCH = 100
"""STATUS commands in flight at once: few enough that neither side waits for the other with full buffers."""
_ONE_ROUND_TRIP = frozenset({"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"})
_UNSELECTABLE = frozenset({"\\noselect", "\\nonexistent"})
Counts = dict[bytes, dict[bytes, int]]


class Anywhere(Protocol):
    """Runs work on any connection of the mailbox."""

    def __call__(self, work: Callable[[Connection], Awaitable[Any]]) -> Awaitable[Any]: ...


class Folders:
    """Lists folders and finds the one an id or a role names."""

    def __init__(self, ids: Ids, anywhere: Anywhere) -> None:
        self._ids = ids
        self._anywhere = anywhere
        self._roles: dict[str, bytes] = {}

    async def list(self) -> tuple[Folder, ...]:
        """All of them, INBOX first, then by path."""
        listed, counts = await self._anywhere(_list_and_count)
        folders = [self._folder(row, counts.get(row.name, {})) for row in _with_inbox(listed)]
        self._roles = self._roles_of(folders)
        found = [
            folder if folder.role is None or self._plays(folder) else folder.model_copy(update={"role": None})
            for folder in folders
        ]
        return tuple(
            sorted(found, key=lambda folder: (folder.role != "inbox", [step.casefold() for step in folder.path]))
        )

    async def name(self, folder: str) -> bytes:
        """The name on the wire of an id or a role; NotFound where no folder plays the role."""
        if folder == "inbox":
            return INBOX
        if folder not in ROLES:
            return self._ids.folder_name(folder)
        if folder not in self._roles:
            await self.list()
        if folder not in self._roles:
            raise NotFound("folder", f"No folder of this mailbox has the role {folder}.")
        return self._roles[folder]

    def _folder(self, row: Listed, counts: dict[bytes, int]) -> Folder:
        steps = decode_name(row.name).split(row.delimiter) if row.delimiter else [decode_name(row.name)]
        path = tuple(step or "\ufffd" for step in steps)
        above = row.name.rpartition(row.delimiter.encode())[0] if row.delimiter else b""
        return Folder(
            id=self._ids.folder(row.name),
            name=path[-1],
            path=path,
            parent_id=self._ids.folder(above) if above else None,
            role=role_of(row, path),
            total_messages=counts.get(b"MESSAGES"),
            unread_messages=counts.get(b"UNSEEN"),
            is_subscribed="\\subscribed" in row.attributes,
            is_selectable=not row.attributes & _UNSELECTABLE,
        )

    def _roles_of(self, folders: Sequence[Folder]) -> dict[str, bytes]:
        """A role belongs to one folder: the first that has it."""
        roles: dict[str, bytes] = {}
        for folder in folders:
            if folder.role and folder.is_selectable:
                roles.setdefault(folder.role, self._ids.folder_name(folder.id))
        return roles

    def _plays(self, folder: Folder) -> bool:
        return folder.role is not None and self._roles.get(folder.role) == self._ids.folder_name(folder.id)


def _with_inbox(listed: "list[Listed]") -> "list[Listed]":
    """INBOX exists whatever LIST says, and in one spelling (RFC 9051, 5.1)."""
    rows = [row._replace(name=INBOX) if row.name.upper() == INBOX else row for row in listed]
    return rows if any(row.name == INBOX for row in rows) else [Listed(INBOX, None, frozenset()), *rows]


async def _list_and_count(connection: Connection) -> "tuple[list[Listed], Counts]":
    if connection.capabilities >= _ONE_ROUND_TRIP:
        answer = await connection.run(
            b"LIST", b'""', b'"*"', b"RETURN", b"(SUBSCRIBED SPECIAL-USE STATUS %b)" % _COUNTS
        )
        return list_rows(answer.untagged), status_rows(answer.untagged)
    return await _list_then_count(connection)


async def _list_then_count(connection: Connection) -> "tuple[list[Listed], Counts]":
    """Plain IMAP4rev1: two round trips, and one more for each hundred folders."""
    told, subscribed = await connection.attempt_all([[b"LIST", b'""', b'"*"'], [b"LSUB", b'""', b'"*"']])
    if told.status.kind != "OK":
        raise refusal(told.status)
    chosen = {row.name for row in list_rows(subscribed.untagged, b"LSUB")}
    rows = [
        row._replace(attributes=row.attributes | {"\\subscribed"}) if row.name in chosen else row
        for row in list_rows(told.untagged)
    ]
    countable = [row.name for row in rows if not row.attributes & _UNSELECTABLE]
    counts: Counts = {}
    for at in range(0, len(countable), _BATCH):
        counts.update(await _count(connection, countable[at : at + _BATCH]))
    return rows, counts


async def _count(connection: Connection, names: "list[bytes]") -> Counts:
    """In one round trip. A folder the server gives no counts for has none; nor has one whose name needs a literal."""
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    if not plain:
        return {}
    answers = await connection.attempt_all([[b"STATUS", piece, _COUNTS] for piece in plain])
    return status_rows(answers[-1].untagged)
