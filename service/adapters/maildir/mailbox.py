"""One mailbox on disk: what every operation on it needs.

The operations are functions of a ``Mailbox`` in the modules above this one. They block, so each runs whole in a thread;
several may run at once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.adapters.maildir.folders.folder import MaildirFolder
from service.adapters.maildir.folders.tree import FolderTree
from service.adapters.maildir.sync_state import SyncStates
from service.adapters.shared.cache import RowCache
from service.mail.errors import NotFound
from service.mail.ids import account_tag, make_id, read_id
from service.mail.model import Folder


class Mailbox:
    """``rows`` may be shared by all mailboxes of a process."""

    def __init__(self, root: Path, account: str, rows: RowCache) -> None:
        self.account = account
        self.tag = account_tag(account)
        self.tree = FolderTree(root, self.tag)
        self.rows = rows
        self.sync_states = SyncStates()

    def list_folders(self) -> tuple[Folder, ...]:
        return self.tree.all()

    def get_folder(self, folder: str) -> Folder:
        return self.tree.find(folder)

    def get_state(self, folder: str) -> str:
        return self.folder(folder).snapshot().state

    def check(self) -> None:
        """Does nothing: the sign-in is checked before any operation."""

    def folder(self, folder: str) -> MaildirFolder:
        """Finds a folder by id or role. Raises NotFound if it does not exist, or cannot hold messages."""
        maildir_folder = self.tree.folder(self.tree.stored_name(folder))
        maildir_folder.snapshot()
        return maildir_folder

    def find(self, message: str) -> tuple[MaildirFolder, str]:
        """The folder and the unique name that a message's id names; neither need exist. Raises NotFound."""
        unique, _, stored = read_id("m", self.tag, message, "message").partition(b"/")
        with missing_message():
            return self.tree.folder(stored), os.fsdecode(unique)

    def message_id(self, folder: MaildirFolder, unique: str) -> str:
        """A message's id: the unique part of its file's name, and its folder."""
        return make_id("m", self.tag, message_key(folder, unique))


def message_key(folder: MaildirFolder, unique: str) -> bytes:
    """Identifies a message within its mailbox."""
    return os.fsencode(unique) + b"/" + folder.stored_name


@contextmanager
def missing_message() -> Iterator[None]:
    """Raises each NotFound as that of the message, even if its whole folder is gone."""
    try:
        yield
    except NotFound:
        raise NotFound("message") from None
