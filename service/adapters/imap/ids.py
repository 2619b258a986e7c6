"""Ids and cursors of this adapter. A folder id holds the name on the wire; a message id holds folder, UIDVALIDITY and
UID."""

import struct
from binascii import crc32
from collections.abc import Sequence
from typing import NamedTuple

from service.mail import base64url
from service.mail.errors import InvalidRequest, NotFound, StaleToken
from service.mail.ids import account_tag, make_id, read_id

_MESSAGE = struct.Struct(">II")


class MessageRef(NamedTuple):
    """Identifies a message. UIDs are never reused within a UIDVALIDITY (RFC 9051, 2.3.1.1)."""

    folder: bytes
    uid_validity: int
    uid: int


class Ids:
    """The ids of one account."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._tag = account_tag(account)

    def folder(self, name: bytes) -> str:
        return make_id("f", self._tag, name)

    def folder_name(self, folder: str) -> bytes:
        """Returns the name in a folder id. Raises NotFound if it is not a folder id of this account."""
        name = read_id("f", self._tag, folder, "folder")
        if b"\0" in name:
            raise NotFound("folder")
        return name

    def message(self, folder: bytes, uid_validity: int, uid: int) -> str:
        return make_id("m", self._tag, _MESSAGE.pack(uid_validity, uid) + folder)

    def message_ref(self, message: str) -> MessageRef:
        """Reads a message id. Raises NotFound if it is not a message id of this account."""
        octets = read_id("m", self._tag, message, "message")
        if len(octets) <= _MESSAGE.size:
            raise NotFound("message")
        uid_validity, uid = _MESSAGE.unpack_from(octets)
        if not uid or not uid_validity or 0 in octets[_MESSAGE.size :]:
            raise NotFound("message")
        return MessageRef(octets[_MESSAGE.size :], uid_validity, uid)

    def permanent_folder(self, name: bytes) -> str:
        """The permanent id of a folder, by the mail server's own."""
        return make_id("x", self._tag, name)

    def email(self, name: bytes) -> str:
        """The permanent id of a message, by the mail server's own."""
        return make_id("g", self._tag, name)

    def email_name(self, email: str) -> bytes | None:
        """The server's own id; None if it is not a permanent id of this account."""
        try:
            return read_id("g", self._tag, email, "message") or None
        except NotFound:
            return None

    def cursor(self, list_of: bytes, uid_validity: int, numbers: Sequence[int]) -> str:
        """Returns a cursor. ``list_of`` identifies the list that it continues (folder, criteria and sort), ``numbers``
        the position in it."""
        octets = struct.pack(f">II{len(numbers)}I", self._list(list_of), uid_validity, *numbers)
        return base64url.write(octets + struct.pack(">I", crc32(octets)))

    def read_cursor(self, text: str, list_of: bytes, uid_validity: int) -> tuple[int, ...]:
        """Returns the numbers. Raises InvalidRequest for a cursor of another list, and StaleToken if the folder was
        renumbered meanwhile."""
        try:
            octets = base64url.read(text)
            list_id, validity, *numbers, check = struct.unpack(f">{len(octets) // 4}I", octets)
        except (struct.error, ValueError):
            raise InvalidRequest("This is not a cursor.") from None
        if check != crc32(octets[:-4]) or list_id != self._list(list_of) or not numbers:
            raise InvalidRequest("This cursor belongs to another list.")
        if validity != uid_validity:
            raise StaleToken("The folder was renumbered since this cursor was issued. Start the list again.")
        return tuple(numbers)

    def _list(self, list_of: bytes) -> int:
        return crc32(self._tag + list_of)
