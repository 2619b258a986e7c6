"""Settings in one message of a folder of our own, for servers without METADATA.

IMAP has no command that replaces a message under a condition, but it numbers messages in the order in which they come.
So a writer appends the settings with a generation, one more than that of the settings that it read. Of each generation
the first message counts, the newest generation is what is stored, and a writer that was not the first removes its own
message. A message also names the writers of the generations before, so that each finds out whether it was the first,
even if its message was removed since. No lock is needed, and a process that dies leaves nothing that others wait for.
"""

import asyncio
import re
from base64 import b64decode, encodebytes
from binascii import Error
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import token_hex
from typing import NamedTuple

from service.adapters.imap.folders.list import OWN_FOLDER
from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.messages.items import GMAIL
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.selection import Selection
from service.adapters.imap.wire.arguments import string, uid_set
from service.adapters.imap.wire.responses import fetch_rows, header_fields, octets
from service.adapters.imap.writes.append import append
from service.mail.errors import Changed, InUse, MailError, NotFound, UpstreamError
from service.mail.mime.digest import Digest
from service.mail.mime.headers.fields import first, split_headers
from service.mail.settings import MAX_SETTINGS, settings_version

_FIELD = "X-Casella-Settings"
_VALUE = re.compile(rb"\s*(\d{1,15})((?:\s+[0-9a-f]{16}){1,80})\s*\Z")
_WRITERS = 64
"""How many generations a message names. A writer that is later than that does not learn whether it was the first."""
_STORED = MAX_SETTINGS * 3 // 2 + 4096
"""Octets of a message that are read."""
_TRIES = 5
_ADVICE = "Read the settings to see whether they were stored."


class _Entry(NamedTuple):
    """A message of the folder. The first of ``writers`` wrote it, the others the generations before."""

    generation: int
    writers: tuple[bytes, ...]
    uid: int


class _Folder(NamedTuple):
    """The folder as it was read: the entry that counts, with its settings, and the UIDs of those that do not."""

    entry: _Entry | None = None
    settings: bytes | None = None
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Letter:
    """The message of some settings. Implements ``model.Source``."""

    source: bytes
    message_id: str

    @property
    def size(self) -> int:
        return len(self.source)

    @property
    def digest(self) -> bytes:
        digest = Digest()
        digest.feed(self.source)
        return digest.finish()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.source


