"""Sync tokens: each holds the file names of the folders at a moment, or refers to names that this process remembers."""

import json
import zlib
from collections.abc import Mapping
from hashlib import blake2s
from threading import Lock

from cachetools import FIFOCache

from service.adapters.maildir.disk.snapshot import Snapshot
from service.mail.errors import StaleToken

MAX_OCTETS = 5000
"""As long as a token may be to fit into a request line that proxies allow."""
MAX_UNPACKED = 1 << 20
MAX_REMEMBERED = 4
_REMEMBERED = b"\0"
"""The first octet of a token that refers to remembered names."""
Letters = Mapping[str, str]
"""The flag letters of a folder's messages, by the unique part of their names."""
FolderStates = Mapping[bytes, Letters]
"""The same by the folder's stored name."""


def letters_of(snapshot: Snapshot) -> Letters:
    """What a token holds of a folder."""
    return {entry.unique: entry.letters for entry in snapshot.entries.values()}


class SyncStates:
    """Writes and reads the tokens of one mailbox. If the names are too many for a token, the process remembers those of
    the last few tokens; any older one is stale."""

    def __init__(self) -> None:
        self._remembered: FIFOCache[bytes, bytes] = FIFOCache(MAX_REMEMBERED)
        self._lock = Lock()

    def write(self, states: FolderStates) -> bytes:
        """Returns the token of these states."""
        names = {stored.decode("latin-1"): letters for stored, letters in states.items()}
        octets = zlib.compress(json.dumps(names, separators=(",", ":")).encode())
        if len(octets) <= MAX_OCTETS:
            return octets
        token = _REMEMBERED + blake2s(octets, digest_size=16).digest()
        with self._lock:
            self._remembered[token] = octets
        return token

    def read(self, token: bytes) -> FolderStates:
        """Raises StaleToken if the token is invalid, or no longer remembered."""
        if not token.startswith(_REMEMBERED):
            return _unpack(token, MAX_UNPACKED)
        with self._lock:
            octets = self._remembered.get(token)
        if octets is None:
            raise StaleToken("The folder has too many messages for a token that lasts. List it again.")
        return _unpack(octets, 0)


def _unpack(octets: bytes, limit: int) -> FolderStates:
    """``limit`` 0 means none."""
    decompressor = zlib.decompressobj()
    try:
        names = json.loads(decompressor.decompress(octets, limit))
        if not decompressor.eof or not all(isinstance(letters, dict) for letters in names.values()):
            raise StaleToken
        return {name.encode("latin-1"): letters for name, letters in names.items()}
    except (zlib.error, ValueError, AttributeError):
        raise StaleToken from None
