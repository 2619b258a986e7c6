"""Session tokens: credentials sealed into a bearer token, and back. Nothing is stored.

A token is a compact JWE (RFC 7516; direct key, AES-256-GCM): without a key it can neither be read nor changed. The
first key seals and all keys open, so keys rotate without ending any session.
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

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.revocation import TokenId
from service.mail.errors import StaleToken, Unauthenticated
from service.mail.model import Protocol

MAX_TOKEN = 16 << 10
PART_LINK_SECONDS = 600
KEPT = 1024
"""How many tokens keep their claims in memory."""
KEPT_STATES = 64
"""Sync tokens; each has up to 16 KiB."""
_ALGORITHMS = ["dir", "A256GCM"]
_INVALID = "This token is not valid here, or no longer. Sign in again with POST /v1/sessions."


class Sessions:
    """Seals and opens tokens. ``lifetime`` is in seconds."""

    def __init__(self, keys: Sequence[bytes], lifetime: int) -> None:
        self._keys = {_key_id(key): OctKey.import_key(key) for key in keys}
        self._sealing = _key_id(keys[0])
        self.lifetime = lifetime
        # Clients send the same token with every request, and decryption is the most expensive step of sign-in.
        self._claims_of = lru_cache(maxsize=KEPT)(self._read_claims)
        self._sync_token_of = lru_cache(maxsize=KEPT_STATES)(self._encrypt)

    def seal(self, credentials: Credentials, now: float | None = None) -> tuple[str, int]:
        """Returns the token, and when it expires, in seconds since the epoch."""
        expires = int(time.time() if now is None else now) + self.lifetime
        return self._seal({**_claims(credentials, expires), "jti": token_hex(16)}), expires

    def seal_part_link(
        self, credentials: Credentials, message: str, part: str, now: float | None = None, of: TokenId | None = None
    ) -> str:
        """Returns a token that may read one part of one message for ``PART_LINK_SECONDS``, and nothing else. It ends
        with the session that asked for it, ``of``, if there is one."""
        expires = int(time.time() if now is None else now) + PART_LINK_SECONDS
        session = {"sid": of.value} if of else {}
        claims = _claims(credentials, min(expires, of.expires) if of else expires)
        return self._seal({**claims, "for": _purpose(message, part), **session})

    def seal_sync_token(self, account: str, scope: str, state: bytes) -> str:
        """Returns ``state`` as a sync token, for one account and one scope in it. It does not expire: the reader of the
        state decides whether it is too old. Listeners to the same news get the same token."""
        return self._sync_token_of(_sync_token_head(account, scope) + state)

    def open_sync_token(self, account: str, scope: str, token: str) -> bytes:
        """Returns the state. Raises StaleToken unless one of the keys sealed it for this account and scope."""
        head = _sync_token_head(account, scope)
        try:
            octets = self._decrypt(token) if len(token) <= MAX_TOKEN else b""
        except (JoseError, ValueError, KeyError, TypeError):
            octets = b""
        if not octets.startswith(head):
            raise StaleToken("This token belongs to another list, or its key is no longer in use. List again.")
        return octets[len(head) :]

    def _seal(self, claims: dict[str, str | int]) -> str:
        return self._encrypt(json.dumps(claims).encode())

    def _encrypt(self, octets: bytes) -> str:
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._sealing}
        return jwe.encrypt_compact(header, octets, self._keys[self._sealing], algorithms=_ALGORITHMS)

    def open(self, token: str, now: float | None = None) -> Credentials:
        """Returns the credentials. Raises Unauthenticated unless one of the keys sealed it and it is unexpired."""
        return self._open(token, None, now)

    def open_part_link(self, token: str, message: str, part: str, now: float | None = None) -> Credentials:
        """Returns the credentials. Raises Unauthenticated unless this is an unexpired link to this part."""
        return self._open(token, _purpose(message, part), now)

    def session_of(self, token: str) -> TokenId | None:
        """The id of an opened session token; for a part link, of the session that asked for it, or None."""
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
            raise ValueError("sealed by an unknown key")
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
    """The initialization vector, which is unique: the id of tokens that were made before ids were among the claims."""
    return urlsafe_b64decode(token.split(".")[2].encode()).hex()


def _sync_token_head(account: str, scope: str) -> bytes:
    """Not JSON, so that a sync token never passes for claims."""
    return b"mark\0%b\0%b\0" % (account.encode(), scope.encode())


def _purpose(message: str, part: str) -> str:
    return f"{message}/{part}"


def _key_id(key: bytes) -> str:
    """Distinguishes keys and reveals nothing about them."""
    return sha256(b"casella key id\0" + key).hexdigest()[:8]
