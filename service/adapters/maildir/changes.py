"""What came, what went and what has other flags, by comparing the names of files."""

import json
import zlib
from collections.abc import Mapping
from hashlib import blake2s
from threading import Lock

from cachetools import FIFOCache

from service.adapters.maildir.folder import Snapshot
from service.mail.errors import StaleToken

MAX_OCTETS = 5000
"""As much as fits into a request line that proxies allow."""
MAX_UNPACKED = 1 << 20
KEPT = 4
_TOO_MANY = b"\0"
"""What a mark of more messages than a token can name begins with."""
Letters = Mapping[str, str]
"""Flags as letters, by what is unique in names."""
Told = Mapping[bytes, Letters]
"""The same by folder."""


def letters_of(snapshot: Snapshot) -> Letters:
    """What a mark remembers of a folder."""
    return {entry.unique: entry.letters for entry in snapshot.entries.values()}


class Marks:
    """Of one mailbox. A mark holds all names; where those are too many for a token, this process remembers what the
    last few marks stand for, and any other one is stale."""

    def __init__(self) -> None:
        self._kept: FIFOCache[bytes, bytes] = FIFOCache(KEPT)
        self._lock = Lock()

    def write(self, told: Told) -> bytes:
        """The mark of folders as they are."""
        names = {wire.decode("latin-1"): letters for wire, letters in told.items()}
        octets = zlib.compress(json.dumps(names, separators=(",", ":")).encode())
        if len(octets) <= MAX_OCTETS:
            return octets
        mark = _TOO_MANY + blake2s(octets, digest_size=16).digest()
        with self._lock:
            self._kept[mark] = octets
        return mark

    def read(self, mark: bytes) -> Told:
        """StaleToken for what is no mark, or not remembered."""
        if not mark.startswith(_TOO_MANY):
            return _read(mark, MAX_UNPACKED)
        with self._lock:
            octets = self._kept.get(mark)
        if octets is None:
            raise StaleToken("There are more messages than a token can name. List again.")
        return _read(octets, 0)


def _read(octets: bytes, limit: int) -> Told:
    """``limit`` 0 is none."""
    work = zlib.decompressobj()
    try:
        told = json.loads(work.decompress(octets, limit))
        if not work.eof or not all(isinstance(letters, dict) for letters in told.values()):
            raise StaleToken
        return {name.encode("latin-1"): letters for name, letters in told.items()}
    except (zlib.error, ValueError, AttributeError):
        raise StaleToken from None
