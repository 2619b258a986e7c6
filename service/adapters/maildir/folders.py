"""The tree of folders: ``.Name.Child`` beside the root's own ``cur``, ``new`` and ``tmp`` (Maildir++)."""

import os
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from service.adapters.maildir import disk, subscriptions
from service.adapters.maildir.disk import opened
from service.adapters.maildir.folder import INBOX, Box, Snapshot, directory
from service.adapters.shared.folder_names import decode_name, encode_name, guessed_role
from service.mail.backend import ROLES
from service.mail.errors import AlreadyExists, InvalidRequest, NotFound, NotPermitted
from service.mail.ids import make_id, read_id
from service.mail.model import Folder

KEPT = 16
"""Folders whose messages' names stay in memory."""
LONGEST = 255
_PARTS = ("tmp", "new", "cur")


class _There(NamedTuple):
    wires: "list[bytes]"
    roles: Mapping[bytes, str]
    subscribed: frozenset[bytes]


class Folders:
    """Of one mailbox. All of it is work on the disk."""

    def __init__(self, root: Path, tag: bytes) -> None:
        self._root = root
        self._tag = tag
        self._boxes: LRUCache[bytes, Box] = LRUCache(KEPT)
        self._lock = Lock()

    def all(self) -> tuple[Folder, ...]:
        """INBOX first, then by path."""
        there = self._there()
        return tuple(self._folder(wire, there) for wire in there.wires)

    def find(self, folder: str) -> Folder:
        """By id or role. NotFound."""
        there, wire = self._there(), self.wire(folder)
        if wire not in there.wires:
            raise NotFound("folder")
        return self._folder(wire, there)

    def _there(self) -> "_There":
        with opened(self._root) as root:
            wires = {INBOX, *_wires(root)}
            subscribed = subscriptions.read(root)
        wires |= {above for wire in wires for above in _above(wire)}
        found = sorted(wires, key=lambda wire: (wire != INBOX, _folded(wire)))
        players = {"inbox": INBOX}
        for wire in found:
            players.setdefault(guessed_role(path_of(wire)) or "inbox", wire)
        return _There(found, {wire: role for role, wire in players.items()}, subscribed)

    def selectable(self) -> "list[Box]":
        """All that hold messages."""
        return [self.box(wire) for wire in self._there().wires if self._held(wire) is not None]

    def _folder(self, wire: bytes, there: "_There") -> Folder:
        path, above = path_of(wire), _parent(wire)
        held = self._held(wire)
        return Folder(
            id=self.id(wire),
            name=path[-1],
            path=path,
            parent_id=self.id(above) if above else None,
            role=there.roles.get(wire),
            total_messages=len(held.entries) if held else None,
            unread_messages=held.unread if held else None,
            is_subscribed=wire in there.subscribed,
            is_selectable=held is not None,
        )

    def _held(self, wire: bytes) -> Snapshot | None:
        try:
            return self.box(wire).snapshot()
        except (NotFound, OSError):
            return None

    def id(self, wire: bytes) -> str:
        """The folder's id."""
        return make_id("f", self._tag, wire)

    def wire(self, folder: str) -> bytes:
        """The stored name of an id or a role, whether it is there or not."""
        if folder == "inbox":
            return INBOX
        if folder in ROLES:
            return next((wire for wire, role in self._there().roles.items() if role == folder), b"")
        return read_id("f", self._tag, folder, "folder")

    def role(self, wire: bytes) -> str | None:
        """What the folder is for."""
        return self._there().roles.get(wire)

    def box(self, wire: bytes) -> Box:
        """The folder's messages, whether it is there or not. NotFound for what is no folder's name."""
        if wire != INBOX:
            directory(wire)
        with self._lock:
            box = self._boxes.get(wire)
            if box is None:
                box = self._boxes[wire] = Box(self._root, wire)
        return box

    def create(self, name: str, parent: str | None) -> Folder:
        """See the port."""
        wire = self._new(name, self.find(parent).id if parent else None)
        with opened(self._root) as root:
            try:
                os.mkdir(directory(wire), 0o700, dir_fd=root)
            except FileExistsError:
                raise AlreadyExists from None
            with opened(directory(wire), root) as folder:
                for part in _PARTS:
                    os.mkdir(part, 0o700, dir_fd=folder)
                os.close(disk.create(folder, "maildirfolder"))
            subscriptions.change(root, lambda names: [*names, wire])
        return self.find(self.id(wire))

    def change(self, folder: str, name: str | None, parent: str | None, is_subscribed: bool | None) -> Folder:
        """See the port."""
        found = self.find(folder)
        wire = self.wire(found.id)
        if name is not None or parent is not None:
            wire = self._rename(wire, name, parent)
        if is_subscribed is not None:
            with opened(self._root) as root:
                subscriptions.change(root, lambda names: _subscribed(names, wire, is_subscribed))
        return self.find(self.id(wire))

    def _rename(self, wire: bytes, name: str | None, parent: str | None) -> bytes:
        if wire == INBOX:
            raise NotPermitted("The inbox stays where it is.")
        above = _parent(wire) if parent is None else self.wire(self.find(parent).id) if parent else None
        if above is not None and (above == wire or above.startswith(wire + b".")):
            raise InvalidRequest("A folder does not go into itself.")
        last = path_of(wire)[-1] if name is None else name
        if _joined(above, _step(last)) == wire:
            return wire
        new = self._new(last, self.id(above) if above else None, but=wire)
        with opened(self._root) as root:
            moved = {old: new + old[len(wire) :] for old in sorted(_wires(root)) if _is_in(old, wire)}
            for target in moved.values():
                directory(target)
            for old, target in moved.items():
                os.rename(directory(old), directory(target), src_dir_fd=root, dst_dir_fd=root)
            subscriptions.change(
                root, lambda names: [new + one[len(wire) :] if _is_in(one, wire) else one for one in names]
            )
        return new

    def delete(self, folder: str) -> None:
        """See the port. It gets a name first by which no program knows it."""
        wire = self.wire(self.find(folder).id)
        if wire == INBOX:
            raise NotPermitted("The inbox stays.")
        gone = f"..gone-{token_hex(8)}"
        with opened(self._root) as root:
            if any(other != wire and _is_in(other, wire) for other in _wires(root)):
                raise AlreadyExists("The folder has folders in it: they go first.")
            os.rename(directory(wire), gone, src_dir_fd=root, dst_dir_fd=root)
            shutil.rmtree(gone, dir_fd=root)
            subscriptions.change(root, lambda names: _subscribed(names, wire, False))

    def _new(self, name: str, parent: str | None, but: bytes | None = None) -> bytes:
        """The stored name of a folder that is to be. InvalidRequest, AlreadyExists."""
        above = self.wire(parent) if parent else None
        wire = _joined(above, _step(name))
        if len(wire) >= LONGEST:
            raise InvalidRequest("The name is too long.")
        if _folded(wire) in [_folded(one) for one in self._there().wires if one != but]:
            raise AlreadyExists
        return wire


