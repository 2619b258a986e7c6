"""One folder: its messages as they are now, and what is done to single ones.

Other programs deliver, rename and remove at the same time. So a message is known by what is unique in its name, is
looked for again where its file has another name by now, and nothing is done to a file that was not found by it.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2s
from pathlib import Path
from typing import TypeVar

from service.adapters.maildir.disk import PROTOCOL, File, opened
from service.adapters.maildir.keywords import FILE, flags_of, letters_of, read_keywords, unexplained
from service.adapters.maildir.names import Entry, arrival, entry_of, new_unique, with_letters
from service.mail.errors import Changed, NotFound, UpstreamError

T = TypeVar("T")
INBOX = b"INBOX"
PLACES = ("new", "cur")
"""In the order they are read: messages go from the first to the second."""
_TRIES = 64
"""How often a message is looked for that is being renamed."""
_READINGS = 3
_QUIET = 50_000_000
"""Nanoseconds after which a folder's time tells that nothing happened in it: the kernel's clock ticks each 4 ms."""
_Stamp = tuple[int, ...]
Change = Callable[[tuple[str, ...]], tuple[str, ...]]


@dataclass(frozen=True)
class Snapshot:
    """The messages of a folder at a moment, by what is unique in their names, in the order of arrival."""

    entries: Mapping[str, Entry]
    keywords: Mapping[str, str]
    twins: frozenset[str] = field(default=frozenset())
    """Names that two files share."""

    def flags(self, entry: Entry) -> tuple[str, ...]:
        return flags_of(entry.letters, self.keywords)

    @cached_property
    def unread(self) -> int:
        return sum("S" not in entry.letters for entry in self.entries.values())

    @cached_property
    def state(self) -> str:
        """Differs where anything does."""
        digest = blake2s(repr(sorted(self.keywords.items())).encode(errors="replace"), digest_size=12)
        for entry in self.entries.values():
            digest.update(os.fsencode(f"{entry.unique}:{entry.letters}\0"))
        return digest.hexdigest()


class Box:
    """``wire`` is its name as it is stored: ``INBOX`` for the root's own, else steps in modified UTF-7 with a dot
    between."""

    def __init__(self, root: Path, wire: bytes) -> None:
        self.wire = wire
        self._root = root
        self._known: tuple[_Stamp, Snapshot] | None = None

    @contextmanager
    def opened(self) -> Iterator[int]:
        """NotFound where there is no such folder."""
        with opened(self._root) as root:
            if self.wire == INBOX:
                yield root
                return
            try:
                folder = os.open(directory(self.wire), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            except (FileNotFoundError, NotADirectoryError):
                raise NotFound("folder") from None
            try:
                yield folder
            finally:
                os.close(folder)

    def snapshot(self) -> Snapshot:
        """Read anew unless nothing happened. NotFound where the folder is gone, or holds no messages."""
        with self.opened() as folder:
            stamp, known = _stamp(folder), self._known
            if known and known[0] == stamp:
                return known[1]
            found = _read(folder)
            self._known = (stamp, found) if _is_quiet(stamp, folder) else None
            return found

    def at(self, unique: str, work: Callable[[int, Entry], T]) -> T:
        """What ``work`` answers, given the folder that the message's file is in, and the file. Done again where the
        file has another name meanwhile. NotFound."""
        for _ in range(_TRIES):
            entry = self.snapshot().entries.get(unique)
            if entry is None:
                raise NotFound("message")
            try:
                with self.opened() as folder, opened(entry.place, folder) as place:
                    return work(place, entry)
            except FileNotFoundError:
                continue
        raise UpstreamError("Another program keeps renaming this message.", protocol=PROTOCOL)

    def file(self, unique: str) -> File:
        """The message's octets."""
        return self.at(unique, lambda place, entry: File(place, entry.name))

    def remove(self, unique: str) -> None:
        """For good."""
        self._require_one(unique)
        self.at(unique, lambda place, entry: os.unlink(entry.name, dir_fd=place))

    def change(self, unique: str, change: Change, version: str | None = None) -> tuple[str, ...]:
        """Give the message the flags that ``change`` makes of those it has. Changed where ``version`` is another."""
        self._require_one(unique)

        def rename(place: int, entry: Entry) -> tuple[str, ...]:
            with self.opened() as folder:
                keywords = read_keywords(folder)
                had = flags_of(entry.letters, keywords)
                if version is not None and version != version_of(had):
                    raise Changed
                wanted = change(had)
                if set(wanted) == set(had):
                    return had
                letters = letters_of(wanted, folder) | unexplained(entry.letters, keywords)
                with opened("cur", folder) as cur:
                    os.rename(entry.name, with_letters(entry, letters), src_dir_fd=place, dst_dir_fd=cur)
                return flags_of("".join(sorted(letters)), read_keywords(folder))

        return self.at(unique, rename)

    def move(self, unique: str, other: "Box") -> str:
        """Into another folder, under a new name, in one step; answers what is unique in it."""
        self._require_one(unique)
        return self._give(unique, other, os.rename)

    def copy(self, unique: str, other: "Box") -> str:
        """As another name of the same file, which nobody writes to any more; answers what is unique in it."""
        return self._give(unique, other, _link)

    def _give(self, unique: str, other: "Box", give: Callable[..., None]) -> str:
        def work(place: int, entry: Entry) -> str:
            flags = self.snapshot().flags(entry)
            with other.opened() as folder, opened("cur", folder) as cur:
                size = os.stat(entry.name, dir_fd=place, follow_symlinks=False).st_size
                new = entry_of("cur", new_unique(size))
                name = with_letters(new, letters_of(flags, folder))
                give(entry.name, name, src_dir_fd=place, dst_dir_fd=cur)
                os.fsync(cur)
            return new.unique

        return self.at(unique, work)

    def _require_one(self, unique: str) -> None:
        if unique in self.snapshot().twins:
            raise UpstreamError(
                "Two files have the name of this message. Nothing was done.", protocol=PROTOCOL, code="ambiguousId"
            )


