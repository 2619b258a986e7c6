"""The folders of a mailbox: names, roles, counts, owners (RFC 9051, 6.3.9; RFC 5819, 6154, 2342)."""

from collections.abc import Mapping
from operator import itemgetter

from service.adapters.imap.folders import rename as renaming
from service.adapters.imap.folders.list import INBOX, UNSELECTABLE, FolderListing, canonical, read_listing
from service.adapters.imap.folders.roles import rank_of, role_of
from service.adapters.imap.session.access import Access, again, once_more
from service.adapters.imap.wire.pace import paced
from service.adapters.imap.wire.responses import ListedFolder
from service.adapters.shared.folder_names import decode_name, guessed_role
from service.mail.backend import ROLES
from service.mail.errors import NotFound
from service.mail.model import Folder, Namespace

_COUNTS = b"(MESSAGES UNSEEN)"
_LIST_TO_SEE = "List the folders to see."


class Folders:
    """Lists folders and finds the one that an id or a role names."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._ids = access.ids
        self._roles: dict[str, bytes] = {}
        self._ranks: dict[bytes, int] = {}
        self._parents: frozenset[bytes] = frozenset()
        """Folders that hold nothing but folders, such as ``[Gmail]``, as of the last list."""

    async def list(self) -> tuple[Folder, ...]:
        """All folders, INBOX first, then by path. Round trips as ``read_listing``."""
        return await self._folders(await self.listing())

    @again
    async def listing(self, counts: bytes = _COUNTS) -> FolderListing:
        """The folders as the server has them, with these items of STATUS."""
        async with self.access.anywhere() as connection:
            return await read_listing(connection, counts)

    async def _folders(self, listing: FolderListing) -> tuple[Folder, ...]:
        folders = {row.name: self._folder(row, listing) async for row in paced(listing.rows)}
        self._roles = self._roles_of(folders)
        self._parents = frozenset(row.name for row in listing.rows if row.attributes & UNSELECTABLE)
        self._ranks = {row.name: rank for row in listing.rows if (rank := rank_of(row))}
        role_of_name = {name: role for role, name in self._roles.items()}
        ordered = [
            (role != "inbox", [step.casefold() for step in folder.path], name, folder.model_copy(update={"role": role}))
            async for name, folder in paced(folders.items())
            for role in (role_of_name.get(name),)
        ]
        ordered.sort(key=itemgetter(0, 1, 2))
        return tuple(folder for *_, folder in ordered)

    async def name(self, folder: str) -> bytes:
        """The name on the wire of an id or a role. Raises NotFound if no folder has the role. No round trip, unless the
        role was not looked up before."""
        if folder == "inbox":
            return INBOX
        if folder not in ROLES:
            return self._ids.folder_name(folder)
        if folder not in self._roles:
            await self.list()
        if folder not in self._roles:
            raise NotFound("folder", f"No folder of this mailbox has the role {folder}.")
        return self._roles[folder]

    async def selectable_name(self, folder: str) -> bytes:
        """As ``name``, of a folder that can have messages. Raises NotFound for one that was listed as one that cannot,
        and still is: the server is not asked to select it."""
        name = await self.name(folder)
        if name in self._parents:
            await self.list()
            if name in self._parents:
                raise NotFound("folder", "This folder has no messages, only other folders.")
        return name

    def rank(self, name: bytes) -> int:
        """How late a search over several folders comes to this one: see ``rank_of``. As of the last list."""
        return self._ranks.get(name, 0)

    @once_more
    async def create(self, name: str, parent: str | None) -> Folder:
        """See the port."""
        wire = renaming.new_name(await self.listing(), name, await self.name(parent) if parent else None)
        self._roles = {}
        async with self.access.once(_LIST_TO_SEE) as connection:
            await renaming.create(connection, wire)
        return await self._listed(wire)

    @once_more
    async def change(self, folder: str, *, name: str | None, parent: str | None, is_subscribed: bool | None) -> Folder:
        """See the port."""
        wire, listing = await self.name(folder), await self.listing()
        listing.row(wire)
        if name is not None or parent is not None:
            above = await self.name(parent) if parent else parent if parent is None else b""
            new = renaming.renamed(listing, wire, name, above)
            if new != wire:
                self._forget(wire)
                async with self.access.once(_LIST_TO_SEE) as connection:
                    await renaming.rename(connection, listing, wire, new)
                wire = new
        if is_subscribed is not None:
            await self._subscribe(wire, is_wanted=is_subscribed)
        return await self._listed(wire)

    @again
    async def _subscribe(self, name: bytes, *, is_wanted: bool) -> None:
        async with self.access.anywhere() as connection:
            await renaming.subscribe(connection, [name], is_wanted=is_wanted)

    @once_more
    async def delete(self, folder: str) -> None:
        """See the port."""
        wire, listing = await self.name(folder), await self.listing()
        renaming.refuse_deletion(listing, listing.row(wire))
        self._forget(wire)
        async with self.access.once(_LIST_TO_SEE) as connection:
            await renaming.delete(connection, wire)

    def _forget(self, name: bytes) -> None:
        """Called before the folder and those below it lose their names: no idle connection may keep one selected."""
        self._roles = {}
        self.access.pool.forget(name)

    async def _listed(self, name: bytes) -> Folder:
        """The folder as the server lists it now. Some servers encode the name in another way than it was sent."""
        folder_id = self._ids.folder(name)
        for folder in await self.list():
            if folder.id == folder_id or decode_name(self._ids.folder_name(folder.id)) == decode_name(name):
                return folder
        raise NotFound("folder", "The mail server made the folder and does not list it.")

    def _folder(self, row: ListedFolder, listing: FolderListing) -> Folder:
        shown, delimiter = listing.shown(row.name), row.delimiter
        steps = decode_name(shown).split(delimiter) if delimiter else [decode_name(shown)]
        path = tuple(step or "\ufffd" for step in steps)
        above = row.name.rpartition(delimiter.encode())[0] if delimiter and len(path) > 1 else b""
        counts, kind = listing.counts.get(row.name, {}), listing.namespaces.of(row.name)
        return Folder(
            id=self._ids.folder(row.name),
            name=path[-1],
            path=path,
            parent_id=self._ids.folder(canonical(above)) if above else None,
            role=role_of(row),
            total_messages=counts.get(b"MESSAGES"),
            unread_messages=counts.get(b"UNSEEN"),
            is_subscribed="\\subscribed" in row.attributes,
            is_selectable=not row.attributes & UNSELECTABLE,
            namespace=None if kind is Namespace.PERSONAL else kind,
            rights=listing.rights.get(row.name),
        )

    def _roles_of(self, folders: Mapping[bytes, Folder]) -> dict[str, bytes]:
        """A role belongs to one folder: the first to which the server gives it, else the first with a known name.
        Folders of others have no roles: another user's sent mail is not this user's."""
        roles: dict[str, bytes] = {}
        own = [(name, folder) for name, folder in folders.items() if folder.is_selectable and folder.namespace is None]
        for name, folder in own:
            if folder.role:
                roles.setdefault(folder.role, name)
        for name, folder in own:
            if not folder.role and (guess := guessed_role(folder.path)):
                roles.setdefault(guess, name)
        return roles
