"""A message on its way in: written into ``tmp``, brought to the disk, then given its name (Maildir, "delivery")."""

import os
from collections.abc import Sequence
from datetime import datetime

from service.adapters.maildir import disk
from service.adapters.maildir.disk import opened
from service.adapters.maildir.folder import Box
from service.adapters.maildir.keywords import letters_of, named
from service.adapters.maildir.names import entry_of, new_unique, with_letters


class Draft:
    """``finish`` makes it a message, ``discard`` leaves nothing of it."""

    def __init__(self, box: Box, size: int) -> None:
        self.unique = new_unique(size)
        self._box = box
        self._number: int | None = None

    def open(self) -> None:
        """NotFound where the folder is gone."""
        with self._box.opened() as folder, opened("tmp", folder) as tmp:
            self._number = disk.create(tmp, self.unique)

    def write(self, octets: bytes) -> None:
        """The next of them."""
        assert self._number is not None
        disk.write_all(self._number, octets)

    def finish(self, flags: Sequence[str], received_at: datetime | None) -> str:
        """What is unique in its name. Without flags it is ``new``, as other programs deliver."""
        assert self._number is not None
        if received_at is not None:
            os.utime(self._number, (received_at.timestamp(),) * 2)
        os.fsync(self._number)
        with self._box.opened() as folder:
            letters = letters_of(named(flags), folder)
            name = with_letters(entry_of("cur", self.unique), letters) if letters else self.unique
            with opened("tmp", folder) as tmp, opened("cur" if letters else "new", folder) as place:
                os.rename(self.unique, name, src_dir_fd=tmp, dst_dir_fd=place)
                os.fsync(place)
        self._close(self._number)
        return self.unique

    def discard(self) -> None:
        """Nothing where it is a message already."""
        if self._number is not None:
            with self._box.opened() as folder, opened("tmp", folder) as tmp:
                os.unlink(self.unique, dir_fd=tmp)
            self._close(self._number)

    def _close(self, number: int) -> None:
        self._number = None
        os.close(number)
