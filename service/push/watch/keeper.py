"""The subscriptions of one account, in the store."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from service.accounts.credentials import Credentials, SecretKind
from service.mail.errors import InUse, TooManyRequests, UpstreamFailure
from service.mail.model import Capability
from service.push.model import Subscription
from service.push.room import MOST, no_room
from service.push.watch.content import read_subscription, write_subscription
from service.push.watch.tools import Tools
from service.standing.credentials import write_credentials
from service.store.model import Full, Item
from service.store.subscriptions import Watched


class WatchKeeper:
    """See ``push.model.Keeper``. All methods raise StoreUnavailable if the store fails."""

    source: Literal["server", "watch"] = "watch"

    def __init__(self, tools: Tools, credentials: Credentials) -> None:
        self._tools, self._credentials = tools, credentials

    async def all(self) -> Sequence[Subscription]:
        items = await self._tools.store.subscriptions.all(self._credentials.account)
        return [read_subscription(item.content) for item in items]

    async def keep(self, subscription: Subscription) -> None:
        """The mailbox is watched with the credentials of this request from now on. Raises NotSupported if it has no
        changes that could be watched, and InvalidRequest if the account has too many subscriptions."""
        mark = await self._mark() if subscription.is_verified else None
        credentials = self._credentials
        session = credentials.secret if credentials.kind is SecretKind.GRANT else None
        watched = Watched(credentials.account, write_credentials(credentials), session, mark)
        item = Item(subscription.id, write_subscription(subscription), 0, subscription.expires_at.timestamp())
        name = f"{subscription.kind} {subscription.device}"
        keep = self._tools.store.subscriptions.keep
        try:
            await keep(watched, item, name, is_active=subscription.is_verified, most=MOST)
        except Full:
            raise no_room() from None

    async def remove(self, id: str) -> bool:  # noqa: A002 - as in the protocol
        return await self._tools.store.subscriptions.remove(self._credentials.account, id)

    async def _mark(self) -> bytes | None:
        """The state of the mailbox if it has no mark yet, so that mail which arrives before its watch has begun is not
        missed. None if it cannot be read now: then the watch wakes the device when it begins."""
        if await self._tools.store.subscriptions.has_mark(self._credentials.account):
            return None
        admission = partial(self._tools.rates.sealed, self._credentials)
        try:
            async with self._tools.accounts.mailbox(self._credentials, admission) as mailbox:
                if Capability.CHANGES not in mailbox.capabilities:
                    raise mailbox.not_supported(Capability.CHANGES)
                return await mailbox.get_sync_token(None)
        except (UpstreamFailure, TooManyRequests, InUse):
            return None
