"""The messages of one folder at a moment, read while other programs deliver, rename and delete."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2s

from service.adapters.maildir.disk.files import open_folder
from service.adapters.maildir.disk.keywords import FILE, flags_of, read_keywords
from service.adapters.maildir.disk.names import Entry, arrival, entry_of
from service.mail.errors import NotFound

SUBFOLDERS = ("new", "cur")
"""In this order they are read, because messages go from the first to the second."""
_READINGS = 3
_QUIET_NANOSECONDS = 50_000_000
"""Once a folder's time is this old, an equal time means that nothing changed: the kernel's clock ticks every 4 ms."""
Stamp = tuple[int, ...]
"""The times of a folder's parts. Two readings between which it stays the same, and old, saw the same folder."""


@dataclass(frozen=True)
class Snapshot:
    """The entries of a folder by the unique part of their names, in the order of arrival."""

    entries: Mapping[str, Entry]
    keywords: Mapping[str, str]
    twins: frozenset[str] = field(default=frozenset())
    """Unique parts that two files have in common."""

    def flags(self, entry: Entry) -> tuple[str, ...]:
        return flags_of(entry.letters, self.keywords)

    @cached_property
    def unread(self) -> int:
        return sum("S" not in entry.letters for entry in self.entries.values())

    @cached_property
    def state(self) -> str:
        """A digest that changes whenever a message, a flag or a keyword does."""
        digest = blake2s(repr(sorted(self.keywords.items())).encode(errors="replace"), digest_size=12)
        for entry in self.entries.values():
            digest.update(os.fsencode(f"{entry.unique}:{entry.letters}\0"))
        return digest.hexdigest()


def stamp_of(folder: int) -> Stamp:
    """Changes whenever the messages do. Raises NotFound if the folder has no ``new`` or ``cur``."""
    try:
        times = [os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns for name in SUBFOLDERS]
    except FileNotFoundError:
        raise NotFound("folder", "This folder can hold no messages.") from None
    try:
        keywords = os.stat(FILE, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return *times, 0
    return *times, keywords.st_mtime_ns


def is_quiet(stamp: Stamp, folder: int) -> bool:
    """Whether certainly nothing changed since the stamp was taken."""
    return stamp == stamp_of(folder) and max(stamp[: len(SUBFOLDERS)]) < time.time_ns() - _QUIET_NANOSECONDS


def read_snapshot(folder: int) -> Snapshot:
    """Reads the folder.

    A file that is renamed during a reading may appear twice, or not at all. So a folder that changes is read several
    times, and the snapshot has what any of the readings had: all of that existed since the first one began.
    """
    inodes: dict[Entry, int] = {}
    for _ in range(_READINGS):
        stamp = stamp_of(folder)
        reading = dict(entry for name in SUBFOLDERS for entry in _entries(folder, name))
        if is_quiet(stamp, folder):
            inodes = reading
            break
        inodes = {entry: inode for entry, inode in inodes.items() if entry not in reading} | reading
    latest = {entry.unique: entry for entry in inodes}
    entries = {unique: latest[unique] for unique in sorted(latest, key=arrival)}
    return Snapshot(entries, read_keywords(folder), _twins(inodes, latest))


def _entries(folder: int, subfolder: str) -> Iterator[tuple[Entry, int]]:
    """The plain files, each with its inode, which identifies it under any name."""
    with open_folder(subfolder, folder) as descriptor, os.scandir(descriptor) as files:
        for file in files:
            if not file.name.startswith(".") and file.is_file(follow_symlinks=False):
                yield entry_of(subfolder, file.name), file.inode()


def _twins(inodes: Mapping[Entry, int], latest: Mapping[str, Entry]) -> frozenset[str]:
    """Two names of one inode are not twins: the file was renamed between two readings."""
    return frozenset(
        entry.unique for entry, inode in inodes.items() if inodes.get(latest[entry.unique], inode) != inode
    )
