"""Session tokens: credentials sealed into a bearer token, and back. Nothing is stored.

A token is a compact JWE (RFC 7516; direct key, AES-256-GCM): without a key it can neither be read nor changed. The
first key seals and all keys open, so keys rotate without ending any session.
"""

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from copy import copy
from functools import lru_cache
from hashlib import sha256
from secrets import token_hex
from typing import Any, NamedTuple

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwa import JWEEncModel
from joserfc.jwk import OctKey
from joserfc.util import urlsafe_b64decode

from service.accounts.credentials import Credentials, SealedGrant, SecretKind
from service.accounts.revocation import TokenId
from service.mail.errors import StaleToken, Unauthenticated
from service.mail.model import Protocol

MAX_TOKEN = 16 << 10
MAX_SECRETS = 4 << 10
"""Octets of refresh and access token in a session token: proxies allow 8 KiB for a header field."""
PART_LINK_SECONDS = 600
ALL_FOLDERS = "account"
"""The scope of a sync token of the whole mailbox."""
EVENT_TICKET_SECONDS = 600
MAX_IMPORT = 256 << 10
"""Characters of the token of an import, which travels in bodies."""
_DAY = 86400
_VECTOR_OCTETS = 12
KEPT = 1024
"""How many tokens keep their claims in memory."""
KEPT_STATES = 64
"""Sync tokens; each has up to 16 KiB."""
_ALGORITHMS = ["dir", "A256GCM"]
_EVENTS = "events"
"""The purpose of a ticket for a stream of events. That of a part link has a slash."""
_IMPORT = "import"
_NO_IMPORT = "This token is not of an import into this account, or has expired. Begin the import again: it goes on."
_EXPIRED = "This token has expired. Sign in again with POST /v1/sessions."
_INVALID = "This token is not valid here, or no longer. Sign in again with POST /v1/sessions."


class Listener(NamedTuple):
    """An account of a stream of events, and the session that it was signed in by."""

    credentials: Credentials
    session: TokenId
    sealed: SealedGrant | None = None
    """The grant of a ticket that was opened, if it has one."""

    def require_unexpired(self) -> None:
        """Raises Unauthenticated if the session's time is over."""
        if self.session.expires <= time.time():
            raise Unauthenticated(_EXPIRED)


