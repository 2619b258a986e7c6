"""Which messages came, went or have other flags, by comparing file names with those of a sync token."""

from collections.abc import Sequence

from service.adapters.maildir.folders.folder import MaildirFolder
from service.adapters.maildir.mailbox import Mailbox
from service.adapters.maildir.sync_state import Letters, letters_of
from service.mail.changes import AccountChanges, Changes, FolderChanges
from service.mail.errors import StaleToken


def get_token(mailbox: Mailbox, folder: str | None) -> bytes:
    """The token of the present state of a folder, or of all folders."""
    return _read(mailbox, mailbox.tree.selectable() if folder is None else [mailbox.folder(folder)])[1]


def list_changes(mailbox: Mailbox, folder: str, since: bytes) -> Changes:
    """Raises StaleToken if the token is not one of this folder."""
    maildir_folder = mailbox.folder(folder)
    before = mailbox.sync_states.read(since)
    if before.keys() != {maildir_folder.stored_name}:
        raise StaleToken
    now, token = _read(mailbox, [maildir_folder])
    changes = _compare(mailbox, maildir_folder, before[maildir_folder.stored_name], now[maildir_folder])
    return Changes(changes, token)


def list_all_changes(mailbox: Mailbox, since: bytes) -> AccountChanges:
    """Folders by their names: a renamed folder is a new one."""
    before = mailbox.sync_states.read(since)
    now, token = _read(mailbox, mailbox.tree.selectable())
    changes = [
        _compare(mailbox, folder, before[folder.stored_name], letters)
        for folder, letters in now.items()
        if folder.stored_name in before
    ]
    names = {folder.stored_name for folder in now}
    return AccountChanges(
        token,
        [change for change in changes if change],
        [mailbox.tree.id(folder.stored_name) for folder in now if folder.stored_name not in before],
        [mailbox.tree.id(name) for name in before.keys() - names],
    )


def _read(mailbox: Mailbox, folders: Sequence[MaildirFolder]) -> tuple[dict[MaildirFolder, Letters], bytes]:
    """The messages of the folders, and the token of this state."""
    letters = {folder: letters_of(folder.snapshot()) for folder in folders}
    return letters, mailbox.sync_states.write({folder.stored_name: letters[folder] for folder in letters})


def _compare(mailbox: Mailbox, folder: MaildirFolder, before: Letters, now: Letters) -> FolderChanges:
    return FolderChanges(
        folder_id=mailbox.tree.id(folder.stored_name),
        created=_ids(mailbox, folder, now.keys() - before.keys()),
        updated=_ids(mailbox, folder, {name for name in now.keys() & before.keys() if now[name] != before[name]}),
        destroyed=_ids(mailbox, folder, before.keys() - now.keys()),
    )


def _ids(mailbox: Mailbox, folder: MaildirFolder, uniques: set[str]) -> tuple[str, ...]:
    return tuple(mailbox.message_id(folder, unique) for unique in sorted(uniques))
