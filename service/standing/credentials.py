"""How to sign in, as the store keeps it."""

import json
import time

from service.accounts.credentials import Credentials, SealedGrant, SecretKind
from service.mail.model import Protocol
from service.oauth.grants import Grants


def write_credentials(credentials: Credentials) -> bytes:
    """With the present state of the grant, if there is one."""
    ends_at = credentials.ends_at
    values = {
        "v": credentials.server,
        "p": credentials.protocol,
        "u": credentials.username,
        "s": credentials.secret,
        "k": credentials.kind,
        "e": None if ends_at is None else time.time() + ends_at - time.monotonic(),
        "g": credentials.grant.sealed if credentials.grant else None,
    }
    return json.dumps(values).encode()


def read_credentials(octets: bytes, grants: Grants) -> Credentials:
    """Raises Unauthenticated if the issuer of a grant is no longer in the configuration."""
    values = json.loads(octets)
    sealed, ends_at = read_grant(octets), values["e"]
    return Credentials(
        values["v"],
        Protocol(values["p"]),
        values["u"],
        values["s"],
        SecretKind(values["k"]),
        grants.of(values["s"], sealed) if sealed else None,
        None if ends_at is None else time.monotonic() + ends_at - time.time(),
    )


def read_grant(octets: bytes) -> SealedGrant | None:
    """The state of the grant in written credentials."""
    grant = json.loads(octets)["g"]
    return SealedGrant(*grant) if grant else None


def with_grant(octets: bytes, sealed: SealedGrant) -> bytes:
    """Written credentials with another state of the grant."""
    return json.dumps({**json.loads(octets), "g": sealed}).encode()
