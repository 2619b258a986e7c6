"""The keys by which push services know this service (RFC 8292).

A browser binds each subscription to the key that it was made with. So the first key signs for new subscriptions, and
the others go on signing for those that they were given to: a rotation silences no device.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256, sha512

from cachetools import TTLCache
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from service.mail import base64url
from service.push.origins import origin_of

KEY_OCTETS = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: private keys are the numbers from 1 to below it."""
SIGNED_SECONDS = 12 * 3600
"""How long a signature is used. It is valid for an hour more, and at most 24 hours are allowed (RFC 8292, 2)."""
_ORIGINS = 2000


@dataclass(frozen=True, slots=True)
class VapidKey:
    """A key, with the id by which subscriptions name it."""

    id: str
    public: bytes
    """The point, uncompressed: what browsers call the application server key."""
    signing: ECKey = field(repr=False)

    @property
    def public_text(self) -> str:
        """As base64url."""
        return base64url.write(self.public)


class VapidKeys:
    """The keys, the one for new subscriptions first. ``subject`` is where a push service finds the operator."""

    def __init__(self, keys: Iterable[bytes], subject: str | None = None) -> None:
        made = [_key(key) for key in keys]
        self.current = made[0]
        self._keys = {key.id: key for key in reversed(made)}
        self._subject = subject
        self._signed: TTLCache[tuple[str, str], str] = TTLCache(_ORIGINS, SIGNED_SECONDS)

    def __contains__(self, id: str) -> bool:  # noqa: A002 - what it is
        return id in self._keys

    def authorization(self, id: str, endpoint: str) -> str:  # noqa: A002
        """The header field of a push to this endpoint, signed once for each origin. Raises KeyError if the key is no
        longer in use."""
        key, origin = self._keys[id], origin_of(endpoint)
        token = self._signed.get((id, origin))
        if token is None:
            token = self._signed[id, origin] = self._sign(key, origin)
        return f"vapid t={token}, k={key.public_text}"

    def _sign(self, key: VapidKey, audience: str) -> str:
        claims = {"aud": audience, "exp": int(time.time()) + SIGNED_SECONDS + 3600}
        if self._subject:
            claims["sub"] = self._subject
        return jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, key.signing)


def derived(secret: bytes) -> bytes:
    """A key that all replicas with the same secret have."""
    number = int.from_bytes(sha512(b"casella vapid\0" + secret).digest()) % (_ORDER - 1) + 1
    return number.to_bytes(KEY_OCTETS)


def _key(private: bytes) -> VapidKey:
    key = ec.derive_private_key(int.from_bytes(private), ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return VapidKey(base64url.write(sha256(public).digest()[:6]), public, ECKey(key, key))
