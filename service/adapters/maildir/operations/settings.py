"""The settings: a file beside the mail, which no other program uses. Each function runs whole in a thread."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock

from service.adapters.maildir.disk.files import LOCK_SECONDS, create, open_folder, read_small, write_all
from service.adapters.maildir.mailbox import Mailbox
from service.mail.errors import Changed, InUse
from service.mail.settings import MAX_SETTINGS, settings_version

FILE = "casella-settings"
_NEW, _LOCK = "casella-settings.new", "casella-settings.lock"
_RETRY_SECONDS = 0.005
_PATIENCE_SECONDS = 5 * LOCK_SECONDS


def read(mailbox: Mailbox) -> bytes | None:
    """None if there are none. Stored settings are JSON, which is never empty."""
    with open_folder(mailbox.tree.root) as root:
        return read_small(root, FILE, MAX_SETTINGS) or None


def write(mailbox: Mailbox, settings: bytes, version: str | None) -> None:
    """Readers see either the old settings or the new. Raises Changed, and InUse if other processes keep writing."""
    with open_folder(mailbox.tree.root) as root, _locked(root):
        present = read_small(root, FILE, MAX_SETTINGS) or None
        if version is not None and settings_version(present) != version:
            raise Changed("The settings have changed meanwhile. Read them again.")
        _replace(root, settings)


def _replace(root: int, settings: bytes) -> None:
    if _NEW in os.listdir(root):  # of a process that died
        os.unlink(_NEW, dir_fd=root)
    file = create(root, _NEW)
    try:
        write_all(file, settings)
        os.fsync(file)
    finally:
        os.close(file)
    os.rename(_NEW, FILE, src_dir_fd=root, dst_dir_fd=root)
    os.fsync(root)


@contextmanager
def _locked(root: int) -> Iterator[None]:
    """A lock that the system takes from a process that dies."""
    file = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
    try:
        _wait_for(file)
        yield
    finally:
        os.close(file)


def _wait_for(file: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise InUse("Other requests are changing the settings. Try again shortly.") from None
        time.sleep(_RETRY_SECONDS)
