"""The folders that the user wants to see: the file ``subscriptions``, as Dovecot writes it."""

from collections.abc import Callable
from functools import partial

from service.adapters.maildir.disk import files as disk

FILE = "subscriptions"
LOCK = "subscriptions.lock"
_VERSION_2 = b"V\t2\n\n"
"""In a file that begins with it, tabs separate the steps of a name; otherwise dots do."""
_Names = list[bytes]


def read(root: int) -> frozenset[bytes]:
    """The stored names of the subscribed folders."""
    return frozenset(_parse(disk.read_small(root, FILE)))


def add(root: int, name: bytes) -> None:
    """Subscribes to a folder. Raises InUse if another program keeps the file locked, as the others here."""
    _change(root, partial(_with, name))


def remove(root: int, name: bytes) -> None:
    """Removes the subscription of a folder."""
    _change(root, partial(_without, name))


def rename(root: int, old: bytes, new: bytes) -> None:
    """Renames a folder and all folders in it."""
    _change(root, partial(_renamed, old, new))


def _with(name: bytes, names: _Names) -> _Names:
    return [*_without(name, names), name]


def _without(name: bytes, names: _Names) -> _Names:
    return [other for other in names if other != name]


def _renamed(old: bytes, new: bytes, names: _Names) -> _Names:
    return [new + name[len(old) :] if name == old or name.startswith(old + b".") else name for name in names]


def _change(root: int, change: Callable[[_Names], _Names]) -> None:
    disk.rewrite(root, FILE, partial(_rewritten, change), LOCK)


def _rewritten(change: Callable[[_Names], _Names], octets: bytes) -> bytes:
    names = dict.fromkeys(change(_parse(octets)))
    return _VERSION_2 + b"".join(name.replace(b".", b"\t") + b"\n" for name in names)


def _parse(octets: bytes) -> _Names:
    lines = octets.removeprefix(_VERSION_2).split(b"\n")
    return list(dict.fromkeys(line.replace(b"\t", b".") for line in lines if line))
