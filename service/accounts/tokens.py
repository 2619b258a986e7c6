"""Sign-in: credentials sealed into a bearer token, and back. Nothing is stored.

A token is a compact JWE (RFC 7516; direct key, AES-256-GCM): who has no key can neither read nor change it. The first
key seals, all of them open, so keys rotate without signing anybody out.
"""

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from secrets import token_hex
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.util import urlsafe_b64decode

from service.accounts.live import Credentials, SecretKind
from service.accounts.revocation import TokenId
from service.mail.errors import StaleToken, Unauthenticated
from service.mail.model import Protocol

MAX_TOKEN = 16 << 10
TICKET_SECONDS = 600
KEPT = 1024
"""Tokens whose claims stay in memory."""
_ALGORITHMS = ["dir", "A256GCM"]
_INVALID = "This token is not valid here, or no longer. Sign in again with POST /v1/sessions."


class Sessions:
    """Seals and opens tokens. ``lifetime`` is in seconds."""

    def __init__(self, keys: Sequence[bytes], lifetime: int) -> None:
        self._keys = {_key_id(key): OctKey.import_key(key) for key in keys}
        self._sealing = _key_id(keys[0])
        self.lifetime = lifetime
        # Clients send the same token with every request, and opening one costs more than all else that sign-in does.
        self._claims_of = lru_cache(maxsize=KEPT)(self._read_claims)

    def seal(self, credentials: Credentials, now: float | None = None) -> tuple[str, int]:
        """The token, and when it expires in seconds since the epoch."""
        expires = int(time.time() if now is None else now) + self.lifetime
        return self._seal({**_claims(credentials, expires), "jti": token_hex(16)}), expires

    def seal_ticket(
        self, credentials: Credentials, message: str, part: str, now: float | None = None, of: TokenId | None = None
    ) -> str:
        """A permission to read one part of one message for ``TICKET_SECONDS``; it opens nothing else. It ends with the
        session token it was asked for with, if there was one."""
        expires = int(time.time() if now is None else now) + TICKET_SECONDS
        session = {"sid": of.value} if of else {}
        claims = _claims(credentials, min(expires, of.expires) if of else expires)
        return self._seal({**claims, "for": _purpose(message, part), **session})

    def seal_mark(self, account: str, place: str, mark: bytes) -> str:
        """A mark that travels with a client, for one account and one place in it. It does not expire: what is too old
        is said by who reads the mark."""
        return self._encrypt(_mark_head(account, place) + mark)

    def open_mark(self, account: str, place: str, token: str) -> bytes:
        """StaleToken for what was not sealed for this account and place by one of the keys."""
        head = _mark_head(account, place)
        try:
            octets = self._decrypt(token) if len(token) <= MAX_TOKEN else b""
        except (JoseError, ValueError, KeyError, TypeError):
            octets = b""
        if not octets.startswith(head):
            raise StaleToken("This token is of another list, or of a key that is no longer known. List again.")
        return octets[len(head) :]

    def _seal(self, claims: dict[str, str | int]) -> str:
        return self._encrypt(json.dumps(claims).encode())

    def _encrypt(self, octets: bytes) -> str:
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._sealing}
        return jwe.encrypt_compact(header, octets, self._keys[self._sealing], algorithms=_ALGORITHMS)

    def open(self, token: str, now: float | None = None) -> Credentials:
        """Unauthenticated for anything that was not sealed by one of the keys, or has expired."""
        return self._open(token, None, now)

    def open_ticket(self, ticket: str, message: str, part: str, now: float | None = None) -> Credentials:
        """Unauthenticated for anything but an unexpired ticket for this part."""
        return self._open(ticket, _purpose(message, part), now)

    def session_of(self, token: str) -> TokenId | None:
        """What an opened session token is called; of a ticket, the session token it was asked for with, or None."""
        claims = self._claims_of(token)
        name = claims.get("sid" if "for" in claims else "jti")
        return TokenId(name, claims["exp"]) if name else None

    def _open(self, token: str, purpose: str | None, now: float | None) -> Credentials:
        if len(token) > MAX_TOKEN:
            raise Unauthenticated(_INVALID)
        try:
            claims = self._claims_of(token)
            if claims.get("for") != purpose:
                raise Unauthenticated(_INVALID)
            if claims["exp"] <= (time.time() if now is None else now):
                raise Unauthenticated("This token has expired. Sign in again with POST /v1/sessions.")
            return Credentials(claims["v"], Protocol(claims["p"]), claims["u"], claims["s"], SecretKind(claims["k"]))
        except (JoseError, ValueError, KeyError, TypeError):
            raise Unauthenticated(_INVALID) from None

    def _read_claims(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = json.loads(self._decrypt(token))
        return {"jti": _nonce(token), **claims}

    def _decrypt(self, token: str) -> bytes:
        return jwe.decrypt_compact(token, self._key, algorithms=_ALGORITHMS).plaintext or b""

    def _key(self, sealed: Any) -> OctKey:
        headers = sealed.headers()
        key = self._keys.get(headers.get("kid", ""))
        if key is None or headers.get("alg") != "dir":
            raise ValueError("sealed by a key that is not ours")
        return key


def _claims(credentials: Credentials, expires: int) -> dict[str, str | int]:
    return {
        "v": credentials.server,
        "p": credentials.protocol,
        "u": credentials.username,
        "s": credentials.secret,
        "k": credentials.kind,
        "exp": expires,
    }


def _nonce(token: str) -> str:
    """The initialization vector, no two are equal: the name of tokens from before they had one among their claims."""
    return urlsafe_b64decode(token.split(".")[2].encode()).hex()


def _mark_head(account: str, place: str) -> bytes:
    """No JSON, so that a mark never passes for claims."""
    return b"mark\0%b\0%b\0" % (account.encode(), place.encode())


def _purpose(message: str, part: str) -> str:
    return f"{message}/{part}"


def _key_id(key: bytes) -> str:
    """Tells keys apart and nothing about them."""
    return sha256(b"casella key id\0" + key).hexdigest()[:8]
