"""Subscriptions as texts, sealed under the service's keys: keys rotate without ending any subscription."""

import zlib
from collections.abc import Sequence

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from service.mail import base64url
from service.push.model import Subscription
from service.sealing import Ciphers, Unreadable

_PURPOSE = "casella push"
MAX_OCTETS = 1 << 20
"""Of what is sealed: more than the largest subscriptions that an account may have."""


@checked(frozen=True, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
class Note:
    """The subscriptions of an account."""

    account: str
    subscriptions: tuple[Subscription, ...]


_NOTE = TypeAdapter(Note)


class Seals:
    """Seals and opens notes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = Ciphers(keys, _PURPOSE.encode())

    def seal(self, note: Note) -> str:
        """As base64url. Defaults are left out, and it is compressed: mail servers limit the size."""
        octets = zlib.compress(_NOTE.dump_json(note, exclude_defaults=True), 9)
        return base64url.write(self._ciphers.seal(octets, _PURPOSE))

    def open(self, text: str) -> Note | None:
        """None if none of the keys sealed it. Takes 0.1 ms."""
        try:
            octets = self._ciphers.open(base64url.read(text), _PURPOSE)
            return _NOTE.validate_json(zlib.decompressobj().decompress(octets, MAX_OCTETS))
        except (ValueError, Unreadable, zlib.error):
            return None
