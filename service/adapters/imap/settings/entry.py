"""Settings in an entry of METADATA."""

from service.adapters.imap.settings.metadata import Metadata
from service.mail.errors import Changed
from service.mail.settings import settings_version

ENTRY = b"/private/vendor/vendor.casella/settings"
_ADVICE = "Read the settings to see whether they were stored."


class EntrySettings:
    """The settings of one mailbox in its METADATA."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def read(self) -> bytes | None:
        """The settings; None if there are none. One round trip."""
        return await self._metadata.read(ENTRY)

    async def write(self, settings: bytes, version: str | None, moved: bytes | None) -> None:
        """Store the settings if the present ones have ``version`` (None: any). ``moved`` are the present ones if there
        is no entry. Raises Changed."""

        def replaced(present: bytes | None) -> bytes:
            if version is not None and settings_version(moved if present is None else present) != version:
                raise Changed("The settings have changed meanwhile. Read them again.")
            return settings

        await self._metadata.change(ENTRY, replaced, _ADVICE)
