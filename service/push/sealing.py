"""Subscriptions as octets, and sealed under the service's keys: without a key they reveal nothing.

The first key seals and all keys open, so keys rotate without ending any subscription.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from service.push.model import Subscription

_PERSON = b"casella push"
_ID_OCTETS, _NONCE_OCTETS, _TAG_OCTETS = 4, 12, 16
MAX_OCTETS = 64 << 10
"""Of what is sealed."""


@checked(frozen=True, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
class Note:
    """The subscriptions of an account."""

    account: str
    subscriptions: tuple[Subscription, ...]


_NOTE = TypeAdapter(Note)


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM


class Seals:
    """Seals and opens notes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        made = [_key(key) for key in keys]
        self._sealing = made[0]
        self._keys = {key.id: key for key in made}

    def seal(self, note: Note) -> str:
        """As base64url. Defaults are left out, and it is compressed: mail servers limit the size."""
        octets = zlib.compress(_NOTE.dump_json(note, exclude_defaults=True), 9)
        nonce = token_bytes(_NONCE_OCTETS)
        key = self._sealing
        return urlsafe_b64encode(key.id + nonce + key.cipher.encrypt(nonce, octets, _PERSON)).rstrip(b"=").decode()

    def open(self, text: str) -> Note | None:
        """None if none of the keys sealed it. Takes 0.1 ms."""
        try:
            octets = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Error, UnicodeEncodeError, ValueError):
            return None
        key = self._keys.get(octets[:_ID_OCTETS])
        if key is None or len(octets) < _ID_OCTETS + _NONCE_OCTETS + _TAG_OCTETS:
            return None
        nonce, sealed = octets[_ID_OCTETS:][:_NONCE_OCTETS], octets[_ID_OCTETS + _NONCE_OCTETS :]
        try:
            return _NOTE.validate_json(
                zlib.decompressobj().decompress(key.cipher.decrypt(nonce, sealed, _PERSON), MAX_OCTETS)
            )
        except (InvalidTag, zlib.error, ValidationError):
            return None


def _key(secret: bytes) -> _Key:
    made = blake2b(secret, digest_size=32, person=_PERSON).digest()
    return _Key(blake2b(made, digest_size=_ID_OCTETS, person=b"casella push id").digest(), AESGCM(made))
