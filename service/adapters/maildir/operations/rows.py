"""The messages of a list, and the row of each."""

from contextlib import suppress
from typing import NamedTuple

from service.adapters.maildir.disk import content
from service.adapters.maildir.disk.names import Entry
from service.adapters.maildir.disk.snapshot import Snapshot
from service.adapters.maildir.folders.folder import MaildirFolder
from service.adapters.maildir.mailbox import Mailbox, message_key
from service.mail.errors import MailError, NotFound
from service.mail.model import MessageSummary

PREVIEW_LENGTH = 256


class ListedFolder(NamedTuple):
    """A folder of a list, as it was when the list was made."""

    id: str
    role: str | None
    folder: MaildirFolder
    snapshot: Snapshot


class ListedMessage(NamedTuple):
    """A message of a list."""

    listed: ListedFolder
    entry: Entry

    @property
    def flags(self) -> tuple[str, ...]:
        return self.listed.snapshot.flags(self.entry)


def row_of(mailbox: Mailbox, message: ListedMessage) -> MessageSummary | None:
    """None if the message is gone. A message that cannot be read has a row of what its file name says."""
    folder, unique = message.listed.folder, message.entry.unique
    try:
        file = folder.file(unique)
    except NotFound:
        return None
    except (MailError, OSError):
        return MessageSummary(id=id_of(mailbox, message), folder_id=message.listed.id, flags=message.flags)
    key = message_key(folder, unique)
    row = mailbox.rows.get(mailbox.account, key, file.size)
    if row is None:
        row = content.summary(file, id_of(mailbox, message), message.listed.id)
        mailbox.rows.keep(mailbox.account, key, row)
    return row.model_copy(update={"flags": message.flags, "received_at": file.received_at})


def row_with_preview(mailbox: Mailbox, message: ListedMessage) -> MessageSummary | None:
    """As ``row_of``, with the first characters of the text."""
    row = row_of(mailbox, message)
    if row is None:
        return None
    preview = ""
    with suppress(MailError, OSError):
        preview = " ".join(content.text(message.listed.folder.file(message.entry.unique)).split())[:PREVIEW_LENGTH]
    return row.model_copy(update={"preview": preview or None})


def id_of(mailbox: Mailbox, message: ListedMessage) -> str:
    """The message's id."""
    return mailbox.message_id(message.listed.folder, message.entry.unique)
