"""Creates, renames, moves, subscribes and deletes folders. The port says what each does; here stands how."""

import os
import shutil
from secrets import token_hex

from service.adapters.maildir.disk import files as disk
from service.adapters.maildir.disk.files import open_folder
from service.adapters.maildir.folders import subscriptions
from service.adapters.maildir.folders.folder import INBOX, directory
from service.adapters.maildir.folders.folder_names import (
    MAX_LENGTH,
    encode_step,
    folded,
    is_within,
    join,
    parent_of,
    path_of,
)
from service.adapters.maildir.folders.tree import FolderTree, stored_names
from service.adapters.maildir.mailbox import Mailbox
from service.mail.errors import AlreadyExists, InvalidRequest, NotPermitted
from service.mail.model import Folder

SUBFOLDERS = ("tmp", "new", "cur")


def create(mailbox: Mailbox, name: str, parent: str | None) -> Folder:
    """Makes the folder and subscribes to it."""
    tree = mailbox.tree
    stored = _new_name(tree, name, _existing(tree, parent) if parent else None)
    with open_folder(tree.root) as root:
        try:
            os.mkdir(directory(stored), 0o700, dir_fd=root)
        except FileExistsError:
            raise AlreadyExists from None
        with open_folder(directory(stored), root) as folder:
            for subfolder in SUBFOLDERS:
                os.mkdir(subfolder, 0o700, dir_fd=folder)
            os.close(disk.create(folder, "maildirfolder"))
        subscriptions.add(root, stored)
    return tree.find(tree.id(stored))


def change(mailbox: Mailbox, folder: str, name: str | None, parent: str | None, is_subscribed: bool | None) -> Folder:
    """Renames the directories first, then writes the subscriptions."""
    tree = mailbox.tree
    stored = _existing(tree, folder)
    if name is not None or parent is not None:
        stored = _rename(tree, stored, name, parent)
    if is_subscribed is not None:
        with open_folder(tree.root) as root:
            (subscriptions.add if is_subscribed else subscriptions.remove)(root, stored)
    return tree.find(tree.id(stored))


def delete(mailbox: Mailbox, folder: str) -> None:
    """The directory is renamed first to a name under which no program sees it, so the folder disappears in one step."""
    tree = mailbox.tree
    stored = _existing(tree, folder)
    if stored == INBOX:
        raise NotPermitted("The inbox cannot be deleted.")
    gone = f"..gone-{token_hex(8)}"
    with open_folder(tree.root) as root:
        if any(other != stored and is_within(other, stored) for other in stored_names(root)):
            raise AlreadyExists("The folder has subfolders. Delete them first.")
        os.rename(directory(stored), gone, src_dir_fd=root, dst_dir_fd=root)
        shutil.rmtree(gone, dir_fd=root)
        subscriptions.remove(root, stored)


def _existing(tree: FolderTree, folder: str) -> bytes:
    return tree.stored_name(tree.find(folder).id)


def _rename(tree: FolderTree, old: bytes, name: str | None, parent: str | None) -> bytes:
    if old == INBOX:
        raise NotPermitted("The inbox cannot be renamed or moved.")
    above = parent_of(old) if parent is None else _existing(tree, parent) if parent else None
    if above is not None and is_within(above, old):
        raise InvalidRequest("A folder cannot be moved into itself.")
    last = path_of(old)[-1] if name is None else name
    if join(above, encode_step(last)) == old:
        return old
    new = _new_name(tree, last, above, renamed=old)
    with open_folder(tree.root) as root:
        _rename_directories(root, old, new)
        subscriptions.rename(root, old, new)
    return new


def _rename_directories(root: int, old: bytes, new: bytes) -> None:
    """The folder's own, and those of all folders in it: each has the whole name."""
    renamed = {name: new + name[len(old) :] for name in sorted(stored_names(root)) if is_within(name, old)}
    for target in renamed.values():
        directory(target)  # raises NotFound for a name that is too long, before anything is renamed
    for name, target in renamed.items():
        os.rename(directory(name), directory(target), src_dir_fd=root, dst_dir_fd=root)


def _new_name(tree: FolderTree, name: str, parent: bytes | None, renamed: bytes | None = None) -> bytes:
    """The stored name of a new folder, or of the one that is ``renamed``. Raises InvalidRequest, AlreadyExists."""
    stored = join(parent, encode_step(name))
    if len(stored) >= MAX_LENGTH:
        raise InvalidRequest("The name is too long.")
    if folded(stored) in [folded(other) for other in tree.names() if other != renamed]:
        raise AlreadyExists
    return stored
