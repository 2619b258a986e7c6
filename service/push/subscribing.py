"""Subscriptions of an account: their keepers, and how a device shows that pushes reach it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from secrets import token_hex, token_urlsafe
from typing import NamedTuple

from cachetools import TTLCache

from service.accounts.credentials import Credentials
from service.mail import base64url
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, MailError, NotFound, NotSupported, StoreUnavailable
from service.mail.model import Capability
from service.push.dispatch import Dispatcher
from service.push.model import LIFE_SECONDS, DeviceKeys, Event, Keeper, Kind, Pusher, Subscription, Verification
from service.push.origins import endpoint_fault
from service.push.room import without
from service.push.sealing import Seals
from service.push.sending.encryption import is_device_key
from service.push.server.entry import CAPABILITY
from service.push.server.hook import Hook
from service.push.server.keeper import MetadataKeeper
from service.push.vapid import VapidKeys
from service.push.webhook_secrets import new_secret

NOT_HERE = (
    "This service cannot wake devices for this mailbox: the mail server would have to report deliveries and to keep"
    " METADATA, or the operator to configure a store. Listen to events while the app is open, or request changes."
)
_NEW_MAIL_ONLY = "For this mailbox devices hear of new mail alone: send the event created."
_TOKENS = {Kind.FCM: re.compile(r"[A-Za-z0-9:_-]{20,1000}"), Kind.APNS: re.compile(r"[0-9A-Fa-f]{64,200}")}
_AUTH_OCTETS = 16
_LAST_SECONDS = 3.0
_CLEAN_SECONDS = 60.0
"""Between two tries to remove what is over from a mailbox."""
_ACCOUNTS = 10_000


class NewSubscription(NamedTuple):
    """What an app asks for."""

    kind: Kind
    endpoint: str
    device: str
    p256dh: str | None = None
    auth: str | None = None
    folders: Sequence[str] = ()
    events: Collection[Event] = (Event.CREATED,)
    with_alert: bool = False


class Kept(NamedTuple):
    """A subscription, and what reports to it."""

    subscription: Subscription
    source: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What pushes are made of, if the operator has configured any. ``reporting`` are the mail servers that report
    deliveries."""

    dispatcher: Dispatcher
    seals: Seals
    kinds: tuple[Kind, ...]
    hook: Hook | None = None
    reporting: frozenset[str] = frozenset()
    allows_http: bool = False
    watching: Callable[[Credentials], Keeper] | None = None
    """Keeps subscriptions of mailboxes that Casella watches."""
    pusher: Pusher | None = None
    """Sends."""
    aclose: Callable[[], Awaitable[None]] | None = None
    """Closes the connections of what sends."""


