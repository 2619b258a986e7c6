"""Messages on their way in or out, kept until a slow client has sent or read them, so that none of them holds a
connection to the mail server: in memory while small, otherwise in a private file."""

import asyncio
import errno
import os
import sys
import tempfile
import weakref
from collections.abc import AsyncGenerator, Callable

import structlog

from service.mail.errors import ServerBusy, TooLarge

IN_MEMORY = 1024 * 1024
CHUNK = 64 * 1024
RETRY_AFTER = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = structlog.get_logger("service.spool")


class Spool:
    """Octets that are appended to, then read at any place by any number of readers. The file goes with the last of
    them, or by ``close``; it has no name, so that a crash leaves nothing behind."""

    def __init__(self, limit: int = sys.maxsize) -> None:
        self.size = 0
        self._limit = limit
        self._memory = bytearray()
        self._file: int | None = None
        self._close: Callable[[], object] | None = None

    def write(self, octets: bytes) -> None:
        """Raises TooLarge above the limit, and ServerBusy if there is no room for files. It writes to a file unless
        ``stays_in_memory``."""
        if self.size + len(octets) > self._limit:
            raise TooLarge(f"The message is larger than the {self._limit} octets that can be handled.")
        try:
            self._store(octets)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _log.warning("no room for large messages", folder=tempfile.gettempdir())
            raise ServerBusy(
                "The service has no room for another large message now.", retry_after=RETRY_AFTER
            ) from None
        self.size += len(octets)

    def _store(self, octets: bytes) -> None:
        if self._file is None and not self.stays_in_memory(len(octets)):
            self._file = self._new_file()
            self._append(self._memory)
            self._memory = bytearray()
        self._append(octets)

    def stays_in_memory(self, more: int = 0) -> bool:
        """Whether there is no file, even after this many more octets."""
        return self.size + more <= IN_MEMORY

    def read(self, start: int, stop: int) -> bytes:
        """Safe from several threads at once."""
        if self._file is None:
            return bytes(self._memory[start:stop])
        octets = bytearray()
        while more := os.pread(self._file, stop - start, start):
            octets += more
            start += len(more)
        return bytes(octets)

    def close(self) -> None:
        """Nothing can be read any more."""
        self._memory = bytearray()
        if self._close is not None:
            self._close()

    def fileno(self) -> int:
        """The file's descriptor. Others may read from it, at any place; there is one above ``IN_MEMORY`` octets."""
        assert self._file is not None
        return self._file

    async def chunks(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Lets other tasks run between two chunks, and so notices a reader that went away."""
        for place in range(start, stop, CHUNK):
            yield self.read(place, min(place + CHUNK, stop))
            await asyncio.sleep(0)

    def _append(self, octets: bytes | bytearray) -> None:
        if self._file is None:
            self._memory += octets
            return
        view = memoryview(octets)
        while view:
            view = view[os.write(self._file, view) :]

    def _new_file(self) -> int:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, number)
        return number
