"""How devices are woken, as the settings say."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from service.accounts.address_policy import AddressPolicy, OnlyNetworks, resolving_by
from service.accounts.credentials import Credentials
from service.adapters.imap.ids import Ids
from service.adapters.shared.folder_names import encode_name
from service.push.dispatch import Dispatcher
from service.push.model import Keeper, Kind, Pusher
from service.push.sealing import Seals
from service.push.server.hook import Hook
from service.push.subscribing import Parts, Push
from service.push.vapid import VapidKeys, derived
from service.settings.model import Settings
from service.settings.push import PushSettings

if TYPE_CHECKING:
    from service.push.sending.exchange import Courier
    from service.push.sending.pusher import Sender

Watching = Callable[[Credentials], Keeper]
"""Returns what keeps the subscriptions of a mailbox that is watched."""
_resolve = resolving_by(ThreadPoolExecutor(8, "resolve push"))
"""Clients that have not signed in can make the service resolve names too: those delay no push."""
_log = structlog.get_logger("service.pushers")


def push_of(
    settings: Settings, keys: Sequence[bytes], watching: Watching | None = None, pusher: Pusher | None = None
) -> Push:
    """``keys`` are those that seal sessions; ``watching`` keeps the subscriptions of mailboxes that are watched;
    ``pusher`` sends instead of the one of the settings. What sends is imported only if something of it is
    configured."""
    own = settings.push
    vapid = VapidKeys([*(key.get_secret_value() for key in own.vapid_keys), *map(derived, keys)], own.subject)
    if own.dovecot is None and watching is None:
        return Push(vapid)
    if own.dovecot is not None and not settings.secret_keys:
        _log.warning("no secret_keys: subscriptions end with this process, and no other replica opens them")
    sender = _sender(own, vapid)
    dispatcher, seals = Dispatcher(pusher or sender), Seals(keys)
    hook = None
    if own.dovecot is not None:
        secrets = [secret.get_secret_value() for secret in own.dovecot.secrets]
        hook = Hook(secrets, seals, dispatcher, _folder_id)
    return Push(
        vapid,
        Parts(
            dispatcher,
            seals,
            sender.kinds,
            hook,
            _reporting(settings),
            allows_http=bool(own.networks),
            watching=watching,
            pusher=pusher or sender,
            aclose=sender.aclose,
        ),
    )


def _sender(own: PushSettings, vapid: VapidKeys) -> "Sender":
    from service.push.sending.pusher import Sender  # noqa: PLC0415 - the library is an extra
    from service.push.sending.transport import HttpTransport  # noqa: PLC0415
    from service.push.sending.webhook import Webhook  # noqa: PLC0415
    from service.push.sending.webpush import WebPush  # noqa: PLC0415

    plain = OnlyNetworks(own.networks, _resolve) if own.networks else None
    transport = HttpTransport(AddressPolicy(own.networks, _resolve), plain)
    return Sender({Kind.WEB_PUSH: WebPush(transport, vapid), Kind.WEBHOOK: Webhook(transport), **_of_apps(own)})


def _of_apps(own: PushSettings) -> "dict[Kind, Courier]":
    """By the keys of the operator's own apps."""
    from joserfc.jwk import ECKey  # noqa: PLC0415 - few operators have an app

    from service.push.sending.apns import Apns, TeamKey  # noqa: PLC0415
    from service.push.sending.fcm import Fcm, ServiceAccount  # noqa: PLC0415
    from service.push.sending.transport import HttpTransport  # noqa: PLC0415

    couriers: dict[Kind, Courier] = {}
    if own.fcm or own.apns:
        transport = HttpTransport(AddressPolicy(own.networks, _resolve), http2=True)
    if own.fcm:
        couriers[Kind.FCM] = Fcm(transport, ServiceAccount.read(own.fcm.service_account.read_text()))
    if own.apns:
        key = ECKey.import_key(own.apns.key_file.read_text())
        names = own.apns.key_id, own.apns.team_id, own.apns.topic
        couriers[Kind.APNS] = Apns(transport, TeamKey(key, *names, sandbox=own.apns.sandbox))
    return couriers


def _reporting(settings: Settings) -> frozenset[str]:
    """The mail servers that report deliveries: never one that a client named."""
    own = settings.push.dovecot
    if own is None:
        return frozenset()
    return frozenset(own.servers or (name for name, server in settings.servers.items() if server.imap))


def _folder_id(account: str, name: str) -> str:
    return Ids(account).folder(encode_name(name))
