"""One folder: its messages as they are now, and changes to single messages.

Other programs deliver, rename and delete at the same time. So a message is identified by the unique part of its name;
if its file has another name by now, it is looked for again; and nothing is done to a file that was not found by its
unique part.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import blake2s
from pathlib import Path
from typing import TypeVar

from service.adapters.maildir.disk.files import PROTOCOL, File, open_folder
from service.adapters.maildir.disk.keywords import flags_of, letters_of, read_keywords, unexplained
from service.adapters.maildir.disk.names import Entry, entry_of, new_unique, with_letters
from service.adapters.maildir.disk.snapshot import Snapshot, Stamp, is_quiet, read_snapshot, stamp_of
from service.mail.errors import Changed, NotFound, UpstreamError

T = TypeVar("T")
INBOX = b"INBOX"
_TRIES = 64
"""How often a message that is being renamed is looked for."""
FlagChange = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Makes the new flags of a message from those that it has."""


class MaildirFolder:
    """``stored_name`` is ``INBOX`` for the root itself; otherwise its steps in modified UTF-7, separated by dots.

    Its methods may run in several threads at once: changes are single renames and links, which the kernel orders.
    """

    def __init__(self, root: Path, stored_name: bytes) -> None:
        self.stored_name = stored_name
        self._root = root
        self._cached: tuple[Stamp, Snapshot] | None = None

    @contextmanager
    def open(self) -> Iterator[int]:
        """Yields the folder's descriptor. Raises NotFound if it does not exist."""
        with open_folder(self._root) as root:
            if self.stored_name == INBOX:
                yield root
                return
            try:
                folder = os.open(directory(self.stored_name), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            except (FileNotFoundError, NotADirectoryError):
                raise NotFound("folder") from None
            try:
                yield folder
            finally:
                os.close(folder)

    def snapshot(self) -> Snapshot:
        """The folder as it is now. It is read again only if something changed. Raises NotFound if it does not exist or
        cannot hold messages."""
        with self.open() as folder:
            stamp, cached = stamp_of(folder), self._cached
            if cached and cached[0] == stamp:
                return cached[1]
            snapshot = read_snapshot(folder)
            self._cached = (stamp, snapshot) if is_quiet(stamp, folder) else None
            return snapshot

    def file(self, unique: str) -> File:
        """Opens the message. Raises NotFound, as all methods below."""
        return self._with_file(unique, _open)

    def flags(self, unique: str) -> tuple[str, ...]:
        """The message's flags now."""
        snapshot = self.snapshot()
        entry = snapshot.entries.get(unique)
        if entry is None:
            raise NotFound("message")
        return snapshot.flags(entry)

    def delete(self, unique: str) -> None:
        """Deletes the message for good."""
        self._require_one_file(unique)
        self._with_file(unique, _unlink)

    def change_flags(self, unique: str, change: FlagChange, version: str | None = None) -> tuple[str, ...]:
        """Renames the file to the flags that ``change`` makes of the present ones; returns the new flags. Raises
        Changed if ``version`` is given and is not that of the present flags."""
        self._require_one_file(unique)
        return self._with_file(unique, partial(self._rename, change, version))

    def move(self, unique: str, target: "MaildirFolder") -> str:
        """Moves the message in one rename; returns the unique part of its new name."""
        self._require_one_file(unique)
        return self._with_file(unique, partial(self._place_in, target, os.rename))

    def copy(self, unique: str, target: "MaildirFolder") -> str:
        """Makes a second link to the same file, whose content never changes; returns the unique part of its name."""
        return self._with_file(unique, partial(self._place_in, target, _link))

    def _with_file(self, unique: str, work: Callable[[int, Entry], T]) -> T:
        """Returns what ``work`` makes of the message's file: the descriptor of its subfolder, and its entry. ``work``
        is repeated if the file was renamed meanwhile."""
        for _ in range(_TRIES):
            entry = self.snapshot().entries.get(unique)
            if entry is None:
                raise NotFound("message")
            try:
                with self.open() as folder, open_folder(entry.subfolder, folder) as subfolder:
                    return work(subfolder, entry)
            except FileNotFoundError:
                continue
        raise UpstreamError("Another program keeps renaming this message.", protocol=PROTOCOL)

    def _rename(self, change: FlagChange, version: str | None, subfolder: int, entry: Entry) -> tuple[str, ...]:
        with self.open() as folder:
            keywords = read_keywords(folder)
            before = flags_of(entry.letters, keywords)
            if version is not None and version != version_of(before):
                raise Changed
            after = change(before)
            if set(after) == set(before):
                return before
            letters = letters_of(after, folder) | unexplained(entry.letters, keywords)
            with open_folder("cur", folder) as cur:
                os.rename(entry.name, with_letters(entry, letters), src_dir_fd=subfolder, dst_dir_fd=cur)
            return flags_of("".join(sorted(letters)), read_keywords(folder))

    def _place_in(
        self, target: "MaildirFolder", rename_or_link: Callable[..., None], subfolder: int, entry: Entry
    ) -> str:
        flags = self.snapshot().flags(entry)
        with target.open() as folder, open_folder("cur", folder) as cur:
            size = os.stat(entry.name, dir_fd=subfolder, follow_symlinks=False).st_size
            new = entry_of("cur", new_unique(size))
            name = with_letters(new, letters_of(flags, folder))
            rename_or_link(entry.name, name, src_dir_fd=subfolder, dst_dir_fd=cur)
            os.fsync(cur)
        return new.unique

    def _require_one_file(self, unique: str) -> None:
        if unique in self.snapshot().twins:
            raise UpstreamError(
                "Two files have the name of this message. Nothing was done.", protocol=PROTOCOL, code="ambiguousId"
            )


def directory(stored_name: bytes) -> str:
    """The folder's directory below the root. Raises NotFound for a name that no folder can have, so that no id leads
    out of the mailbox."""
    is_path = b"/" in stored_name or b"\0" in stored_name
    if is_path or len(stored_name) > 254 or stored_name.upper() == INBOX or not all(stored_name.split(b".")):
        raise NotFound("folder")
    return "." + os.fsdecode(stored_name)


def version_of(flags: tuple[str, ...]) -> str:
    """A digest of the flags, in any order."""
    return blake2s(" ".join(sorted(flags)).encode(), digest_size=9).hexdigest()


def _open(subfolder: int, entry: Entry) -> File:
    return File(subfolder, entry.name)


def _unlink(subfolder: int, entry: Entry) -> None:
    os.unlink(entry.name, dir_fd=subfolder)


def _link(source: str, target: str, **folders: int) -> None:
    os.link(source, target, follow_symlinks=False, **folders)
