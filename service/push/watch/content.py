"""What the store keeps, as octets: how to sign in, and subscriptions."""

import json
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

from service.accounts.credentials import Credentials, SealedGrant, SecretKind
from service.mail.model import Protocol
from service.oauth.grants import Grants
from service.push.model import DeviceKeys, Event, Kind, Subscription


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


def write_subscription(subscription: Subscription) -> bytes:
    keys = subscription.keys
    values = {
        "id": subscription.id,
        "kind": subscription.kind,
        "endpoint": subscription.endpoint,
        "device": subscription.device,
        "expires": subscription.expires_at.timestamp(),
        "code": subscription.code,
        "verified": subscription.is_verified,
        "keys": [b64encode(keys.p256dh).decode(), b64encode(keys.auth).decode()] if keys else None,
        "folders": subscription.folders,
        "events": sorted(subscription.events),
        "alert": subscription.with_alert,
        "vapid": subscription.vapid_key,
    }
    return json.dumps(values).encode()


def read_subscription(octets: bytes) -> Subscription:
    values: dict[str, Any] = json.loads(octets)
    return Subscription(
        id=values["id"],
        kind=Kind(values["kind"]),
        endpoint=values["endpoint"],
        device=values["device"],
        expires_at=datetime.fromtimestamp(values["expires"], UTC),
        code=values["code"],
        is_verified=values["verified"],
        keys=DeviceKeys(*map(b64decode, values["keys"])) if values["keys"] else None,
        folders=tuple(values["folders"]),
        events=frozenset(map(Event, values["events"])),
        with_alert=values["alert"],
        vapid_key=values["vapid"],
    )
