"""Folders and files of the disk, opened so that no symbolic link is followed and nothing but plain files is read."""

import errno
import os
import stat
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from service.mail.errors import InUse, MailError, NotPermitted, OverQuota, UpstreamError, UpstreamUnavailable

T = TypeVar("T")
PROTOCOL = "maildir"
LOCK_SECONDS = 2.0
"""How long another program's lock is waited for."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not hold up who opens it
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(path: str | Path, within: int | None = None) -> Iterator[int]:
    """A folder's descriptor. OSError where it is none, or a link."""
    folder = os.open(path, _FOLDER, dir_fd=within)
    try:
        yield folder
    finally:
        os.close(folder)


class File:
    """An open message, whose octets stay what they are whatever becomes of its name. Closed when the last reader lets
    go of it."""

    def __init__(self, folder: int, name: str) -> None:
        """FileNotFoundError where there is none of that name, or no plain file."""
        number = os.open(name, _FILE, dir_fd=folder)
        weakref.finalize(self, os.close, number)
        self._number = number
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(name)
        self.size = found.st_size
        self.received_at = moment(found)

    def fileno(self) -> int:
        """For who reads at places too."""
        return self._number

    def read(self, start: int, stop: int) -> bytes:
        """Octets ``start`` to ``stop``, fewer where the file ends before. Safe from several threads at once."""
        octets = bytearray()
        while start < stop and (more := os.pread(self._number, stop - start, start)):
            octets += more
            start += len(more)
        return bytes(octets)


def moment(found: os.stat_result) -> datetime:
    """When the message was received: a file's time, as Dovecot keeps INTERNALDATE."""
    return datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC)


def read_small(folder: int, name: str, limit: int = 1 << 20) -> bytes:
    """A file that programs keep beside the mail; empty where there is none."""
    try:
        file = File(folder, name)
    except OSError:
        return b""
    return file.read(0, min(file.size, limit))


def create(folder: int, name: str) -> int:
    """The descriptor of a new file. FileExistsError where there is one."""
    return os.open(name, _NEW, 0o600, dir_fd=folder)


def rewrite(folder: int, name: str, change: Callable[[bytes], bytes], lock: str) -> bytes:
    """Write a small file anew, as ``change`` makes it of what it was; answers what it made. Who reads it sees the old
    one or the new. ``lock`` is its name meanwhile, as Dovecot does it. InUse where another program keeps it locked."""
    number = _locked(folder, lock)
    try:
        try:
            octets = change(read_small(folder, name))
            write_all(number, octets)
            os.utime(number, (_later(folder, name),) * 2)
            os.fsync(number)
        finally:
            os.close(number)
        os.rename(lock, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(lock, dir_fd=folder)
        raise
    return octets


def _later(folder: int, name: str) -> int:
    """A second that the file never had: Dovecot reads it again only then."""
    try:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        before = 0
    return max(int(time.time()), int(before) + 1)


@contextmanager
def locked(folder: int, lock: str) -> Iterator[None]:
    """A lock held, as other programs hold it. InUse where one of them does."""
    os.close(_locked(folder, lock))
    try:
        yield
    finally:
        os.unlink(lock, dir_fd=folder)


def _locked(folder: int, lock: str) -> int:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return create(folder, lock)
        except FileExistsError:
            if time.monotonic() > until:
                raise InUse("Another program keeps a file of the mailbox locked. Try again shortly.") from None
        time.sleep(0.01)


def write_all(number: int, octets: bytes) -> None:
    """However often it takes."""
    left = memoryview(octets)
    while left:
        left = left[os.write(number, left) :]


def told(work: Callable[[], T]) -> T:
    """What ``work`` answers; its OSError as an error of the mailbox, which names no path."""
    try:
        return work()
    except OSError as error:
        raise _error(error) from error


def _error(error: OSError) -> MailError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return OverQuota()
        case errno.EACCES | errno.EPERM | errno.EROFS | errno.ELOOP | errno.ENOTDIR:
            return NotPermitted("The mailbox's files may not be used like this.")
        case errno.ENOENT | errno.EIO | errno.ESTALE | errno.EMFILE | errno.ENFILE:
            return UpstreamUnavailable("The mailbox cannot be read now.", protocol=PROTOCOL)
    return UpstreamError("The disk refused.", protocol=PROTOCOL, code=errno.errorcode.get(error.errno or 0))
