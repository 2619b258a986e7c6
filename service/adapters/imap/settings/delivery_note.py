"""The entry that Dovecot's push_notification plugin returns to a hook with each delivery."""

from collections.abc import Callable

from service.adapters.imap.settings.metadata import Metadata, Unavailable
from service.mail.errors import NotSupported

ENTRY = b"/private/vendor/vendor.dovecot/http-notify"
_ADVICE = "List what is stored to see whether it was."


class DeliveryNote:
    """That entry of one mailbox."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def read(self) -> bytes | None:
        """See the port."""
        if not await self._metadata.is_announced():
            raise _not_supported()
        try:
            return await self._metadata.read(ENTRY)
        except Unavailable:
            raise _not_supported() from None

    async def change(self, change: Callable[[bytes | None], bytes | None]) -> None:
        """See the port."""
        if not await self._metadata.is_announced():
            raise _not_supported()
        try:
            await self._metadata.change(ENTRY, change, _ADVICE)
        except Unavailable:
            raise _not_supported() from None


def _not_supported() -> NotSupported:
    return NotSupported("metadata", "The mail server of this mailbox keeps no METADATA.")
