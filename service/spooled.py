"""A message that is complete, kept until it is stored. Large ones are in a private file, not in memory."""

import asyncio
from collections.abc import AsyncGenerator

from service.mail.line_ends import BLANK
from service.mail.mime.digest import Digest
from service.mail.mime.headers.fields import first, parse_message_ids, split_headers
from service.spool import Spool

CHUNK = 256 << 10
_HEADER = 1 << 20


class Spooled:
    """A message, first written and then read. Implements ``model.Source``."""

    def __init__(self) -> None:
        self._spool = Spool()
        self._digest, self._head, self._is_begun = Digest(), bytearray(), True
        self.is_8bit = False
        """Whether an octet is above 127."""

    async def write(self, octets: bytes) -> None:
        """Append octets: in a thread if they go to a file."""
        self._digest.feed(octets)
        self.is_8bit = self.is_8bit or not octets.isascii()
        self._note(octets)
        if self._spool.stays_in_memory(len(octets)):
            self._spool.write(octets)
        else:
            await asyncio.to_thread(self._spool.write, octets)

    def _note(self, octets: bytes) -> None:
        """Keep the header, and nothing behind it."""
        if not self._is_begun:
            return
        searched = max(0, len(self._head) - 2)
        self._head += octets[: _HEADER - len(self._head)]
        end = BLANK.search(self._head, searched)
        if end is not None:
            del self._head[end.end() :]
        self._is_begun = end is None and len(self._head) < _HEADER

    @property
    def size(self) -> int:
        """In octets."""
        return self._spool.size

    @property
    def message_id(self) -> str | None:
        """The Message-ID header without its angle brackets."""
        ids = parse_message_ids(first(split_headers(self.header), "Message-ID") or b"")
        return ids[0] if ids else None

    @property
    def header(self) -> bytes:
        """The header with an empty line, all lines ended by CRLF; of more than 1 MiB the beginning."""
        head = bytes(self._head).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
        return head.replace(b"\n", b"\r\n") + b"\r\n\r\n"

    @property
    def digest(self) -> bytes:
        """See ``model.Source``."""
        return self._digest.finish()

    @property
    def exact_digest(self) -> bytes:
        """The same, but other line ends at the end make another one."""
        return self._digest.finish_exactly()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """All octets."""
        for start in range(0, self.size, CHUNK):
            yield await self._read(start, min(start + CHUNK, self.size))

    async def _read(self, start: int, stop: int) -> bytes:
        if self._spool.stays_in_memory():
            return self._spool.read(start, stop)
        return await asyncio.to_thread(self._spool.read, start, stop)

    def close(self) -> None:
        """Nothing can be read any more."""
        self._spool.close()
