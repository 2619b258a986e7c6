"""Pushes: what they say, the signatures of webhooks, and the keys of a device that has no push service of its own."""

import hmac
import json
import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from secrets import token_bytes
from typing import Any, NamedTuple

from casella_client.models import SubscriptionKeys

TOLERANCE = 300
"""How many seconds a webhook may be old."""


class Verification(NamedTuple):
    """The first push. Keep it: it renews the subscription, too."""

    id: str
    code: str


class Push(NamedTuple):
    """What a push says: that an account has changed, or that the device should be verified."""

    account: str | None = None
    token: str | None = None
    folders: tuple[str, ...] = ()
    at: str | None = None
    sender: str | None = None
    """With ``alert``: who wrote. In the JSON it is ``from``."""
    subject: str | None = None
    sign_in_again: bool = False
    verification: Verification | None = None


def read_push(octets: bytes | str) -> Push:
    """A push as the platform gives it, or the member ``casella`` of FCM and APNs. Raises ValueError if it is none."""
    said = json.loads(octets)
    if not isinstance(said, dict):
        raise ValueError("this is no push")
    verification: Any = said.get("verification")
    return Push(
        said.get("account"),
        said.get("token"),
        tuple(said.get("folders", ())),
        said.get("at"),
        said.get("from"),
        said.get("subject"),
        bool(said.get("signInAgain", False)),
        Verification(verification["id"], verification["code"]) if verification else None,
    )


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None) -> Push:
    """The push in a request to a back end. Raises ValueError unless it was signed with the secret of the subscription
    within ``TOLERANCE`` seconds."""
    given = {name.lower(): value for name, value in headers.items()}
    name, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    age = abs((time.time() if now is None else now) - int(stamp)) if stamp.isdecimal() else TOLERANCE + 1
    key = b64decode(secret.removeprefix("whsec_"))
    right = b64encode(hmac.digest(key, b".".join((name.encode(), stamp.encode(), body)), "sha256"))
    signed = [each.removeprefix("v1,") for each in given.get("webhook-signature", "").split() if each.startswith("v1,")]
    if age > TOLERANCE or not any(hmac.compare_digest(right, each.encode()) for each in signed):
        raise ValueError("this webhook is not signed, or too old")
    return read_push(body)


class PushKeys:
    """The keys of a device (RFC 8291). Needs the package ``cryptography``. Store ``export()``: ``PushKeys(text)`` has
    the same keys again."""

    def __init__(self, exported: str | None = None) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - few need it

        curve = ec.SECP256R1()
        if exported is None:
            self._key, self._auth = ec.generate_private_key(curve), token_bytes(16)
        else:
            private, _, self._auth = map(_octets, exported.split("."))
            self._key = ec.derive_private_key(int.from_bytes(private), curve)

    @property
    def keys(self) -> SubscriptionKeys:
        """For ``create_subscription``."""
        return SubscriptionKeys(p256dh=_text(self._point), auth=_text(self._auth))

    def export(self) -> str:
        """A secret."""
        private = self._key.private_numbers().private_value.to_bytes(32)
        return ".".join(map(_text, (private, self._point, self._auth)))

    def decrypt(self, body: bytes) -> Push:
        """The push in the body of a request (aes128gcm). Raises ValueError if it is for another device."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        salt, size = body[:16], body[20] if len(body) > 20 else 0
        sender, sealed = body[21 : 21 + size], body[21 + size :]
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._key.curve, sender))
        secret = _derive(shared, self._auth, b"WebPush: info\0" + self._point + sender, 32)
        key = _derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
        try:
            opened = AESGCM(key).decrypt(_derive(secret, salt, b"Content-Encoding: nonce\0", 12), sealed, None)
        except InvalidTag:
            raise ValueError("this push is for another device") from None
        return read_push(opened.rstrip(b"\0").removesuffix(b"\2"))

    @property
    def _point(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        return b"\4" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)


def _derive(secret: bytes, salt: bytes, info: bytes, octets: int) -> bytes:
    """HKDF (RFC 5869) of at most 32 octets."""
    return hmac.digest(hmac.digest(salt, secret, "sha256"), info + b"\1", "sha256")[:octets]


def _octets(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
