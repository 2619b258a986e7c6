"""What came, what went and what has other flags, by comparing the names of files."""

import json
import zlib
from collections.abc import Mapping

from service.adapters.maildir.box import Box, Snapshot
from service.mail.errors import StaleToken

MAX_OCTETS = 5000
"""As much as fits into a request line that proxies allow."""
MAX_UNPACKED = 1 << 20
_TOO_MANY = b"\0"
"""A mark of more messages than a token can name."""
Letters = dict[str, str]
"""Flags as letters, by what is unique in names."""


def letters_of(snapshot: Snapshot) -> Letters:
    """What a mark remembers of a folder."""
    return {entry.unique: entry.letters for entry in snapshot.entries.values()}


def write_mark(folders: Mapping[Box, Letters]) -> bytes:
    """All names."""
    told = {box.wire.decode("latin-1"): letters for box, letters in folders.items()}
    octets = zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 9)
    return octets if len(octets) <= MAX_OCTETS else _TOO_MANY


def read_mark(octets: bytes) -> dict[bytes, Letters]:
    """By folder. StaleToken for a mark of too many messages, and for what is none."""
    if octets == _TOO_MANY:
        raise StaleToken("There are more messages than a token can name. List again.")
    work = zlib.decompressobj()
    try:
        told = json.loads(work.decompress(octets, MAX_UNPACKED))
        if not work.eof or not all(isinstance(letters, dict) for letters in told.values()):
            raise StaleToken
        return {name.encode("latin-1"): letters for name, letters in told.items()}
    except (zlib.error, ValueError, AttributeError):
        raise StaleToken from None
