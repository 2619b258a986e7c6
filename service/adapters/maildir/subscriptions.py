"""Which folders the user chose to see: the file ``subscriptions``, as Dovecot writes it."""

from collections.abc import Callable

from service.adapters.maildir import disk

FILE = "subscriptions"
LOCK = "subscriptions.lock"
_VERSION_2 = b"V\t2\n\n"
"""After it each name's steps have a tab between; without it, a dot."""


def read(root: int) -> frozenset[bytes]:
    """Names as they are stored."""
    return frozenset(_names(disk.read_small(root, FILE)))


def change(root: int, wanted: Callable[[list[bytes]], list[bytes]]) -> None:
    """Write the list that ``wanted`` makes of the one there is."""

    def rewrite(octets: bytes) -> bytes:
        names = dict.fromkeys(wanted(list(_names(octets))))
        return _VERSION_2 + b"".join(name.replace(b".", b"\t") + b"\n" for name in names)

    disk.rewrite(root, FILE, rewrite, LOCK)


def _names(octets: bytes) -> dict[bytes, None]:
    lines = octets.removeprefix(_VERSION_2).split(b"\n")
    return dict.fromkeys(line.replace(b"\t", b".") for line in lines if line)
