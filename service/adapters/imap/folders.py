"""The folders of a mailbox: names, roles, counts, whose they are (RFC 9051, 6.3.9; RFC 5819, 6154, 2342)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from service.adapters.imap import renaming
from service.adapters.imap.arguments import Literal, Piece, string
from service.adapters.imap.codes import refusal
from service.adapters.imap.connection import Connection
from service.adapters.imap.names import role_of
from service.adapters.imap.namespaces import Namespaces, read_namespaces, read_rights
from service.adapters.imap.places import Ids
from service.adapters.imap.responses import Listed, list_rows, status_rows
from service.adapters.names import decode_name, guessed_role
from service.mail.backend import ROLES
from service.mail.errors import NotFound
from service.mail.model import Folder, Namespace

INBOX = b"INBOX"
_COUNTS = b"(MESSAGES UNSEEN)"
_BATCH = 100
"""Commands in flight at once: few enough that neither side waits for the other with full buffers."""
_MAX_RIGHTS = 500
_ONE_ROUND_TRIP = frozenset({"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"})
_UNSELECTABLE = frozenset({"\\noselect", "\\nonexistent"})
Counts = dict[bytes, dict[bytes, int]]


class Anywhere(Protocol):
    """Runs work on any connection of the mailbox."""

    def __call__(self, work: Callable[[Connection], Awaitable[Any]]) -> Awaitable[Any]: ...


class Told:
    """What the server told of its folders."""

    def __init__(self, rows: "list[Listed]", counts: Counts, namespaces: Namespaces, rights: dict[bytes, str]) -> None:
        self.rows = _with_inbox(rows)
        self.counts = counts
        self.namespaces = namespaces
        self.rights = rights

    def row(self, name: bytes) -> Listed:
        """NotFound where it is not among them."""
        found = next((row for row in self.rows if row.name == name), None)
        if found is None:
            raise NotFound("folder")
        return found


class Folders:
    """Lists folders and finds the one an id or a role names. ``once`` runs what must not be done twice, ``forget`` is
    told of names that go, with all that lies below them."""

    def __init__(self, ids: Ids, anywhere: Anywhere, once: Anywhere, forget: Callable[[bytes], None]) -> None:
        self.ids = ids
        self.anywhere = anywhere
        self._once = once
        self._forget = forget
        self._roles: dict[str, bytes] = {}

    async def list(self) -> tuple[Folder, ...]:
        """All of them, INBOX first, then by path."""
        return self._folders(await self.told())

    async def told(self, counts: bytes = _COUNTS) -> Told:
        """As the server has them, with these items of STATUS."""
        told: Told = await self.anywhere(lambda connection: _read(connection, counts))
        return told

    def _folders(self, told: Told) -> tuple[Folder, ...]:
        folders = [self._folder(row, told) for row in told.rows]
        self._roles = self._roles_of(folders)
        players = {name: role for role, name in self._roles.items()}
        found = [one.model_copy(update={"role": players.get(self.ids.folder_name(one.id))}) for one in folders]
        return tuple(
            sorted(found, key=lambda folder: (folder.role != "inbox", [step.casefold() for step in folder.path]))
        )

    async def name(self, folder: str) -> bytes:
        """The name on the wire of an id or a role; NotFound where no folder plays the role."""
        if folder == "inbox":
            return INBOX
        if folder not in ROLES:
            return self.ids.folder_name(folder)
        if folder not in self._roles:
            await self.list()
        if folder not in self._roles:
            raise NotFound("folder", f"No folder of this mailbox has the role {folder}.")
        return self._roles[folder]

    async def create(self, name: str, parent: str | None) -> Folder:
        """See the port."""
        told = await self.told()
        wire = renaming.new_name(told, name, await self.name(parent) if parent else None)
        self._roles = {}
        await self._once(lambda connection: renaming.create(connection, wire))
        return await self._found(wire)

    async def change(self, folder: str, *, name: str | None, parent: str | None, is_subscribed: bool | None) -> Folder:
        """See the port."""
        wire, told = await self.name(folder), await self.told()
        told.row(wire)
        if name is not None or parent is not None:
            above = await self.name(parent) if parent else parent if parent is None else b""
            new = renaming.renamed(told, wire, name, above)
            if new != wire:
                self._gone(wire)
                await self._once(lambda connection: renaming.rename(connection, told, wire, new))
                wire = new
        if is_subscribed is not None:
            await self.anywhere(lambda connection: renaming.subscribe(connection, [wire], is_wanted=is_subscribed))
        return await self._found(wire)

    async def delete(self, folder: str) -> None:
        """See the port."""
        wire, told = await self.name(folder), await self.told()
        renaming.refuse_deletion(told, told.row(wire))
        self._gone(wire)
        await self._once(lambda connection: renaming.delete(connection, wire))

    def _gone(self, name: bytes) -> None:
        self._roles = {}
        self._forget(name)

    async def _found(self, name: bytes) -> Folder:
        """By its name as the server has it now: some write it another way than it was sent."""
        folder_id = self.ids.folder(name)
        folders = await self.list()
        for one in folders:
            if one.id == folder_id or decode_name(self.ids.folder_name(one.id)) == decode_name(name):
                return one
        raise NotFound("folder", "The mail server made the folder and does not list it.")

    def _folder(self, row: Listed, told: Told) -> Folder:
        steps = decode_name(row.name).split(row.delimiter) if row.delimiter else [decode_name(row.name)]
        path = tuple(step or "\ufffd" for step in steps)
        above = row.name.rpartition(row.delimiter.encode())[0] if row.delimiter else b""
        counts, kind = told.counts.get(row.name, {}), told.namespaces.of(row.name)
        return Folder(
            id=self.ids.folder(row.name),
            name=path[-1],
            path=path,
            parent_id=self.ids.folder(above) if above else None,
            role=role_of(row),
            total_messages=counts.get(b"MESSAGES"),
            unread_messages=counts.get(b"UNSEEN"),
            is_subscribed="\\subscribed" in row.attributes,
            is_selectable=not row.attributes & _UNSELECTABLE,
            namespace=None if kind is Namespace.PERSONAL else kind,
            rights=told.rights.get(row.name),
        )

    def _roles_of(self, folders: Sequence[Folder]) -> dict[str, bytes]:
        """A role belongs to one folder: the first that the server gives it to, else the first of a known name. Folders
        of others have none: their owner's sent mail is not one's own."""
        roles: dict[str, bytes] = {}
        own = [folder for folder in folders if folder.is_selectable and folder.namespace is None]
        for folder in own:
            if folder.role:
                roles.setdefault(folder.role, self.ids.folder_name(folder.id))
        for folder in own:
            if not folder.role and (guess := guessed_role(folder.path)):
                roles.setdefault(guess, self.ids.folder_name(folder.id))
        return roles


def _with_inbox(listed: "list[Listed]") -> "list[Listed]":
    """INBOX exists whatever LIST says, and in one spelling (RFC 9051, 5.1)."""
    rows = [row._replace(name=INBOX) if row.name.upper() == INBOX else row for row in listed]
    return rows if any(row.name == INBOX for row in rows) else [Listed(INBOX, None, frozenset()), *rows]


async def _read(connection: Connection, items: bytes) -> Told:
    """One round trip with LIST-STATUS; with plain IMAP4rev1 two, and one more for each hundred folders. Where others
    share folders, one more for what one may do with them. One more where a folder is selected: of that one STATUS
    tells what the connection knows already (Dovecot)."""
    if connection.selected is not None:
        await connection.run(b"NOOP")
    asked: list[list[Piece]] = [[b"NAMESPACE"]] if "NAMESPACE" in connection.capabilities else []
    rows, counts, untagged = await _list_and_count(connection, asked, items)
    selected = connection.selected
    if selected is not None and counts and selected.name not in counts and _is_open_to(selected.name, rows):
        raise connection.left_behind()  # another folder has the name now, and Dovecot counts neither
    namespaces = read_namespaces(untagged)
    for prefix in namespaces.unlisted(row.name for row in rows):
        more, more_counts, _ = await _list_and_count(connection, [], items, prefix + b"*")
        rows += [row for row in more if all(row.name != known.name for known in rows)]
        counts |= more_counts
    foreign = [row.name for row in rows if namespaces.of(row.name) is not Namespace.PERSONAL][:_MAX_RIGHTS]
    rights = await _rights(connection, foreign) if foreign and "ACL" in connection.capabilities else {}
    return Told(rows, counts, namespaces, rights)


def _is_open_to(name: bytes, rows: "Sequence[Listed]") -> bool:
    return any(row.name == name and not row.attributes & _UNSELECTABLE for row in rows)


async def _list_and_count(
    connection: Connection, asked: "Sequence[Sequence[Piece]]", items: bytes, pattern: bytes = b"*"
) -> "tuple[list[Listed], Counts, list[bytes]]":
    """Lists, with ``asked`` in the same go; the untagged responses have the answer to that too."""
    if connection.capabilities >= _ONE_ROUND_TRIP:
        wanted = b"(SUBSCRIBED SPECIAL-USE STATUS %b)" % items
        *_, answer = await connection.attempt_all([*asked, [b"LIST", b'""', string(pattern), b"RETURN", wanted]])
        if answer.status.kind == "OK":
            return list_rows(answer.untagged), status_rows(answer.untagged), answer.untagged
        if answer.status.kind == "NO":
            raise refusal(answer.status)
        connection.distrust("LIST-STATUS")
    return await _list_then_count(connection, asked, items, pattern)


async def _list_then_count(
    connection: Connection, asked: "Sequence[Sequence[Piece]]", items: bytes, pattern: bytes
) -> "tuple[list[Listed], Counts, list[bytes]]":
    listing = [[b"LIST", b'""', string(pattern)], [b"LSUB", b'""', string(pattern)]]
    *_, told, subscribed = await connection.attempt_all([*asked, *listing])
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
        counts.update(await _count(connection, countable[at : at + _BATCH], items))
    return rows, counts, told.untagged


async def _count(connection: Connection, names: "list[bytes]", items: bytes) -> Counts:
    """In one round trip. A folder the server gives no counts for has none; nor has one whose name needs a literal."""
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    if not plain:
        return {}
    answers = await connection.attempt_all([[b"STATUS", piece, items] for piece in plain])
    return status_rows(answers[-1].untagged)


async def _rights(connection: Connection, names: "list[bytes]") -> dict[bytes, str]:
    rights: dict[bytes, str] = {}
    plain = [piece for name in names if not isinstance(piece := string(name), Literal)]
    for at in range(0, len(plain), _BATCH):
        answers = await connection.attempt_all([[b"MYRIGHTS", piece] for piece in plain[at : at + _BATCH]])
        rights |= read_rights(answers[-1].untagged)
    return rights
