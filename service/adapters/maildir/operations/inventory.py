"""The inventory of a folder, and the octets of several messages. Each function runs whole in a thread."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from service.adapters.maildir.disk import content
from service.adapters.maildir.disk.files import File
from service.adapters.maildir.disk.threads import checkpoint
from service.adapters.maildir.mailbox import Mailbox
from service.mail.errors import MailError
from service.mail.inventory import Item, name_of


def list_ids(mailbox: Mailbox, folder: str) -> list[str]:
    """By arrival."""
    maildir_folder = mailbox.folder(folder)
    return [mailbox.message_id(maildir_folder, unique) for unique in maildir_folder.snapshot().entries]


def get_items(mailbox: Mailbox, messages: Sequence[str]) -> list[Item]:
    """Without those that are gone or cannot be read."""
    items = []
    for message in messages:
        checkpoint()
        with _left_out():
            items.append(_item(mailbox, message))
    return items


def read_sources(mailbox: Mailbox, messages: Sequence[str]) -> dict[str, bytes]:
    """Without those that are gone or cannot be read."""
    sources = {}
    for message in messages:
        checkpoint()
        with _left_out():
            folder, unique = mailbox.find(message)
            file = folder.file(unique)
            sources[message] = file.read(0, file.size)
    return sources


@contextmanager
def _left_out() -> Iterator[None]:
    try:
        yield
    except (MailError, OSError):
        return


def _item(mailbox: Mailbox, message: str) -> Item:
    folder, unique = mailbox.find(message)
    file, flags = folder.file(unique), folder.flags(unique)
    return Item(message, name_of(content.header(file)), _size(file), file.received_at, flags)


def _size(file: File) -> int:
    """With two octets for each line end."""
    size, last = file.size, b""
    for start in range(0, file.size, content.WINDOW):
        octets = last + file.read(start, start + content.WINDOW)
        size += octets.count(b"\n") - octets.count(b"\r\n")
        last = b"\r" if octets.endswith(b"\r") else b""
    return size
