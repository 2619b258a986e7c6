"""Seals what is written: without one of the keys, a stolen database opens nothing.

AES-256-GCM, by a key derived from each of `secret_keys`. The first seals and all open. The place of a value is
authenticated with it, so that it opens in its own row only.
"""

import json
from collections.abc import Sequence
from hashlib import blake2b, sha256
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VECTOR = 12
KEY = 4
"""Octets at the beginning that name the key."""
_HEAD = 4
"""Octets of the length of a head."""


class Unreadable(Exception):
    """None of the keys opens it."""


class Seal:
    """Seals, opens, and makes names that can be looked up but not read."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_id(key): AESGCM(sha256(b"casella store\0" + key).digest()) for key in keys}
        self._digest_keys = [sha256(b"casella store names\0" + key).digest() for key in keys]
        self._first = _id(keys[0])

    @property
    def key(self) -> bytes:
        """What begins all that the present key seals."""
        return self._first

    def seal(self, octets: bytes, place: str) -> bytes:
        """``place`` is where the result will be stored."""
        vector = urandom(_VECTOR)
        return self._first + vector + self._ciphers[self._first].encrypt(vector, octets, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Raises Unreadable."""
        cipher = self._ciphers.get(bytes(sealed[:KEY]))
        if cipher is None:
            raise Unreadable
        try:
            return cipher.decrypt(sealed[KEY : KEY + _VECTOR], sealed[KEY + _VECTOR :], place.encode())
        except (InvalidTag, ValueError):  # changed, or too short
            raise Unreadable from None

    def names(self, *parts: str) -> list[str]:
        """The name under each of the keys. What is written has the first one."""
        text = "\0".join(parts).encode(errors="surrogatepass")
        return [blake2b(text, key=key, digest_size=20).hexdigest() for key in self._digest_keys]

    def name(self, *parts: str) -> str:
        return self.names(*parts)[0]


def _id(key: bytes) -> bytes:
    """Distinguishes keys and reveals nothing about them."""
    return sha256(b"casella store key id\0" + key).digest()[:KEY]


def pack(head: Sequence[str | None], content: bytes) -> bytes:
    """Content together with the texts that its names are made of, so that they can be made again with another key."""
    octets = json.dumps(head).encode()
    return len(octets).to_bytes(_HEAD, "big") + octets + content


def unpack(octets: bytes) -> tuple[list[str | None], bytes]:
    """The head, and the content."""
    end = _HEAD + int.from_bytes(octets[:_HEAD], "big")
    return json.loads(octets[_HEAD:end]), octets[end:]
