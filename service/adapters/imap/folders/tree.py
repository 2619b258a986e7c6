"""The folders of a mailbox: names, roles, counts, whose they are (RFC 9051, 6.3.9; RFC 5819, 6154, 2342)."""

from collections.abc import Awaitable, Callable, Mapping
from operator import itemgetter
from typing import Any, Protocol

from service.adapters.imap.folders import rename as renaming
from service.adapters.imap.folders.list import INBOX, UNSELECTABLE, Told, read_told
from service.adapters.imap.folders.roles import role_of
from service.adapters.imap.ids import Ids
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import Listed
from service.adapters.shared.folder_names import decode_name, guessed_role
from service.mail.backend import ROLES
from service.mail.errors import NotFound
from service.mail.model import Folder, Namespace

_COUNTS = b"(MESSAGES UNSEEN)"


class Anywhere(Protocol):
    """Runs work on any connection of the mailbox."""

    def __call__(self, work: Callable[[Connection], Awaitable[Any]]) -> Awaitable[Any]: ...


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
        return await self._folders(await self.told())

    async def told(self, counts: bytes = _COUNTS) -> Told:
        """As the server has them, with these items of STATUS."""
        told: Told = await self.anywhere(lambda connection: read_told(connection, counts))
        return told

    async def _folders(self, told: Told) -> tuple[Folder, ...]:
        folders = {row.name: self._folder(row, told) async for row in paced(told.rows)}
        self._roles = self._roles_of(folders)
        players = {name: role for role, name in self._roles.items()}
        found = [
            (role != "inbox", [step.casefold() for step in one.path], name, one.model_copy(update={"role": role}))
            async for name, one in paced(folders.items())
            for role in (players.get(name),)
        ]
        found.sort(key=itemgetter(0, 1, 2))
        return tuple(one for *_, one in found)

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
            is_selectable=not row.attributes & UNSELECTABLE,
            namespace=None if kind is Namespace.PERSONAL else kind,
            rights=told.rights.get(row.name),
        )

    def _roles_of(self, folders: Mapping[bytes, Folder]) -> dict[str, bytes]:
        """A role belongs to one folder: the first that the server gives it to, else the first of a known name. Folders
        of others have none: their owner's sent mail is not one's own."""
        roles: dict[str, bytes] = {}
        own = [(name, one) for name, one in folders.items() if one.is_selectable and one.namespace is None]
        for name, folder in own:
            if folder.role:
                roles.setdefault(folder.role, name)
        for name, folder in own:
            if not folder.role and (guess := guessed_role(folder.path)):
                roles.setdefault(guess, name)
        return roles