def directory(wire: bytes) -> str:
    """Where a folder lies below the root. NotFound for what is no folder's name: nothing in it leads elsewhere."""
    if b"/" in wire or b"\0" in wire or len(wire) > 254 or wire.upper() == INBOX or not all(wire.split(b".")):
        raise NotFound("folder")
    return "." + os.fsdecode(wire)


def version_of(flags: tuple[str, ...]) -> str:
    """The same for the same flags."""
    return blake2s(" ".join(sorted(flags)).encode(), digest_size=9).hexdigest()


def _link(source: str, target: str, **folders: int) -> None:
    os.link(source, target, follow_symlinks=False, **folders)


def _stamp(folder: int) -> _Stamp:
    """Changes with the messages; NotFound where the folder holds none."""
    try:
        places = [os.stat(place, dir_fd=folder, follow_symlinks=False).st_mtime_ns for place in PLACES]
    except FileNotFoundError:
        raise NotFound("folder", "This folder can hold no messages.") from None
    try:
        keywords = os.stat(FILE, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return *places, 0
    return *places, keywords.st_mtime_ns


def _read(folder: int) -> Snapshot:
    """A file that is renamed while a folder is read may show twice, or not at all. So a folder in which something
    happens is read several times, and has what any reading had: all of that was there since this began."""
    found: dict[Entry, int] = {}
    for _ in range(_READINGS):
        began = _stamp(folder)
        reading = dict(each for place in PLACES for each in _entries(folder, place))
        if _is_quiet(began, folder):
            found = reading
            break
        found = {entry: inode for entry, inode in found.items() if entry not in reading} | reading
    now = {entry.unique: entry for entry in found}
    entries = dict(sorted(now.items(), key=lambda item: arrival(item[0])))
    return Snapshot(entries, read_keywords(folder), _twins(found, now))


def _is_quiet(began: _Stamp, folder: int) -> bool:
    """Whether nothing happened since, for sure."""
    return began == _stamp(folder) and max(began[: len(PLACES)]) < time.time_ns() - _QUIET


def _entries(folder: int, place: str) -> Iterator[tuple[Entry, int]]:
    """Plain files, each with what tells it from others whatever its name."""
    with opened(place, folder) as number, os.scandir(number) as found:
        for each in found:
            if not each.name.startswith(".") and each.is_file(follow_symlinks=False):
                yield entry_of(place, each.name), each.inode()


def _twins(found: Mapping[Entry, int], now: Mapping[str, Entry]) -> frozenset[str]:
    """Two names of one file are a renaming that was seen in its course."""
    return frozenset(entry.unique for entry, inode in found.items() if found.get(now[entry.unique], inode) != inode)
