"""Reads single messages: rows, content, headers, downloads. Each function runs whole in a thread."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from service.adapters.maildir.disk import content
from service.adapters.maildir.disk.content import PartQuery
from service.adapters.maildir.disk.files import File
from service.adapters.maildir.disk.threads import ThreadLane, checkpoint
from service.adapters.maildir.folders.folder import MaildirFolder, version_of
from service.adapters.maildir.mailbox import Mailbox, missing_message
from service.adapters.maildir.operations.rows import ListedFolder, ListedMessage, row_of, row_with_preview
from service.adapters.shared.parsing import LARGE
from service.adapters.shared.sandbox_worker import MESSAGES, STRUCTURE
from service.mail.errors import MailError, NotFound
from service.mail.exchange import Correspondence, Download, Span
from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.fields import list_headers as parse_headers
from service.mail.mime.headers.fields import split_headers
from service.mail.mime.message import text_charset
from service.mail.model import Header, HtmlMode, Message, MessageSummary
from service.mail.search.filter import ListQuery

_RECIPIENTS = frozenset({"to", "cc", "bcc"})


def get_messages(mailbox: Mailbox, messages: Sequence[str], with_preview: bool = False) -> tuple[MessageSummary, ...]:
    """A folder is read once, however many of the messages are in it."""
    folders: dict[MaildirFolder, ListedFolder] = {}
    rows = []
    for message in dict.fromkeys(messages):
        checkpoint()
        with suppress(NotFound):
            folder, unique = mailbox.find(message)
            if folder not in folders:
                folders[folder] = ListedFolder(mailbox.tree.id(folder.stored_name), None, folder, folder.snapshot())
            rows.append(_row(mailbox, folders[folder], unique, with_preview))
    return tuple(row for row in rows if row is not None)


def _row(mailbox: Mailbox, listed: ListedFolder, unique: str, with_preview: bool) -> MessageSummary | None:
    entry, read = listed.snapshot.entries.get(unique), row_with_preview if with_preview else row_of
    return read(mailbox, ListedMessage(listed, entry)) if entry else None


def list_correspondents(
    mailbox: Mailbox, folder: str, query: ListQuery, recipients: bool
) -> tuple[Correspondence, ...]:
    """Those of the newest messages. Nothing is found by a filter: to read a whole folder takes too long while an
    address is typed."""
    maildir_folder = mailbox.folder(folder)
    if query.filter is not None:
        return ()
    snapshot = maildir_folder.snapshot()
    listed = ListedFolder(mailbox.tree.id(maildir_folder.stored_name), None, maildir_folder, snapshot)
    read = _recipients if recipients else _authors
    found = []
    for entry in islice(reversed(list(snapshot.entries.values())), query.limit):
        checkpoint()
        with suppress(MailError):
            found.append(read(mailbox, ListedMessage(listed, entry)))
    return tuple(each for each in found if each is not None)


def _authors(mailbox: Mailbox, message: ListedMessage) -> Correspondence | None:
    row = row_of(mailbox, message)
    return Correspondence(row.id, row.received_at, row.from_) if row else None


def _recipients(mailbox: Mailbox, message: ListedMessage) -> Correspondence:
    folder, unique = message.listed.folder, message.entry.unique
    file = folder.file(unique)
    headers = split_headers(content.header(file))
    people = tuple(address for name, raw in headers if name.lower() in _RECIPIENTS for address in parse_addresses(raw))
    return Correspondence(mailbox.message_id(folder, unique), file.received_at, people)


class OpenMessage(NamedTuple):
    """A message's file, the fields of ``Message`` that are not in its octets, and what was parsed of the octets: None
    if they are more than a thread parses."""

    file: File
    fields: Mapping[str, Any]
    parsed: Message | None


def open_message(mailbox: Mailbox, message: str, html: HtmlMode) -> OpenMessage:
    """Raises NotFound, as all functions below."""
    folder, unique = mailbox.find(message)
    with missing_message():
        file, flags = folder.file(unique), folder.flags(unique)
    fields = {
        "id": message,
        "folder_id": mailbox.tree.id(folder.stored_name),
        "received_at": file.received_at,
        "flags": flags,
        "version": version_of(flags),
    }
    is_large = file.size > LARGE
    return OpenMessage(file, fields, None if is_large else MESSAGES[html].work(file.read(0, file.size)))


def list_headers(mailbox: Mailbox, message: str, names: Sequence[str]) -> tuple[Header, ...]:
    """Of the header within MAX_HEADER octets."""
    beginning = content.header(_open(mailbox, message))
    return parse_headers(beginning, names, text_charset(beginning))


def open_source(mailbox: Mailbox, message: str, span: Span | None, lane: ThreadLane) -> Download:
    """``lane`` reads the further windows."""
    return content.open_source(_open(mailbox, message), content.etag_of(message), span, lane)


def open_part(mailbox: Mailbox, query: PartQuery, lane: ThreadLane) -> Download | File:
    """The file if it is larger than a thread parses."""
    file = _open(mailbox, query.message)
    if file.size > LARGE:
        return file
    return content.open_part(file, STRUCTURE.work(file.read(0, file.size)), query, lane)


def _open(mailbox: Mailbox, message: str) -> File:
    folder, unique = mailbox.find(message)
    with missing_message():
        return folder.file(unique)
