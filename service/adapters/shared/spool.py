"""Octets put aside, so that a slow reader holds no maildrop: in memory while few, else in a private file."""

import asyncio
import os
import tempfile
import weakref
from collections.abc import AsyncGenerator

from service.mail.errors import TooLarge

IN_MEMORY = 1024 * 1024
CHUNK = 64 * 1024


class Spool:
    """Appended to, then read at any place by any number of readers. It goes, and its file with it, when the last of
    them lets go; the file has no name, so that a crash leaves nothing behind."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._memory = bytearray()
        self._file: int | None = None

    def write(self, octets: bytes) -> None:
        """TooLarge above the limit."""
        if self.size + len(octets) > self._limit:
            raise TooLarge(f"The message is larger than the {self._limit} octets that can be handled.")
        if self._file is None and self.size + len(octets) > IN_MEMORY:
            self._file = self._new_file()
            self._append(bytes(self._memory))
            self._memory = bytearray()
        self._append(octets)
        self.size += len(octets)

    def read(self, start: int, stop: int) -> bytes:
        """Safe from several threads at once."""
        if self._file is None:
            return bytes(self._memory[start:stop])
        octets = bytearray()
        while more := os.pread(self._file, stop - start, start):
            octets += more
            start += len(more)
        return bytes(octets)

    def fileno(self) -> int:
        """Of the file, for who reads at places too. There is one above ``IN_MEMORY`` octets."""
        assert self._file is not None
        return self._file

    async def chunks(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Lets others run between two chunks, and so notices a reader that went away."""
        for place in range(start, stop, CHUNK):
            yield self.read(place, min(place + CHUNK, stop))
            await asyncio.sleep(0)

    def _append(self, octets: bytes) -> None:
        if self._file is None:
            self._memory += octets
            return
        view = memoryview(octets)
        while view:
            view = view[os.write(self._file, view) :]

    def _new_file(self) -> int:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
        weakref.finalize(self, os.close, number)
        return number
