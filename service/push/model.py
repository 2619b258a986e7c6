"""The words: a subscription, and what a push says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from service.mail.model import Address

LIFE_SECONDS = 7 * 24 * 3600
"""How long a subscription lives unless the app renews it: a lost phone stops to cost anything."""


MOST_FAILURES = 10
"""Without a success, after which a subscription ends."""


class Kind(StrEnum):
    """The kind of push."""

    WEB_PUSH = "webpush"
    WEBHOOK = "webhook"
    FCM = "fcm"
    APNS = "apns"


class Event(StrEnum):
    """What a device is woken for."""

    CREATED = "created"
    UPDATED = "updated"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """The keys that pushes are encrypted with (RFC 8291, 2.1): a point of P-256 and a secret of 16 octets."""

    p256dh: bytes
    auth: bytes


@dataclass(frozen=True, slots=True)
class Subscription:
    """A device, or a back end, that gets the pushes of one account."""

    id: str
    kind: Kind
    endpoint: str
    """A URL; with FCM and APNs the device's token."""
    device: str
    """What the app calls the device: another subscription of the same one replaces this."""
    expires_at: datetime
    code: str
    """What the device returns to show that pushes reach it. Until then it gets nothing else."""
    is_verified: bool = False
    keys: DeviceKeys | None = None
    folders: tuple[str, ...] = ()
    """Ids; empty for all."""
    events: frozenset[Event] = frozenset({Event.CREATED})
    with_alert: bool = False
    """Sender and subject of new mail come with the push, which has to be encrypted."""
    vapid_key: str = ""
    """The id of the key that signs for it (RFC 8292, 4.2); empty if none does."""
    secret: str = ""
    """With webhooks: the key of their signatures. The back end got it when it subscribed."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a notification may show of a new message."""

    sender: str
    """The author's name, or the address if there is none."""
    subject: str

    @classmethod
    def of(cls, authors: Sequence[Address], subject: str) -> "Alert":
        author = authors[0] if authors else None
        return cls((author.name or author.email) if author else "", subject)


@dataclass(frozen=True, slots=True)
class Change:
    """What a push says. ``token`` is one of the account from before the change, if it is known."""

    account: str
    at: datetime
    token: str | None = None
    folders: tuple[str, ...] = ()
    events: frozenset[Event] = frozenset({Event.CREATED})
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class SignInAgain:
    """What a push says if the mail server no longer takes the password. Nothing follows it."""

    account: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """The first push: the device returns the code."""

    id: str
    code: str


Notice = Change | SignInAgain | Verification


class Outcome(StrEnum):
    """What came of a push."""

    DELIVERED = "delivered"
    GONE = "gone"
    """The subscription is over: 404 or 410, or the operator no longer has what it needs."""
    FAILED = "failed"
    """Another answer, none, or an address that may not be reached."""


class Pusher(Protocol):
    """Wakes a device."""

    async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
        """Sends one push, and tries it again as long as that makes sense. Does not raise."""


class Keeper(Protocol):
    """Keeps the subscriptions of one account."""

    source: Literal["server", "watch"]
    """``server``: the mail server reports deliveries. ``watch``: Casella watches the mailbox."""

    async def all(self) -> Sequence[Subscription]:
        """Those that have not expired."""

    async def keep(self, subscription: Subscription) -> None:
        """Adds it, or replaces the one with its id, or of its device and kind."""

    async def remove(self, id: str) -> bool:  # noqa: A002 - the name in the contract
        """Whether there was one."""
