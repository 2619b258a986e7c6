"""States that clients keep, such as those of JMAP: readable, but only the service can make one. The same state is the
same text each time, so that clients can compare them: what ``tokens`` seals is not."""

from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest

from service.mail import base64url
from service.mail.errors import StaleToken

MAX_STATE = 16 << 10
OCTETS = 12
"""Of a signature."""
_PERSON = b"casella state"


class States:
    """Signs and opens states. The first key signs, all open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(blake2b(key, digest_size=32, person=_PERSON).digest() for key in keys)

    def sign(self, account: str, state: bytes) -> str:
        """Returns the state as text."""
        return base64url.write(_signature(self._keys[0], account, state) + state)

    def open(self, account: str, text: str) -> bytes:
        """Returns the state. Raises StaleToken unless one of the keys signed it for this account."""
        try:
            octets = base64url.read(text) if len(text) <= MAX_STATE else b""
        except ValueError:
            octets = b""
        signature, state = octets[:OCTETS], octets[OCTETS:]
        if not any(compare_digest(signature, _signature(key, account, state)) for key in self._keys):
            raise StaleToken("This state belongs to another account, or its key is no longer in use.")
        return state


def _signature(key: bytes, account: str, state: bytes) -> bytes:
    return blake2b(account.encode() + b"\0" + state, key=key, digest_size=OCTETS, person=_PERSON).digest()
