"""Settings in METADATA if the server has it, else in a message."""

from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.session.access import Access
from service.adapters.imap.settings.entry import EntrySettings
from service.adapters.imap.settings.message import MessageSettings
from service.adapters.imap.settings.metadata import Metadata, Unavailable
from service.mail.errors import NotPermitted


class SettingsStore:
    """The settings of one mailbox. A server may get METADATA after a message was written: that counts until there is an
    entry."""

    def __init__(self, access: Access, folders: Folders, metadata: Metadata) -> None:
        self._metadata = metadata
        self._stored = EntrySettings(metadata)
        self._message = MessageSettings(access, folders)
        self._is_refused = False
        """Whether the server was seen to refuse METADATA that it announces."""

    async def read(self) -> bytes | None:
        """See the port."""
        entry = await self._entry()
        return await self._message.read() if entry is None else entry

    async def write(self, settings: bytes, version: str | None) -> None:
        """See the port."""
        entry = await self._entry()
        if self._is_refused or not await self._metadata.is_announced():
            return await self._message.write(settings, version)
        moved = await self._message.read() if entry is None else None
        try:
            return await self._stored.write(settings, version, moved)
        except Unavailable:
            if entry is not None:  # a message would not count
                raise NotPermitted("The mail server does not let the settings be changed.") from None
        self._is_refused = True
        return await self._message.write(settings, version)

    async def _entry(self) -> bytes | None:
        """The settings in METADATA; None if there are none."""
        if self._is_refused or not await self._metadata.is_announced():
            return None
        try:
            return await self._stored.read()
        except Unavailable:
            self._is_refused = True
            return None
