"""Settings in METADATA if the server has it, else in a message."""

from service.adapters.imap.folders.tree import Folders
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.settings.message import MessageSettings
from service.adapters.imap.settings.metadata import METADATA, MetadataSettings, Unavailable


class SettingsStore:
    """The settings of one mailbox. A server may get METADATA after a message was written: that counts until there is an
    entry."""

    def __init__(self, access: Access, folders: Folders) -> None:
        self.access = access
        self._metadata = MetadataSettings(access)
        self._message = MessageSettings(access, folders)

    async def read(self) -> bytes | None:
        """See the port."""
        try:
            if await self._has_metadata() and (settings := await self._metadata.read()) is not None:
                return settings
        except Unavailable:
            pass
        return await self._message.read()

    async def write(self, settings: bytes, version: str | None) -> None:
        """See the port."""
        try:
            if await self._has_metadata():
                moved = None if await self._metadata.read() is not None else await self._message.read()
                return await self._metadata.write(settings, version, moved)
        except Unavailable:
            pass
        return await self._message.write(settings, version)

    @again
    async def _has_metadata(self) -> bool:
        async with self.access.anywhere() as connection:
            return not METADATA.isdisjoint(connection.capabilities)
