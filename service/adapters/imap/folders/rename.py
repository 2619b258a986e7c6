"""Folders made, renamed, moved, removed and subscribed to (RFC 9051, 6.3.4 to 6.3.8)."""

import re
import unicodedata
from collections.abc import Sequence

from service.adapters.imap.folders.list import INBOX, FolderListing
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.arguments import string
from service.adapters.imap.wire.responses import ListedFolder, list_rows
from service.adapters.imap.wire.status import error_from
from service.adapters.shared.folder_names import decode_name, encode_name
from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, NotPermitted, UpstreamError

MAX_NAME = 255
"""Octets of one step on the wire; what file systems take."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def new_name(told: FolderListing, name: str, parent: bytes | None) -> bytes:
    """The name on the wire of a folder to be made in ``parent``, or at the root; AlreadyExists where there is one,
    InvalidRequest for a name that no folder can have there."""
    wire = _below(told, parent, _step(name, _delimiter(told, parent)))
    if wire.upper() == INBOX or any(row.name == wire and "\\nonexistent" not in row.attributes for row in told.rows):
        raise AlreadyExists("A folder of that name exists already.")
    return wire


def renamed(told: FolderListing, old: bytes, name: str | None, parent: bytes | None) -> bytes:
    """The new name on the wire of a folder that gets another name, another parent (empty: the root), or both."""
    if old == INBOX:
        raise NotPermitted("The inbox can be neither renamed nor moved.")
    delimiter = _delimiter(told, old)
    above, _, last = old.rpartition(delimiter) if delimiter else (b"", b"", old)
    step = last if name is None else _step(name, delimiter)
    new = _below(told, (above or None) if parent is None else (parent or None), step, is_new_root=parent == b"")
    if delimiter and new.startswith(old + delimiter):
        raise InvalidRequest("A folder cannot be moved into itself.")
    if new != old and (new.upper() == INBOX or any(row.name == new for row in told.rows)):
        raise AlreadyExists("A folder of that name exists already.")
    return new


def _below(told: FolderListing, parent: bytes | None, step: bytes, *, is_new_root: bool = True) -> bytes:
    if parent is None:
        return (told.namespaces.personal if is_new_root else b"") + step
    delimiter = _delimiter(told, parent)
    if delimiter is None:
        raise InvalidRequest("On this mail server folders hold no folders.")
    told.row(parent)
    return parent + delimiter + step


def _delimiter(told: FolderListing, name: bytes | None) -> bytes | None:
    """What separates steps around a folder; for the root, what most folders have."""
    rows = [row for row in told.rows if name is None or row.name == name]
    found = next((row.delimiter for row in rows if row.delimiter), None) or next(
        (row.delimiter for row in told.rows if row.delimiter), None
    )
    return found.encode() if found else told.namespaces.delimiter


def _step(name: str, delimiter: bytes | None) -> bytes:
    clean = unicodedata.normalize("NFC", name)
    if not clean.strip() or clean != clean.strip():
        raise InvalidRequest("A folder's name is not empty and has no space at its ends.")
    if _CONTROLS.search(clean):
        raise InvalidRequest("A folder's name has no control characters.")
    if delimiter and delimiter.decode(errors="replace") in clean:
        raise InvalidRequest(f"A folder's name has no {delimiter.decode(errors='replace')} on this mail server.")
    try:
        wire = encode_name(clean)
    except UnicodeEncodeError:
        raise InvalidRequest("A folder's name has half a character (a lone surrogate).") from None
    if len(wire) > MAX_NAME:
        raise InvalidRequest(f"A folder's name takes at most {MAX_NAME} octets on the wire; this takes {len(wire)}.")
    return wire


async def create(connection: Connection, name: bytes) -> None:
    """CREATE, and subscribe to it. Two round trips."""
    await _attempt(connection, b"CREATE", name)
    await subscribe(connection, [name], is_wanted=True)


async def rename(connection: Connection, told: FolderListing, old: bytes, new: bytes) -> None:
    """RENAME, which takes along what lies below but no subscriptions (RFC 9051, 6.3.6): those follow."""
    await _attempt(connection, b"RENAME", old, new)
    moved = [row for row in told.rows if row.name == old or _is_below(row, old)]
    subscribed = [row.name for row in moved if "\\subscribed" in row.attributes]
    if subscribed:
        await subscribe(connection, subscribed, is_wanted=False)
        await subscribe(connection, [new + name[len(old) :] for name in subscribed], is_wanted=True)


def _is_below(row: ListedFolder, name: bytes) -> bool:
    return row.delimiter is not None and row.name.startswith(name + row.delimiter.encode())


def refuse_deletion(told: FolderListing, row: ListedFolder) -> None:
    """AlreadyExists where there are folders in it: they go first, one by one, as they are named."""
    if row.name == INBOX:
        raise NotPermitted("The inbox cannot be removed. Empty it instead.")
    below = [decode_name(one.name) for one in told.rows if _is_below(one, row.name)]
    if below:
        raise AlreadyExists(f"The folder has folders in it, {below[0][:100]} for one. Remove those first.")


async def delete(connection: Connection, name: bytes) -> None:
    """DELETE, and no longer subscribed. Two round trips."""
    await _attempt(connection, b"DELETE", name)
    await subscribe(connection, [name], is_wanted=False)


async def subscribe(connection: Connection, names: Sequence[bytes], *, is_wanted: bool) -> None:
    """Several in one round trip. A server that keeps no subscriptions is not asked twice."""
    verb = b"SUBSCRIBE" if is_wanted else b"UNSUBSCRIBE"
    for name in names:
        await connection.attempt([verb, string(name)])


async def _attempt(connection: Connection, verb: bytes, *names: bytes) -> None:
    """Servers without response codes are asked what there is, to say why they refused."""
    [answer] = await connection.attempt([verb, *map(string, names)])
    if answer.status.kind == "OK":
        return
    error = error_from(answer.status)
    if type(error) is UpstreamError and answer.status.kind == "NO":
        listed = await connection.run([b"LIST", b'""', string(names[-1])])
        is_there = any(row.name == names[-1] for row in await list_rows(listed.untagged))
        if is_there and verb != b"DELETE":
            raise AlreadyExists("A folder of that name exists already.")
        if not is_there and verb == b"DELETE":
            raise NotFound("folder")
    raise error
