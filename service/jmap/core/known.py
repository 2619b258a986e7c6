"""States that say by themselves which records there were: nothing has to be stored to compare them with those of
now."""

import json
import zlib
from collections.abc import Mapping
from hashlib import blake2s
from typing import Any

from service.mail.errors import StaleToken

MAX_STATE = 5000


def write_known(kind: bytes, known: Mapping[str, Any]) -> bytes:
    """A state of what is known of each record, by id. ``kind`` begins it. Of very many records only a digest."""
    text = json.dumps(known, separators=(",", ":"), sort_keys=True).encode()
    packed = zlib.compress(text, 9)
    return kind + (packed if len(packed) <= MAX_STATE else blake2s(text, digest_size=16).digest())


def read_known(kind: bytes, state: bytes) -> dict[str, Any]:
    """Raises StaleToken for a state of another kind, and for a digest."""
    if not state.startswith(kind):
        raise StaleToken("This is a state of other records.")
    try:
        known: dict[str, Any] = json.loads(zlib.decompress(state[len(kind) :]))
    except (zlib.error, ValueError):
        raise StaleToken("There were too many records to say what changed.") from None
    return known
