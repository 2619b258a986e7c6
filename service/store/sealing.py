"""Seals what is written into the store, by ``service.sealing``, and makes names of what it is looked up by."""

import json
from collections.abc import Sequence
from hashlib import blake2b, sha256

from service.sealing import KEY, Ciphers, Unreadable

__all__ = ["KEY", "Seal", "Unreadable", "pack", "unpack"]
_HEAD = 4
"""Octets of the length of a head."""


class Seal(Ciphers):
    """Seals, opens, and makes names that can be looked up but not read."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        super().__init__(keys, b"casella store")
        self._digest_keys = [sha256(b"casella store names\0" + key).digest() for key in keys]

    def names(self, *parts: str) -> list[str]:
        """The name under each of the keys. What is written has the first one."""
        text = "\0".join(parts).encode(errors="surrogatepass")
        return [blake2b(text, key=key, digest_size=20).hexdigest() for key in self._digest_keys]

    def name(self, *parts: str) -> str:
        return self.names(*parts)[0]


def pack(head: Sequence[str | None], content: bytes) -> bytes:
    """Content together with the texts that its names are made of, so that they can be made again with another key."""
    octets = json.dumps(head).encode()
    return len(octets).to_bytes(_HEAD, "big") + octets + content


def unpack(octets: bytes) -> tuple[list[str | None], bytes]:
    """The head, and the content."""
    end = _HEAD + int.from_bytes(octets[:_HEAD], "big")
    return json.loads(octets[_HEAD:end]), octets[end:]
