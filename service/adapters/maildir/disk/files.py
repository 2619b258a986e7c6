"""Opens folders and files so that no symbolic link is followed, and reads plain files only."""

import errno
import os
import stat
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from service.mail.errors import InUse, MailError, NotPermitted, OverQuota, UpstreamError, UpstreamUnavailable

PROTOCOL = "maildir"
LOCK_SECONDS = 2.0
"""How long to wait for another program's lock."""
_LOCK_RETRY_SECONDS = 0.01
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a named pipe must not block
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def open_folder(path: str | Path, within: int | None = None) -> Iterator[int]:
    """Yields the folder's descriptor. Raises OSError if ``path`` is not a folder, or is a symbolic link."""
    folder = os.open(path, _FOLDER, dir_fd=within)
    try:
        yield folder
    finally:
        os.close(folder)


class File:
    """An open message file. Renaming or deleting it does not change what is read. It is closed when the last reference
    to this object goes."""

    def __init__(self, folder: int, name: str) -> None:
        """Raises FileNotFoundError if there is no such file, or if it is not a plain file."""
        descriptor = os.open(name, _FILE, dir_fd=folder)
        weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(name)
        self.size = status.st_size
        self.received_at = _received_at(status)

    def fileno(self) -> int:
        """For readers that read at an offset, as ``read`` does: the position of the descriptor is shared."""
        return self._descriptor

    def read(self, start: int, stop: int) -> bytes:
        """Returns octets ``start`` to ``stop``, fewer if the file is shorter. Several threads may read at once."""
        octets = bytearray()
        while start < stop and (more := os.pread(self._descriptor, stop - start, start)):
            octets += more
            start += len(more)
        return bytes(octets)


def _received_at(status: os.stat_result) -> datetime:
    """The file's modification time, as in Dovecot, which keeps INTERNALDATE there."""
    return datetime.fromtimestamp(status.st_mtime_ns // 1_000_000_000, UTC)


def read_small(folder: int, name: str, limit: int = 1 << 20) -> bytes:
    """Reads a file that programs keep beside the mail. Returns nothing if it does not exist."""
    try:
        file = File(folder, name)
    except OSError:
        return b""
    return file.read(0, min(file.size, limit))


def create(folder: int, name: str) -> int:
    """Returns the descriptor of a new file. Raises FileExistsError."""
    return os.open(name, _NEW, 0o600, dir_fd=folder)


def rewrite(folder: int, name: str, change: Callable[[bytes], bytes], lock: str) -> bytes:
    """Replaces the content of a small file by what ``change`` makes of it; returns the new content.

    The new content is written to the file ``lock``, which is then renamed, as Dovecot does it: readers see either the
    old content or the new. Raises InUse if another program holds the lock.
    """
    descriptor = _create_lock(folder, lock)
    try:
        try:
            octets = change(read_small(folder, name))
            write_all(descriptor, octets)
            os.utime(descriptor, (_later_time(folder, name),) * 2)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(lock, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(lock, dir_fd=folder)
        raise
    return octets


def _later_time(folder: int, name: str) -> int:
    """A second later than the file's own: Dovecot reads the file again only if its time has changed."""
    try:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        before = 0
    return max(int(time.time()), int(before) + 1)


@contextmanager
def locked(folder: int, lock: str) -> Iterator[None]:
    """Holds a lock file, which other programs respect. Raises InUse if another program holds it."""
    os.close(_create_lock(folder, lock))
    try:
        yield
    finally:
        os.unlink(lock, dir_fd=folder)


def _create_lock(folder: int, lock: str) -> int:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return create(folder, lock)
        except FileExistsError:
            if time.monotonic() > until:
                raise InUse("Another program keeps a file of the mailbox locked. Try again shortly.") from None
        time.sleep(_LOCK_RETRY_SECONDS)


def write_all(descriptor: int, octets: bytes) -> None:
    """Writes all octets, in as many calls as the kernel needs."""
    left = memoryview(octets)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def mail_errors() -> Iterator[None]:
    """Raises each OSError as a MailError, whose text contains no path."""
    try:
        yield
    except OSError as error:
        raise _mail_error(error) from error


def _mail_error(error: OSError) -> MailError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return OverQuota()
        case errno.EACCES | errno.EPERM | errno.EROFS | errno.ELOOP | errno.ENOTDIR:
            return NotPermitted("The mailbox's files may not be used like this.")
        case errno.ENOENT | errno.EIO | errno.ESTALE | errno.EMFILE | errno.ENFILE:
            return UpstreamUnavailable("The mailbox cannot be read now.", protocol=PROTOCOL)
    return UpstreamError("The disk refused.", protocol=PROTOCOL, code=errno.errorcode.get(error.errno or 0))