@dataclass(frozen=True, slots=True)
class Push:
    """Waking devices. ``parts`` is None if nothing of it is configured."""

    keys: VapidKeys
    parts: Parts | None = None
    _cleaned: TTLCache[str, bool] = field(default_factory=lambda: TTLCache(_ACCOUNTS, _CLEAN_SECONDS))
    _cleaning: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Those that apps may subscribe by."""
        return self.parts.kinds if self.parts else ()

    @property
    def pusher(self) -> Pusher | None:
        """What sends; None if nothing is configured."""
        return self.parts.pusher if self.parts else None

    async def can_subscribe(self, credentials: Credentials, mailbox: Backend) -> bool:
        """Whether devices can be woken for this mailbox. One round trip if its mail server reports deliveries."""
        parts = self.parts
        if parts is None or not self._keepers(credentials, mailbox, parts):
            return False
        if parts.watching is not None and Capability.CHANGES in mailbox.capabilities:
            return True
        try:
            await mailbox.get_delivery_note()
        except MailError:
            return False
        return True

    async def subscribe(self, credentials: Credentials, mailbox: Backend, new: NewSubscription) -> Kept:
        """Keeps it, and sends the device a code. Raises InvalidRequest, NotFound("folder") and NotSupported."""
        parts, kinds = self._parts(), self.kinds
        if new.kind not in kinds:
            raise InvalidRequest(
                f"It is one of those that GET /v1/push lists: {', '.join(kinds)}.", location="body.kind"
            )
        folders = [(await mailbox.get_folder(each)).id for each in dict.fromkeys(new.folders)]
        subscription = replace(self._checked(new, parts), folders=tuple(folders))
        keepers = self._keepers(credentials, mailbox, parts)
        if subscription.events != {Event.CREATED}:  # a mail server reports nothing else
            keepers.sort(key=lambda keeper: keeper.source == "server")
        for number, keeper in enumerate(keepers):
            try:
                without(await keeper.all(), subscription)
                if keeper.source == "server" and Event.CREATED not in subscription.events:
                    raise NotSupported(CAPABILITY, _NEW_MAIL_ONLY)
                await keeper.keep(subscription)
            except NotSupported:
                if number == len(keepers) - 1:
                    raise
                continue
            await _forget_elsewhere(keepers, keeper, subscription)
            parts.dispatcher.tell(mailbox.account, subscription, Verification(subscription.id, subscription.code))
            return Kept(subscription, keeper.source)
        raise NotSupported(CAPABILITY, NOT_HERE)

    async def list_all(self, credentials: Credentials, mailbox: Backend) -> list[Kept]:
        """Those that have not expired. Without those in the store while it is away, if there are others."""
        found, away = await self._found(credentials, mailbox)
        kept = [Kept(each, keeper.source) for keeper, those in found for each in those]
        if away is not None and not kept:
            raise away
        return kept

    async def remove(self, credentials: Credentials, mailbox: Backend, id: str) -> None:  # noqa: A002 - the name in the contract
        """Raises NotFound("subscription")."""
        keeper, _ = await self._one(credentials, mailbox, id)
        await keeper.remove(id)
        self._parts().dispatcher.forget(id)

    async def verify(self, credentials: Credentials, mailbox: Backend, id: str, code: str) -> Kept:  # noqa: A002
        """With the right code it gets pushes, and lives ``LIFE_SECONDS`` from now. Raises NotFound("subscription") and
        InvalidRequest."""
        keeper, subscription = await self._one(credentials, mailbox, id)
        if not compare_digest(subscription.code.encode(), code.encode(errors="replace")):
            raise InvalidRequest("It is the code of the push that this device got.", location="body.code")
        renewed = replace(subscription, is_verified=True, expires_at=_end())
        await keeper.keep(renewed)
        return Kept(renewed, keeper.source)

    def clean_soon(self, account: str, opened: Callable[[], AbstractAsyncContextManager[Backend]]) -> None:
        """Removes subscriptions that are over from the account's mailbox, in the background. Costs nothing if there are
        none."""
        if self.parts is None or not self.parts.dispatcher.losses.has(account) or account in self._cleaned:
            return
        self._cleaned[account] = True
        task = asyncio.create_task(self._clean(opened, self.parts))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def _clean(self, opened: Callable[[], AbstractAsyncContextManager[Backend]], parts: Parts) -> None:
        with suppress(MailError):  # the next request of the account tries again
            async with opened() as mailbox:
                await MetadataKeeper(mailbox, parts.seals, parts.dispatcher.losses).clean()

    async def work(self) -> None:
        """Handle what mail servers report until cancelled, at shutdown."""
        if self.parts is not None and self.parts.hook is not None:
            await self.parts.hook.work()

    async def aclose(self) -> None:
        """Push what was reported before, for ``_LAST_SECONDS`` at most, and close the connections."""
        for task in self._cleaning:
            task.cancel()
        if self.parts is not None:
            if self.parts.hook is not None:
                await self.parts.hook.drain()
            await self.parts.dispatcher.aclose(_LAST_SECONDS)
            if self.parts.aclose is not None:
                await self.parts.aclose()

    def _parts(self) -> Parts:
        if self.parts is None:
            raise NotSupported(CAPABILITY, NOT_HERE)
        return self.parts

    def _keepers(self, credentials: Credentials, mailbox: Backend, parts: Parts) -> list[Keeper]:
        """The best one first."""
        keepers: list[Keeper] = []
        if parts.hook is not None and credentials.server in parts.reporting:
            keepers.append(MetadataKeeper(mailbox, parts.seals, parts.dispatcher.losses))
        if parts.watching is not None:
            keepers.append(parts.watching(credentials))
        return keepers

    async def _found(
        self, credentials: Credentials, mailbox: Backend
    ) -> tuple[list[tuple[Keeper, Sequence[Subscription]]], StoreUnavailable | None]:
        """What each place has, and the error of the store if it is away."""
        found, away = [], None
        for keeper in self._keepers(credentials, mailbox, self._parts()):
            try:
                found.append((keeper, await keeper.all()))
            except NotSupported:
                continue
            except StoreUnavailable as error:
                away = error
        if not found and away is None:
            raise NotSupported(CAPABILITY, NOT_HERE)
        return found, away

    async def _one(self, credentials: Credentials, mailbox: Backend, id: str) -> tuple[Keeper, Subscription]:  # noqa: A002
        found, away = await self._found(credentials, mailbox)
        for keeper, those in found:
            for subscription in those:
                if subscription.id == id:
                    return keeper, subscription
        raise away or NotFound("subscription")

    def _checked(self, new: NewSubscription, parts: Parts) -> Subscription:
        _require_endpoint(new, parts)
        if new.with_alert and new.kind is not Kind.WEB_PUSH:
            raise InvalidRequest("Only a push of the kind webpush is encrypted for its device.", location="body.alert")
        return Subscription(
            id=f"p_{token_hex(8)}",
            kind=new.kind,
            endpoint=new.endpoint,
            device=new.device,
            expires_at=_end(),
            code=token_urlsafe(16),
            keys=_keys(new),
            events=frozenset(new.events),
            with_alert=new.with_alert,
            vapid_key=self.keys.current.id if new.kind is Kind.WEB_PUSH else "",
            secret=new_secret() if new.kind is Kind.WEBHOOK else "",
        )


async def _forget_elsewhere(keepers: Sequence[Keeper], chosen: Keeper, subscription: Subscription) -> None:
    """A device is subscribed once, even if its subscription is now kept in another place."""
    for keeper in keepers:
        if keeper is not chosen:
            with suppress(NotSupported, StoreUnavailable):  # of two that stay, each wakes the device
                for each in await keeper.all():
                    if (each.device, each.kind) == (subscription.device, subscription.kind):
                        await keeper.remove(each.id)


def _require_endpoint(new: NewSubscription, parts: Parts) -> None:
    if (token := _TOKENS.get(new.kind)) is not None:
        fault = None if token.fullmatch(new.endpoint) else "It is the token that the device got from its push service."
    else:
        fault = endpoint_fault(new.endpoint)
        if fault is None and new.endpoint.startswith("http:") and not parts.allows_http:
            fault = "It is an https URL."
    if fault is not None:
        raise InvalidRequest(fault, location="body.endpoint")


def _keys(new: NewSubscription) -> DeviceKeys | None:
    if new.kind is not Kind.WEB_PUSH:
        if new.p256dh or new.auth:
            raise InvalidRequest("Only a push of the kind webpush is encrypted by keys.", location="body.keys")
        return None
    keys = DeviceKeys(_octets(new.p256dh), _octets(new.auth))
    if not is_device_key(keys.p256dh) or len(keys.auth) != _AUTH_OCTETS:
        raise InvalidRequest(
            "Send p256dh and auth of the device's subscription as base64url: a point of P-256 and 16 octets.",
            location="body.keys",
        )
    return keys


def _octets(text: str | None) -> bytes:
    try:
        return base64url.read((text or "").rstrip("="))
    except ValueError:
        return b""


def _end() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LIFE_SECONDS)
