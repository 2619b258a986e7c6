"""Uploaded blobs. Each is a message in a folder of its own in the mailbox, unsubscribed: so every replica finds it, and
no disk holds it. Blobs that were not used are removed after a day, by the next upload."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, closing, suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from service.mail.backend import Backend
from service.mail.errors import AlreadyExists, MailError, TooLarge, UpstreamError
from service.mail.exchange import Download, Span
from service.mail.mime.compose.base64_lines import Base64Lines
from service.mail.model import Folder
from service.mail.search.filter import Condition, Criterion, HeaderText, ListQuery, Logic, Operator
from service.spooled import Spooled

NAME = "Casella uploads"
KEPT = timedelta(days=1)
SWEEP_SECONDS = 3600.0
PIECE = 96 << 10
PART = "1"
"""Of the message of an upload: the blob."""
DOMAIN = "@uploads.casella"
"""Ends the Message-ID of each."""
_HEADER = (
    "Message-ID: <{name}@uploads.casella>\r\nSubject: Uploaded by an app, removed after a day\r\nDate: {date}\r\n"
    "MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
_swept: dict[str, float] = {}
"""When the uploads of an account were last swept by this process."""


def is_uploads(folder: Folder) -> bool:
    """Whether it is the folder of uploads, which clients do not see."""
    return folder.name == NAME and folder.role is None and folder.parent_id is None and not folder.namespace


class Uploads:
    """The uploads of one account."""

    def __init__(self, backend: Backend, limit: int) -> None:
        self._backend, self._limit = backend, limit

    async def add(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Stage a blob; returns the id of its message, and its size. Raises NotSupported if the mailbox takes no
        messages."""
        with closing(Spooled()) as message:
            date = datetime.now(UTC).strftime("%d %b %Y %H:%M:%S +0000")
            await message.write(_HEADER.format(name=token_hex(16), date=date).encode())
            size, encoder = 0, Base64Lines()
            async for chunk in chunks:
                size += len(chunk)
                if size > self._limit:
                    raise TooLarge(f"An upload has at most {self._limit} octets.")
                for at in range(0, len(chunk), PIECE):
                    await message.write(encoder.feed(chunk[at : at + PIECE]))
            await message.write(encoder.finish())
            staged = await self._append(message)
        await self._sweep()
        return staged, size

    async def open(self, staged: str, span: Span | None = None) -> Download:
        """The octets of a blob. Raises NotFound."""
        return await self._backend.open_part(staged, PART, span=span)

    async def _append(self, message: Spooled) -> str:
        folder = await self._folder()
        if folder is None:
            folder = await self._create()
        staged = await self._backend.append_message(folder, message, ("$seen",))
        if staged is None:
            raise UpstreamError("The blob was stored, but the mail server does not say where.")
        return staged

    async def _folder(self) -> str | None:
        return next((folder.id for folder in await self._backend.list_folders() if is_uploads(folder)), None)

    async def _create(self) -> str:
        try:
            created = await self._backend.create_folder(NAME)
            with suppress(MailError):
                await self._backend.change_folder(created.id, is_subscribed=False)
            return created.id
        except AlreadyExists:  # another request was faster
            folder = await self._folder()
            if folder is None:
                raise
            return folder

    async def _sweep(self) -> None:
        """Remove old blobs, at most once in an hour. Best effort."""
        now = time.monotonic()
        if now - _swept.get(self._backend.account, -SWEEP_SECONDS) < SWEEP_SECONDS:
            return
        if len(_swept) > 10_000:
            _swept.clear()
        _swept[self._backend.account] = now
        with suppress(MailError):
            folder = await self._folder()
            # Another message in it is not ours to remove.
            own = Condition(Criterion.HEADER, HeaderText("Message-ID", DOMAIN))
            old = Operator(Logic.AND, (Condition(Criterion.BEFORE, datetime.now(UTC) - KEPT), own))
            if folder is not None:
                page = await self._backend.list_messages(folder, ListQuery(200, filter=old))
                await self._backend.delete_messages([row.id for row in page.items])


async def read_all(download: Download, limit: int) -> bytes:
    """All octets. Raises TooLarge above the limit."""
    octets = bytearray()
    async with aclosing(download.chunks) as chunks:
        async for chunk in chunks:
            octets += chunk
            if len(octets) > limit:
                raise TooLarge(f"It is larger than the {limit} octets that can be read at once.")
    return bytes(octets)
