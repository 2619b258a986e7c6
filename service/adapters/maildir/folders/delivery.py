"""Writes a new message into ``tmp``, syncs it to the disk, then gives it its name (Maildir, "delivery")."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from service.adapters.maildir.disk import files as disk
from service.adapters.maildir.disk.files import open_folder
from service.adapters.maildir.disk.keywords import letters_of
from service.adapters.maildir.disk.names import entry_of, new_unique, with_letters
from service.adapters.maildir.folders.folder import MaildirFolder
from service.mail.errors import NotFound


class Delivery:
    """``begin``, then ``write`` as often as needed, then ``finish``. ``discard`` removes a delivery that was not
    finished."""

    def __init__(self, size: int, flags: Sequence[str], received_at: datetime | None) -> None:
        self.unique = new_unique(size)
        self._flags = flags
        self._received_at = received_at
        self._open: tuple[MaildirFolder, int] | None = None

    def begin(self, folder: MaildirFolder) -> None:
        """Raises NotFound if the folder does not exist."""
        with folder.open() as descriptor, open_folder("tmp", descriptor) as tmp:
            self._open = folder, disk.create(tmp, self.unique)

    def write(self, octets: bytes) -> None:
        """Appends to the file."""
        assert self._open is not None
        disk.write_all(self._open[1], octets)

    def finish(self, octets: bytes = b"") -> MaildirFolder:
        """Writes the last octets and makes the file a message of the folder, which is returned. Without flags it goes
        to ``new``, as other programs deliver."""
        self.write(octets)
        assert self._open is not None
        folder, file = self._open
        if self._received_at is not None:
            os.utime(file, (self._received_at.timestamp(),) * 2)
        os.fsync(file)  # before the rename: after a crash no message is half there
        with folder.open() as descriptor:
            self._rename(descriptor)
        self._close()
        return folder

    def _rename(self, folder: int) -> None:
        letters = letters_of(self._flags, folder)
        name = with_letters(entry_of("cur", self.unique), letters) if letters else self.unique
        with open_folder("tmp", folder) as tmp, open_folder("cur" if letters else "new", folder) as subfolder:
            os.rename(self.unique, name, src_dir_fd=tmp, dst_dir_fd=subfolder)
            os.fsync(subfolder)

    def discard(self) -> None:
        """Does nothing if the delivery was finished or did not begin."""
        if self._open is None:
            return
        folder, _ = self._open
        try:
            # If the folder is gone, or the file was renamed before the error, nothing is left to remove.
            with (
                suppress(FileNotFoundError, NotFound),
                folder.open() as descriptor,
                open_folder("tmp", descriptor) as tmp,
            ):
                os.unlink(self.unique, dir_fd=tmp)
        finally:
            self._close()

    def _close(self) -> None:
        assert self._open is not None
        (_, file), self._open = self._open, None
        os.close(file)
