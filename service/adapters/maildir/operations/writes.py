"""Changes messages: flags, deletion, copies and moves. Each function runs whole in a thread.

A caller who leaves ends the work between two messages: each message is changed whole or not at all.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from service.adapters.maildir.disk.content import WINDOW
from service.adapters.maildir.disk.files import File, mail_errors
from service.adapters.maildir.disk.keywords import flag_names
from service.adapters.maildir.disk.threads import checkpoint
from service.adapters.maildir.folders.delivery import Delivery
from service.adapters.maildir.folders.folder import FlagChange, MaildirFolder, version_of
from service.adapters.maildir.mailbox import Mailbox, missing_message
from service.mail.errors import MailError, NotFound
from service.mail.exchange import Outcome
from service.mail.mime.digest import Digest
from service.mail.model import Flags

_Transfer = Callable[[MaildirFolder, str, MaildirFolder], str]


def get_flags(mailbox: Mailbox, message: str) -> Flags:
    """Raises NotFound if the message, or its folder, does not exist; so do the functions for single messages below."""
    folder, unique = mailbox.find(message)
    with missing_message():
        return _flags(folder.flags(unique))


def set_flags(mailbox: Mailbox, message: str, flags: Sequence[str], version: str | None) -> Flags:
    """Replaces all flags."""
    return _change(mailbox, message, partial(_replaced, flag_names(flags)), version)


def change_flags(
    mailbox: Mailbox, message: str, add: Sequence[str], remove: Sequence[str], version: str | None = None
) -> Flags:
    """Adds flags and removes others in one rename."""
    return _change(mailbox, message, partial(_changed, flag_names(add), flag_names(remove)), version)


def change_many(
    mailbox: Mailbox, messages: Sequence[str], add: Sequence[str], remove: Sequence[str]
) -> tuple[Outcome, ...]:
    return _each_once(messages, partial(_change_one, mailbox, add, remove))


def delete_messages(mailbox: Mailbox, messages: Sequence[str]) -> tuple[Outcome, ...]:
    return _each_once(messages, partial(_delete, mailbox))


def copy_messages(mailbox: Mailbox, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
    return _transfer(mailbox, messages, folder, MaildirFolder.copy)


def move_messages(mailbox: Mailbox, messages: Sequence[str], folder: str) -> tuple[Outcome, ...]:
    return _transfer(mailbox, messages, folder, MaildirFolder.move)


def empty_folder(mailbox: Mailbox, folder: str) -> int:
    """Deletes the messages that are in the folder when it begins; returns how many of them it deleted."""
    maildir_folder = mailbox.folder(folder)
    count = 0
    for unique in tuple(maildir_folder.snapshot().entries):
        checkpoint()
        with suppress(NotFound):
            maildir_folder.delete(unique)
            count += 1
    return count


def begin(mailbox: Mailbox, delivery: Delivery, folder: str) -> None:
    """Opens the delivery in the folder."""
    delivery.begin(mailbox.folder(folder))


def find_same(mailbox: Mailbox, folder: str, size: int, digest: bytes) -> str | None:
    """The id of the newest message with these octets, None if there is none. Only files of the same size are read:
    files are stored unchanged."""
    maildir_folder = mailbox.folder(folder)
    for unique in reversed(list(maildir_folder.snapshot().entries)):
        checkpoint()
        with suppress(NotFound):
            file = maildir_folder.file(unique)
            if file.size == size and _digest(file) == digest:
                return mailbox.message_id(maildir_folder, unique)
    return None


def _each_once(messages: Sequence[str], work: Callable[[str], str | None]) -> tuple[Outcome, ...]:
    """An outcome for each message, in the order of the call; a message named twice is handled once."""
    outcomes = {message: _outcome(message, work) for message in dict.fromkeys(messages)}
    return tuple(outcomes[message] for message in messages)


def _outcome(message: str, work: Callable[[str], str | None]) -> Outcome:
    checkpoint()
    try:
        with mail_errors():
            return Outcome(message, new_id=work(message))
    except MailError as error:
        return Outcome(message, error)


def _delete(mailbox: Mailbox, message: str) -> None:
    folder, unique = mailbox.find(message)
    with missing_message():
        folder.delete(unique)


def _change_one(mailbox: Mailbox, add: Sequence[str], remove: Sequence[str], message: str) -> None:
    change_flags(mailbox, message, add, remove)


def _transfer(mailbox: Mailbox, messages: Sequence[str], folder: str, transfer: _Transfer) -> tuple[Outcome, ...]:
    return _each_once(messages, partial(_transfer_one, mailbox, mailbox.folder(folder), transfer))


def _transfer_one(mailbox: Mailbox, target: MaildirFolder, transfer: _Transfer, message: str) -> str:
    folder, unique = mailbox.find(message)
    with missing_message():
        folder.snapshot()  # later a NotFound may be that of the target
    return mailbox.message_id(target, transfer(folder, unique, target))


def _change(mailbox: Mailbox, message: str, change: FlagChange, version: str | None) -> Flags:
    folder, unique = mailbox.find(message)
    with missing_message():
        return _flags(folder.change_flags(unique, change, version))


def _replaced(flags: tuple[str, ...], _: tuple[str, ...]) -> tuple[str, ...]:
    return flags


def _changed(add: tuple[str, ...], remove: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(flag for flag in dict.fromkeys([*before, *add]) if flag not in remove)


def _flags(flags: tuple[str, ...]) -> Flags:
    return Flags(flags=flags, version=version_of(flags))


def _digest(file: File) -> bytes:
    digest = Digest()
    for start in range(0, file.size, WINDOW):
        digest.feed(file.read(start, min(start + WINDOW, file.size)))
    return digest.finish()
