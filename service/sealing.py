"""Seals what is kept outside of this process: without one of the service's keys it opens nothing.

AES-256-GCM, by a key derived from each of `secret_keys` for one purpose. The first seals and all open. The place of a
value is authenticated with it, so that it opens in its own place only.
"""

from collections.abc import Sequence
from hashlib import sha256
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = 4
"""Octets at the beginning that name the key."""
_VECTOR = 12


class Unreadable(Exception):
    """None of the keys opens it."""


class Ciphers:
    """Seals and opens. ``purpose`` keeps what is sealed for one thing apart from all else."""

    def __init__(self, keys: Sequence[bytes], purpose: bytes) -> None:
        def name(key: bytes) -> bytes:  # distinguishes keys and reveals nothing about them
            return sha256(purpose + b" key id\0" + key).digest()[:KEY]

        self._ciphers = {name(key): AESGCM(sha256(purpose + b"\0" + key).digest()) for key in keys}
        self._first = name(keys[0])

    @property
    def key(self) -> bytes:
        """What begins all that the present key seals."""
        return self._first

    def seal(self, octets: bytes, place: str) -> bytes:
        """``place`` is where the result will be kept."""
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
