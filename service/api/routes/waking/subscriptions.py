"""Devices that are woken if the mailbox changes."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field

from service.api.deps import Caller, ConfirmedMailbox, done_once, service_of
from service.api.idempotency import Key
from service.api.parameters import response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router
from service.mail.model import Value
from service.push.model import Event, Kind
from service.push.origins import MAX_ENDPOINT
from service.push.room import MOST
from service.push.subscribing import Kept, NewSubscription

router = api_router(prefix="/v1", tags=["push"])
_RESPONSES = problem_responses(*SIGNED_IN)
SubscriptionId = Annotated[
    str, Path(max_length=100, description="The subscription's id.", examples=["p_5f2c9a7be0d14c38"])
]


class PushKind(StrEnum):
    """How a device is woken."""

    WEBPUSH = Kind.WEB_PUSH.value
    WEBHOOK = Kind.WEBHOOK.value
    FCM = Kind.FCM.value
    APNS = Kind.APNS.value


class PushEvent(StrEnum):
    """The changes that wake a device."""

    CREATED = Event.CREATED.value
    UPDATED = Event.UPDATED.value
    DESTROYED = Event.DESTROYED.value


class VapidPublicKey(Value):
    """The key that a browser binds its subscription to (RFC 8292)."""

    id: str = Field(description="Changes with the key. Subscribe again if it is not the one that you know.")
    public_key: str = Field(description="The `applicationServerKey` of `PushManager.subscribe`, as base64url.")


class PushService(Value):
    """How this service wakes devices."""

    vapid: VapidPublicKey = Field(description="The key for new subscriptions of the kind `webpush`.")
    kinds: tuple[str, ...] = Field(
        description="`webpush` (browsers and UnifiedPush), `webhook`, `fcm`, `apns`; empty if this service wakes no"
        " devices. Later versions may add others."
    )


class SubscriptionKeys(Value):
    """The keys that pushes are encrypted with (RFC 8291)."""

    p256dh: str = Field(alias="p256dh", max_length=100, description="The device's public key, as base64url.")
    auth: str = Field(max_length=40, description="The device's secret, as base64url.")


class SubscriptionRequest(Value):
    """A device, or a back end, to wake."""

    kind: PushKind = Field(description="The kind of push.")
    endpoint: str = Field(
        min_length=1,
        max_length=MAX_ENDPOINT,
        description="The target of pushes: the URL of the browser's or UnifiedPush's subscription, or of a back end;"
        " with `fcm` and `apns` the device's token.",
    )
    keys: SubscriptionKeys | None = Field(None, description="With `webpush`: the keys of the device's subscription.")
    device: str = Field(
        min_length=1, max_length=200, description="What the app calls the device. It replaces an earlier subscription."
    )
    folders: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(max_length=20, fail_fast=True)] = (
        Field((), description="Only changes of these folders, by id or role. Default: all.")
    )
    events: Annotated[tuple[PushEvent, ...], Field(min_length=1, max_length=3, fail_fast=True)] = Field(
        (PushEvent.CREATED,),
        description="What to wake for. A mail server that reports by itself reports new mail alone.",
    )
    alert: bool = Field(
        False, description="With `webpush`: sender and subject of new mail come with the push, encrypted."
    )


class CreatedSubscription(Value):
    """A subscription. It gets nothing but a code until that is sent back."""

    id: str = Field(description="The subscription's id.")
    expires_at: datetime = Field(description="When it ends, unless the code is sent again before.")
    is_verified: bool = Field(description="Whether the device has shown that pushes reach it.")
    source: str = Field(description="`server`: the mail server reports new mail. `watch`: Casella watches the mailbox.")
    secret: str | None = Field(
        None, description="With `webhook`: what signs the pushes (Standard Webhooks). It is not shown again."
    )


class PushSubscription(Value):
    """A subscription of the account."""

    id: str = Field(description="The subscription's id.")
    kind: str = Field(description="The kind of push: see `kinds` of GET /v1/push.")
    device: str = Field(description="What the app calls the device.")
    expires_at: datetime = Field(description="When it ends, unless it is renewed.")
    is_verified: bool = Field(description="Whether the device has shown that pushes reach it.")
    source: str = Field(description="`server`: the mail server reports new mail. `watch`: Casella watches the mailbox.")
    folders: tuple[str, ...] | None = Field(None, description="The folders whose changes wake it; absent for all.")
    events: tuple[str, ...] = Field(
        description="What it is woken for: `created`, `updated`, `destroyed`. Later versions may add others."
    )
    alert: bool = Field(description="Whether sender and subject of new mail come with the push.")
    vapid_key: str | None = Field(None, description="With `webpush`: the id of the key that signs for it.")


class PushSubscriptionList(Value):
    """The subscriptions of an account."""

    items: tuple[PushSubscription, ...] = Field(description=f"At most {MOST}.")


class SubscriptionCode(Value):
    """The code of a push."""

    code: str = Field(min_length=1, max_length=100, description="`verification.code` of the first push.")


@router.get("/push", responses=problem_responses("too-many-requests", "internal-error"))
async def get_push(request: Request) -> PushService:
    """How this service wakes devices that sleep. Needs no sign-in."""
    push = service_of(request).push
    key = push.keys.current
    return PushService(vapid=VapidPublicKey(id=key.id, public_key=key.public_text), kinds=push.kinds)


@router.get("/accounts/{account}/subscriptions", response_model_exclude_none=True, responses=_RESPONSES)
async def list_subscriptions(request: Request, caller: Caller, mailbox: ConfirmedMailbox) -> PushSubscriptionList:
    """The devices of the account. One that is missing here is not woken any more: subscribe it again."""
    kept = await service_of(request).push.list_all(caller, mailbox)
    return PushSubscriptionList(items=tuple(map(_shown, kept)))


@router.post(
    "/accounts/{account}/subscriptions",
    status_code=201,
    response_model_exclude_none=True,
    responses=_RESPONSES | {201: {"headers": response_headers("Location")}},
)
async def create_subscription(
    request: Request,
    response: Response,
    caller: Caller,
    mailbox: ConfirmedMailbox,
    new: SubscriptionRequest,
    idempotency_key: Key = None,
) -> CreatedSubscription:
    """Wake a device if the mailbox changes. A first push brings a code: send it to the subscription, which then is
    verified. 501 `not-supported` if this mailbox cannot wake devices."""
    service = service_of(request)

    async def subscribe() -> CreatedSubscription:
        await service.rates.subscribing(caller)
        return _created(await service.push.subscribe(caller, mailbox, _wanted(new)))

    created = await done_once(request, mailbox, idempotency_key, subscribe)
    response.headers["Location"] = f"/v1/accounts/me/subscriptions/{created.id}"
    return created


@router.post("/accounts/{account}/subscriptions/{subscription}", response_model_exclude_none=True, responses=_RESPONSES)
async def verify_subscription(
    request: Request,
    caller: Caller,
    mailbox: ConfirmedMailbox,
    subscription: SubscriptionId,
    verification: SubscriptionCode,
) -> PushSubscription:
    """The code of its first push shows that pushes reach the device. The same again, whenever the app is opened, renews
    the subscription."""
    return _shown(await service_of(request).push.verify(caller, mailbox, subscription, verification.code))


@router.delete("/accounts/{account}/subscriptions/{subscription}", status_code=204, responses=_RESPONSES)
async def delete_subscription(
    request: Request, caller: Caller, mailbox: ConfirmedMailbox, subscription: SubscriptionId
) -> None:
    """The device is not woken any more."""
    await service_of(request).push.remove(caller, mailbox, subscription)


def _wanted(new: SubscriptionRequest) -> NewSubscription:
    return NewSubscription(
        Kind(new.kind),
        new.endpoint,
        new.device,
        new.keys.p256dh if new.keys else None,
        new.keys.auth if new.keys else None,
        new.folders,
        [Event(each) for each in new.events],
        with_alert=new.alert,
    )


def _created(kept: Kept) -> CreatedSubscription:
    subscription = kept.subscription
    return CreatedSubscription(
        id=subscription.id,
        expires_at=subscription.expires_at,
        is_verified=subscription.is_verified,
        source=kept.source,
        secret=subscription.secret or None,
    )


def _shown(kept: Kept) -> PushSubscription:
    subscription = kept.subscription
    return PushSubscription(
        id=subscription.id,
        kind=subscription.kind,
        device=subscription.device,
        expires_at=subscription.expires_at,
        is_verified=subscription.is_verified,
        source=kept.source,
        folders=subscription.folders or None,
        events=tuple(sorted(subscription.events)),
        alert=subscription.with_alert,
        vapid_key=subscription.vapid_key or None,
    )