def path_of(wire: bytes) -> tuple[str, ...]:
    """For people."""
    return tuple(decode_name(step) for step in wire.split(b"."))


def _folded(wire: bytes) -> list[str]:
    return [step.casefold() for step in path_of(wire)]


def _wires(root: int) -> Iterable[bytes]:
    """Of all folders there are."""
    with os.scandir(root) as found:
        for each in found:
            wire = os.fsencode(each.name)[1:]
            is_one = each.name.startswith(".") and all(wire.split(b".")) and wire.upper() != INBOX
            if is_one and each.is_dir(follow_symlinks=False):
                yield wire


def _above(wire: bytes) -> Iterable[bytes]:
    steps = wire.split(b".")
    return (b".".join(steps[:count]) for count in range(1, len(steps)))


def _parent(wire: bytes) -> bytes | None:
    return wire.rpartition(b".")[0] or None


def _joined(above: bytes | None, step: bytes) -> bytes:
    return above + b"." + step if above else step


def _is_in(wire: bytes, above: bytes) -> bool:
    return wire == above or wire.startswith(above + b".")


def _step(name: str) -> bytes:
    """One step of a stored name."""
    if not name or name != name.strip() or not name.isprintable() or "/" in name or "." in name or len(name) > LONGEST:
        raise InvalidRequest("A folder's name has no slash, dot or control character, and no space at its ends.")
    try:
        return encode_name(unicodedata.normalize("NFC", name))
    except UnicodeEncodeError:
        raise InvalidRequest("The name cannot be stored.") from None


def _subscribed(names: "list[bytes]", wire: bytes, is_wanted: bool) -> "list[bytes]":
    return [*(name for name in names if name != wire), *([wire] if is_wanted else [])]
