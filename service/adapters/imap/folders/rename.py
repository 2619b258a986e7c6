"""Creates, renames, moves, deletes and subscribes folders (RFC 9051, 6.3.4 to 6.3.8)."""

import re
import unicodedata
from collections.abc import Sequence

from service.adapters.imap.folders.list import INBOX, FolderListing, canonical
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.responses import ListedFolder, list_rows
from service.adapters.imap.wire.status import error_from
from service.adapters.shared.folder_names import decode_name, encode_name
from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, NotPermitted, UpstreamError

MAX_NAME = 255
"""Octets of one step of a path on the wire, as file systems allow."""
_BAD_NAME = re.compile(rb"invalid.*name|name.*(?:invalid|illegal|not valid|not allowed)|illegal.*name", re.IGNORECASE)
"""What servers without response codes say of a name that they cannot have (Dovecot, Cyrus, Courier)."""
_READ = 500
"""Octets of a refusal in which that is looked for."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def new_name(listing: FolderListing, name: str, parent: bytes | None) -> bytes:
    """The name on the wire of a new folder in ``parent``, or at the root. Raises AlreadyExists if a folder has it, and
    InvalidRequest if no folder can have it there."""
    wire = _below(listing, parent, _step(name, _delimiter(listing, parent)))
    is_taken = any(row.name == wire and "\\nonexistent" not in row.attributes for row in listing.rows)
    if is_taken or listing.is_inbox(wire):
        raise AlreadyExists("A folder of that name exists already.")
    return wire


def renamed(listing: FolderListing, old: bytes, name: str | None, parent: bytes | None) -> bytes:
    """The new name on the wire of a folder that gets another name, another parent (empty: the root), or both."""
    if old == INBOX:
        raise NotPermitted("The inbox can be neither renamed nor moved.")
    delimiter = _delimiter(listing, old)
    last = old.rpartition(delimiter)[2] if delimiter else old
    step = last if name is None else _step(name, delimiter)
    # Its parent may be no folder: servers do not always list the root of public folders or of other users'.
    new = old[: len(old) - len(last)] + step if parent is None else _below(listing, parent or None, step)
    if delimiter and new.startswith(old + delimiter):
        raise InvalidRequest("A folder cannot be moved into itself.")
    if new != old and (listing.is_inbox(new) or any(row.name == new for row in listing.rows)):
        raise AlreadyExists("A folder of that name exists already.")
    return new


def _below(listing: FolderListing, parent: bytes | None, step: bytes) -> bytes:
    if parent is None:
        return listing.namespaces.personal + step
    delimiter = _delimiter(listing, parent)
    if delimiter is None:
        raise InvalidRequest("On this mail server a folder cannot contain folders.")
    listing.row(parent)
    return parent + delimiter + step


def _delimiter(listing: FolderListing, name: bytes | None) -> bytes | None:
    """What separates the steps of a folder's path; for the root, what the first folder that has one uses."""
    rows = [row for row in listing.rows if name is None or row.name == name]
    delimiter = next((row.delimiter for row in rows if row.delimiter), None) or next(
        (row.delimiter for row in listing.rows if row.delimiter), None
    )
    return delimiter.encode() if delimiter else listing.namespaces.delimiter


def _step(name: str, delimiter: bytes | None) -> bytes:
    clean = unicodedata.normalize("NFC", name)
    if not clean.strip() or clean != clean.strip():
        raise InvalidRequest("A folder's name must not be empty, nor begin or end with a space.")
    if _CONTROLS.search(clean):
        raise InvalidRequest("A folder's name must not contain control characters.")
    if delimiter and delimiter.decode(errors="replace") in clean:
        raise InvalidRequest(
            f"On this mail server a folder's name must not contain {delimiter.decode(errors='replace')}."
        )
    try:
        wire = encode_name(clean)
    except UnicodeEncodeError:
        raise InvalidRequest("A folder's name must not contain a lone surrogate (half a character).") from None
    if len(wire) > MAX_NAME:
        raise InvalidRequest(f"A folder's name takes at most {MAX_NAME} octets on the wire; this takes {len(wire)}.")
    return wire


async def create(connection: Connection, name: bytes) -> None:
    """CREATE and SUBSCRIBE. Two round trips."""
    await _attempt(connection, b"CREATE", name)
    await subscribe(connection, [name], is_wanted=True)


async def rename(connection: Connection, listing: FolderListing, old: bytes, new: bytes) -> None:
    """RENAME moves the folders below too, but not the subscriptions (RFC 9051, 6.3.6): those are renewed after it."""
    await _attempt(connection, b"RENAME", old, new)
    moved = [row for row in listing.rows if row.name == old or _is_below(row, old)]
    subscribed = [row.name for row in moved if "\\subscribed" in row.attributes]
    if subscribed:
        await subscribe(connection, subscribed, is_wanted=False)
        await subscribe(connection, [new + name[len(old) :] for name in subscribed], is_wanted=True)


def _is_below(row: ListedFolder, name: bytes) -> bool:
    if row.delimiter is None:
        return False
    above, below = row.name[: len(name)], row.name[len(name) :]
    return canonical(above) == name and below.startswith(row.delimiter.encode())


def refuse_deletion(listing: FolderListing, row: ListedFolder) -> None:
    """Raises NotPermitted for the inbox, and AlreadyExists if the folder has subfolders: those have to be deleted
    first, by name."""
    if row.name == INBOX:
        raise NotPermitted("The inbox cannot be deleted. Empty it instead.")
    below = [decode_name(folder.name) for folder in listing.rows if _is_below(folder, row.name)]
    if below:
        raise AlreadyExists(f"The folder has subfolders, such as {below[0][:100]}. Delete those first.")


async def delete(connection: Connection, name: bytes) -> None:
    """DELETE and UNSUBSCRIBE. Two round trips."""
    await _attempt(connection, b"DELETE", name)
    await subscribe(connection, [name], is_wanted=False)


async def subscribe(connection: Connection, names: Sequence[bytes], *, is_wanted: bool) -> None:
    """A round trip for each name. A refusal is ignored: some servers keep no subscriptions."""
    verb = b"SUBSCRIBE" if is_wanted else b"UNSUBSCRIBE"
    for name in names:
        await connection.attempt([verb, string(name)])


async def _attempt(connection: Connection, verb: bytes, *names: bytes) -> None:
    """If a server refuses without a response code, its words tell why, or the folder is listed to find out. A server
    that cannot even list a name cannot have it (Courier)."""
    [answer] = await connection.attempt([verb, *map(string, names)])
    if answer.status.kind == "OK":
        return
    is_new, error = verb != b"DELETE", error_from(answer.status)
    if is_new and not answer.status.code and _BAD_NAME.search(answer.status.text[:_READ]):
        raise _bad_name()
    if type(error) is not UpstreamError or answer.status.kind != "NO":
        raise error
    [listed] = await connection.attempt([b"LIST", b'""', string(names[-1])])
    if is_new and listed.status.kind != "OK":
        raise _bad_name()
    exists = any(row.name == names[-1] for row in await list_rows(listed.untagged))
    if exists and is_new:
        raise AlreadyExists("A folder of that name exists already.")
    if not exists and not is_new:
        raise NotFound("folder")
    raise error


def _bad_name() -> InvalidRequest:
    return InvalidRequest("The mail server takes no folder of this name.")