class MessageSettings:
    """The settings of one mailbox in a message. ``folders`` know where the folder is."""

    def __init__(self, access: Access, folders: Folders) -> None:
        self.access = access
        self._folders = folders
        self._name: bytes | None = None
        self._mine = asyncio.Lock()
        """Writers of this process need not compete."""

    async def read(self) -> bytes | None:
        """The settings; None if there are none. One round trip if there is no folder, else four."""
        return (await self._read()).settings

    async def write(self, settings: bytes, version: str | None) -> None:
        """Store the settings if the present ones have ``version`` (None: any). A dozen round trips. Raises Changed."""
        async with self._mine:
            present = await self._read()
            if version is not None and settings_version(present.settings) != version:
                raise _changed()
            writer = token_hex(8).encode()
            before = present.entry or _Entry(0, (), 0)
            await self._append(_letter(settings, before.generation + 1, (writer, *before.writers[: _WRITERS - 1])))
            after = await self._read()
            with suppress(MailError):  # the next writer removes them
                await self._remove(after.others)
            if after.entry is None or after.entry.generation > before.generation + _WRITERS:
                raise UpstreamError(f"The settings changed again and again. {_ADVICE}", protocol="imap")
            if writer not in after.entry.writers:
                raise _changed()

    async def _own_name(self) -> bytes:
        """The folder's name on the wire. The round trips of a list, once."""
        if self._name is None:
            self._name = (await self._folders.listing()).namespaces.personal + OWN_FOLDER
        return self._name

    @again
    async def _read(self) -> _Folder:
        name = await self._own_name()
        async with self.access.anywhere() as connection:
            [answer] = await connection.attempt([b"STATUS", string(name), b"(UIDNEXT)"])
            if answer.status.kind != "OK":  # selecting it would unselect another folder
                return _Folder()
        try:
            async with self.access.within(name) as selection:
                return await self._read_selected(selection)
        except NotFound:
            return _Folder()

    async def _read_selected(self, selection: Selection) -> _Folder:
        for _ in range(_TRIES):
            if not selection.is_fresh:  # some servers do not announce new mail in the answer to NOOP
                await selection.select()
            if (found := await _read(selection)) is not None:
                return found
            selection.is_fresh = False
        raise InUse("Other requests are changing the settings. Try again shortly.", retry_after=1)

    async def _append(self, letter: _Letter) -> None:
        name = await self._own_name()
        try:
            async with self.access.once(_ADVICE) as connection:
                await append(connection, name, letter, ["$seen"], None)
        except NotFound:
            await self._create(name)
            async with self.access.once(_ADVICE) as connection:
                await append(connection, name, letter, ["$seen"], None)

    @again
    async def _create(self, name: bytes) -> None:
        """Without a subscription. A refusal may mean that another process was faster: APPEND shows it."""
        async with self.access.anywhere() as connection:
            await connection.attempt([b"CREATE", string(name)])

    async def _remove(self, uids: tuple[int, ...]) -> None:
        """Only messages of settings are in the folder and only those that do not count are marked, so EXPUNGE does
        if there is no UID EXPUNGE. Gmail would keep them in All Mail, so they go to the trash."""
        if not uids:
            return
        async with self.access.within(await self._own_name()) as selection:
            connection = selection.connection
            if connection.has(GMAIL):
                trash = string(await self._folders.name("trash"))
                await connection.attempt([b"UID", b"MOVE", uid_set(uids), trash])
                return
            await connection.run([b"UID", b"STORE", uid_set(uids), b"+FLAGS.SILENT", b"(\\Deleted)"])
            has_uids = connection.has("UIDPLUS") or connection.has("IMAP4REV2")
            await connection.attempt([b"UID", b"EXPUNGE", uid_set(uids)] if has_uids else [b"EXPUNGE"])


async def _read(selection: Selection) -> _Folder | None:
    """None if the settings were replaced meanwhile. Two round trips."""
    if not selection.exists:
        return _Folder()
    run = selection.connection.run
    fields = b"(UID BODY.PEEK[HEADER.FIELDS (%b)])" % _FIELD.encode()
    rows = await fetch_rows((await run([b"UID", b"FETCH", b"1:*", fields])).untagged)
    entries = [entry for uid, row in rows.items() if (entry := _entry(uid, header_fields(row)))]
    if not entries:
        return _Folder()
    entry = min(entries, key=lambda each: (-each.generation, each.uid))
    text = b"(UID BODY.PEEK[TEXT]<0.%d>)" % _STORED
    rows = await fetch_rows((await run([b"UID", b"FETCH", uid_set([entry.uid]), text])).untagged)
    body = octets(rows.get(entry.uid, {}), b"BODY[TEXT]<0>")
    if not body:  # Dovecot says NIL of a message that was just removed
        return None
    return _Folder(entry, _settings(body), tuple(each.uid for each in entries if each is not entry))


def _entry(uid: int, header: bytes) -> _Entry | None:
    found = _VALUE.match(first(split_headers(header), _FIELD) or b"")
    return _Entry(int(found[1]), tuple(found[2].split()), uid) if found else None


def _settings(body: bytes) -> bytes:
    try:
        return b64decode(body)
    except Error:
        raise UpstreamError("The message that holds the settings is damaged.", protocol="imap") from None


def _letter(settings: bytes, generation: int, writers: tuple[bytes, ...]) -> _Letter:
    message_id = f"{writers[0].decode()}.settings@casella.invalid"
    value = b"\r\n ".join((b"%d" % generation, *writers))
    head = (
        f"From: Casella <settings@casella.invalid>\r\nSubject: Settings of Casella\r\nMessage-ID: <{message_id}>\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: application/json\r\nContent-Transfer-Encoding: base64\r\n"
    )
    body = encodebytes(settings).replace(b"\n", b"\r\n")
    return _Letter(head.encode() + _FIELD.encode() + b": " + value + b"\r\n\r\n" + body, message_id)


def _changed() -> Changed:
    return Changed("The settings have changed meanwhile. Read them again.")
