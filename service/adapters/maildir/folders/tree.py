"""The tree of folders: ``.Name.Child`` beside the root's own ``cur``, ``new`` and ``tmp`` (Maildir++)."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from service.adapters.maildir.disk.files import open_folder
from service.adapters.maildir.disk.snapshot import Snapshot
from service.adapters.maildir.folders import subscriptions
from service.adapters.maildir.folders.folder import INBOX, MaildirFolder, directory
from service.adapters.maildir.folders.folder_names import ancestors, folded, parent_of, path_of
from service.adapters.shared.folder_names import guessed_role
from service.mail.backend import ROLES
from service.mail.errors import NotFound
from service.mail.ids import make_id, read_id
from service.mail.model import Folder

MAX_CACHED = 16
"""Folders whose snapshots stay in memory."""


class _Listing(NamedTuple):
    """All folders by their stored names, as the disk has them at a moment."""

    names: list[bytes]
    roles: Mapping[bytes, str]
    subscribed: frozenset[bytes]


class FolderTree:
    """The folders of one mailbox. Its methods work on the disk, and may run in several threads at once."""

    def __init__(self, root: Path, tag: bytes) -> None:
        self.root = root
        self._tag = tag
        self._folders: LRUCache[bytes, MaildirFolder] = LRUCache(MAX_CACHED)
        self._lock = Lock()

    def all(self) -> tuple[Folder, ...]:
        """INBOX first, then by path."""
        listing = self._list()
        return tuple(self._model(name, listing) for name in listing.names)

    def find(self, folder: str) -> Folder:
        """Finds a folder by id or role. Raises NotFound."""
        listing, name = self._list(), self.stored_name(folder)
        if name not in listing.names:
            raise NotFound("folder")
        return self._model(name, listing)

    def names(self) -> list[bytes]:
        """The stored names of all folders, including those that exist only as a step in the name of another one."""
        return self._list().names

    def selectable(self) -> list[MaildirFolder]:
        """All folders that can hold messages."""
        return [self.folder(name) for name in self.names() if self._snapshot(name) is not None]

    def id(self, stored: bytes) -> str:
        """The folder's id."""
        return make_id("f", self._tag, stored)

    def stored_name(self, folder: str) -> bytes:
        """The stored name of an id or a role; the folder need not exist. Raises NotFound for any other text."""
        if folder == "inbox":
            return INBOX
        if folder in ROLES:
            return next((name for name, role in self._list().roles.items() if role == folder), b"")
        return read_id("f", self._tag, folder, "folder")

    def roles(self) -> Mapping[bytes, str]:
        """The roles by the stored names of the folders that have one."""
        return self._list().roles

    def folder(self, stored: bytes) -> MaildirFolder:
        """The folder of that stored name; it need not exist. Raises NotFound for a name that no folder can have."""
        if stored != INBOX:
            directory(stored)
        with self._lock:
            folder = self._folders.get(stored)
            if folder is None:
                folder = self._folders[stored] = MaildirFolder(self.root, stored)
        return folder

    def _list(self) -> _Listing:
        with open_folder(self.root) as root:
            stored = {INBOX, *stored_names(root)}
            subscribed = subscriptions.read(root)
        stored |= {above for name in stored for above in ancestors(name)}
        names = sorted(stored, key=_inbox_first)
        by_role = {"inbox": INBOX}
        for name in names:
            by_role.setdefault(guessed_role(path_of(name)) or "inbox", name)
        return _Listing(names, {name: role for role, name in by_role.items()}, subscribed)

    def _model(self, stored: bytes, listing: _Listing) -> Folder:
        path, parent, snapshot = path_of(stored), parent_of(stored), self._snapshot(stored)
        return Folder(
            id=self.id(stored),
            name=path[-1],
            path=path,
            parent_id=self.id(parent) if parent else None,
            role=listing.roles.get(stored),
            total_messages=len(snapshot.entries) if snapshot else None,
            unread_messages=snapshot.unread if snapshot else None,
            is_subscribed=stored in listing.subscribed,
            is_selectable=snapshot is not None,
        )

    def _snapshot(self, stored: bytes) -> Snapshot | None:
        try:
            return self.folder(stored).snapshot()
        except (NotFound, OSError):
            return None


def stored_names(root: int) -> Iterable[bytes]:
    """The stored names of the directories that are folders, except INBOX."""
    with os.scandir(root) as directories:
        for each in directories:
            stored = os.fsencode(each.name)[1:]
            is_name = each.name.startswith(".") and all(stored.split(b".")) and stored.upper() != INBOX
            if is_name and each.is_dir(follow_symlinks=False):
                yield stored


def _inbox_first(stored: bytes) -> tuple[bool, list[str]]:
    return stored != INBOX, folded(stored)
