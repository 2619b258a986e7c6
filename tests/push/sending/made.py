"""Senders and subscriptions for tests."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from service.accounts.address_policy import AddressPolicy, OnlyNetworks
from service.push.model import Change, DeviceKeys, Kind, Subscription
from service.push.sending.pusher import Sender
from service.push.sending.transport import HttpTransport
from service.push.sending.webhook import Webhook
from service.push.sending.webpush import WebPush
from service.push.vapid import VapidKeys, derived
from service.push.webhook_secrets import new_secret
from tests.servers.push import Phone, PushDouble

KEYS = VapidKeys([derived(b"first"), derived(b"second")], "mailto:postmaster@example.org")
HERE = [ip_network("127.0.0.1/32")]
NOW = datetime.now(UTC)
CHANGE = Change("account", NOW, token="token", folders=("f_1",))


def transport(networks: Collection[str] = ("127.0.0.1/32",)) -> HttpTransport:
    """One for addresses in these networks, by http too."""
    allowed = [ip_network(each) for each in networks]
    return HttpTransport(AddressPolicy(allowed), OnlyNetworks(allowed))


def sender(carrier: HttpTransport | None = None) -> Sender:
    carrier = carrier or transport()
    return Sender({Kind.WEB_PUSH: WebPush(carrier, KEYS), Kind.WEBHOOK: Webhook(carrier)})


def of(phone: Phone) -> Subscription:
    """The subscription of a phone."""
    point = phone.key.public_key().public_numbers()
    octets = b"\4" + point.x.to_bytes(32) + point.y.to_bytes(32)
    return Subscription(
        id=f"p_{phone.name}",
        kind=Kind.WEB_PUSH,
        endpoint=phone.double.url + phone.path,
        device=phone.name,
        expires_at=NOW + timedelta(days=7),
        code="code",
        is_verified=True,
        keys=DeviceKeys(octets, phone.auth),
        vapid_key=KEYS.current.id,
    )


def at(url: str) -> Subscription:
    """A back end's."""
    return Subscription(
        id="p_back-end",
        kind=Kind.WEBHOOK,
        endpoint=url,
        device="back end",
        expires_at=NOW + timedelta(days=7),
        code="code",
        is_verified=True,
        secret=new_secret(),
    )


def elsewhere(subscription: Subscription, double: PushDouble, path: str) -> Subscription:
    return replace(subscription, endpoint=double.url + path)