class SealedImport(NamedTuple):
    """What the token of an import holds: see ``seal_import``."""

    source: str
    job: Mapping[str, Any]
    is_own: bool


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
        """Returns the token, and when it expires, in seconds since the epoch. All tokens of a grant are of one session:
        they have its id."""
        expires = int(time.time() if now is None else now) + self.lifetime
        claims = {**_claims(credentials, expires), "jti": token_hex(16)}
        if credentials.grant is not None:
            claims |= {"jti": credentials.secret, "g": _short(credentials.grant.sealed)}
        return self._seal(claims), expires

    def seal_part_link(
        self, credentials: Credentials, message: str, part: str, now: float | None = None, of: TokenId | None = None
    ) -> str:
        """Returns a token that may read one part of one message until ``part_link_end``, and nothing else. It ends with
        the session that asked for it, ``of``, if there is one. All replicas return the same one on the same day, so
        that clients find in their caches what they loaded by it, as long as a grant has the same access token."""
        session: dict[str, Any] = {"sid": of.value} if of else {}
        session |= _access(credentials)
        claims = _claims(credentials, part_link_end(now, of))
        return self._encrypt_alike(json.dumps({**claims, "for": _purpose(message, part), **session}).encode())

    def seal_event_ticket(self, listeners: Sequence[Listener], now: float | None = None) -> tuple[str, int]:
        """Returns a token that may open a stream of the events of these accounts for ``EVENT_TICKET_SECONDS``, and
        nothing else, and when it expires. Each account's part also ends with its session. Of a grant it holds the
        access token alone."""
        expires = int(time.time() if now is None else now) + EVENT_TICKET_SECONDS
        accounts = [
            {**_claims(credentials, session.expires), **_access(credentials), "jti": session.value}
            for credentials, session, _ in listeners
        ]
        return self._seal({"for": _EVENTS, "exp": expires, "accounts": accounts}), expires

    def open_event_ticket(self, token: str, now: float | None = None) -> tuple[Listener, ...]:
        """Returns the accounts. Raises Unauthenticated unless this is an unexpired ticket for a stream of events."""
        accounts = self._valid_claims(token, _EVENTS, now)["accounts"]
        return tuple(
            Listener(_credentials(each), TokenId(each["jti"], each["exp"]), _sealed_grant(each)) for each in accounts
        )

    def seal_import(self, account: str, source: str, job: Mapping[str, Any], *, is_own: bool) -> str:
        """Returns a token by which this account, and no other, goes on with an import. ``source`` is a session token of
        the other mailbox; with ``is_own`` it was made for the import, and a new one is made with each new token."""
        claims = {"account": account, "source": source, "own": is_own, "job": job}
        return self._seal({"for": _IMPORT, "exp": int(time.time()) + self.lifetime, **claims})

    def open_import(self, token: str, account: str) -> SealedImport:
        """Returns what ``seal_import`` got. Raises StaleToken unless it is an unexpired token of this account."""
        try:
            claims = self._checked(json.loads(self._decrypt(token)), _IMPORT, None) if len(token) <= MAX_IMPORT else {}
        except (JoseError, ValueError, KeyError, TypeError, Unauthenticated):
            claims = {}
        if claims.get("account") != account:
            raise StaleToken(_NO_IMPORT)
        return SealedImport(claims["source"], claims["job"], claims["own"])

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

    def _seal(self, claims: Mapping[str, Any]) -> str:
        return self._encrypt(json.dumps(claims).encode())

    def _encrypt(self, octets: bytes) -> str:
        header = {"alg": "dir", "enc": "A256GCM", "kid": self._sealing}
        return jwe.encrypt_compact(header, octets, self._keys[self._sealing], algorithms=_ALGORITHMS)

    def _encrypt_alike(self, octets: bytes) -> str:
        """The same octets become the same token. The initialization vector is a keyed digest of them, so that no two
        texts share one (as in RFC 8452, 4)."""
        header, key = {"alg": "dir", "enc": "A256GCM", "kid": self._sealing}, self._keys[self._sealing]
        digest = hmac.digest(sha256(b"casella part link\0" + key.raw_value).digest(), octets, "sha256")
        registry = _FixedVector(digest[:_VECTOR_OCTETS])
        return jwe.encrypt_compact(header, octets, key, registry=registry)

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

    def whole_session(self, session: TokenId) -> TokenId:
        """The session for as long as any of its tokens can be valid: newer ones expire later."""
        return session._replace(expires=int(time.time()) + self.lifetime)

    def grant_of(self, token: str) -> SealedGrant | None:
        """The grant in an opened token, if it has one."""
        return _sealed_grant(self._claims_of(token))

    def _open(self, token: str, purpose: str | None, now: float | None) -> Credentials:
        try:
            return _credentials(self._valid_claims(token, purpose, now))
        except (ValueError, KeyError, TypeError):
            raise Unauthenticated(_INVALID) from None

    def _valid_claims(self, token: str, purpose: str | None, now: float | None) -> Mapping[str, Any]:
        """Raises Unauthenticated unless one of the keys sealed it for this purpose and it is unexpired."""
        if len(token) > MAX_TOKEN:
            raise Unauthenticated(_INVALID)
        try:
            return self._checked(self._claims_of(token), purpose, now)
        except (JoseError, ValueError, KeyError, TypeError):
            raise Unauthenticated(_INVALID) from None

    def _checked(self, claims: Mapping[str, Any], purpose: str | None, now: float | None) -> Mapping[str, Any]:
        """The claims. Raises Unauthenticated unless they are for this purpose and unexpired."""
        if claims.get("for") != purpose:
            raise Unauthenticated(_INVALID)
        if claims["exp"] <= (time.time() if now is None else now):
            raise Unauthenticated(_EXPIRED)
        return claims

    def _read_claims(self, token: str) -> dict[str, Any]:
        claims: dict[str, Any] = json.loads(self._decrypt(token))
        return {"jti": _nonce(token), **claims}

    def _decrypt(self, token: str) -> bytes:
        return jwe.decrypt_compact(token, self._key, registry=_AnyLength(algorithms=_ALGORITHMS)).plaintext or b""

    def _key(self, sealed: Any) -> OctKey:
        headers = sealed.headers()
        key = self._keys.get(headers.get("kid", ""))
        if key is None or headers.get("alg") != "dir":
            raise ValueError("sealed by an unknown key")
        return key


def _access(credentials: Credentials) -> dict[str, Any]:
    """The claim of a grant in a ticket, if there is one. Without the refresh token: see ``SealedGrant``."""
    return {"g": credentials.grant.sealed._replace(refresh="")} if credentials.grant is not None else {}


def _sealed_grant(claims: Mapping[str, Any]) -> SealedGrant | None:
    grant = claims.get("g")
    return SealedGrant(*grant) if grant else None


def _short(grant: SealedGrant) -> SealedGrant:
    """Without the access token if both are so long that the header field of a request would be."""
    is_long = len(grant.refresh) + len(grant.access) > MAX_SECRETS
    return grant._replace(access="", ends_at=0) if is_long else grant


class _AnyLength(jwe.JWERegistry):
    """Opens tokens of imports too. What is longer than the token may be is not given to it."""

    max_ciphertext_length = MAX_IMPORT


class _FixedVector(jwe.JWERegistry):
    """Encrypts with this initialization vector. The library draws one otherwise."""

    def __init__(self, vector: bytes) -> None:
        super().__init__(algorithms=_ALGORITHMS)
        self._vector = vector

    def get_enc(self, name: str) -> JWEEncModel:
        model = copy(super().get_enc(name))
        model.generate_iv = lambda: self._vector  # type: ignore[method-assign]
        return model


def part_link_end(now: float | None = None, of: TokenId | None = None) -> int:
    """When a link to a part ends that is made now: ``PART_LINK_SECONDS`` after the day (UTC), or with its session."""
    moment = int(time.time() if now is None else now)
    end = (moment // _DAY + 1) * _DAY + PART_LINK_SECONDS
    return min(end, of.expires) if of else end


def _claims(credentials: Credentials, expires: int) -> dict[str, Any]:
    return {
        "v": credentials.server,
        "p": credentials.protocol,
        "u": credentials.username,
        "s": credentials.secret,
        "k": credentials.kind,
        "exp": expires,
    }


def _credentials(claims: Mapping[str, Any]) -> Credentials:
    return Credentials(claims["v"], Protocol(claims["p"]), claims["u"], claims["s"], SecretKind(claims["k"]))


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
