"""Pushes in the background: one at a time to a device, and bounded in all."""

import asyncio
from dataclasses import replace

from service.push.losses import Losses
from service.push.model import Change, Event, Notice, Pusher, Subscription
from service.telemetry import metrics

MOST = 5000
"""Devices that are being pushed to at once. Beyond it pushes are lost, and counted: the next one covers them."""


def wanted(subscription: Subscription, change: Change) -> Change | None:
    """What of the change the device asked for; None if nothing."""
    is_other = subscription.folders and change.folders and not {*subscription.folders} & {*change.folders}
    events = frozenset(subscription.events & change.events)
    if is_other or not events or not subscription.is_verified:
        return None
    alert = change.alert if subscription.with_alert and Event.CREATED in events else None
    return replace(change, events=events, alert=alert)


class Dispatcher:
    """Gives notices to the pusher. What comes for a device while a push to it is under way becomes one push."""

    def __init__(self, pusher: Pusher, losses: Losses | None = None) -> None:
        self.losses = losses or Losses()
        self._pusher = pusher
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._next: dict[str, tuple[Subscription, Notice]] = {}

    def change(self, account: str, subscription: Subscription, change: Change) -> None:
        """Pushes a change to a device that subscribed to such changes."""
        if (notice := wanted(subscription, change)) is not None:
            self.tell(account, subscription, notice)

    def tell(self, account: str, subscription: Subscription, notice: Notice) -> None:
        """Returns at once."""
        if self.losses.is_over(subscription.id):
            return
        if subscription.id in self._tasks:
            waiting = self._next.get(subscription.id)
            self._next[subscription.id] = subscription, _merged(waiting[1] if waiting else None, notice)
        elif len(self._tasks) >= MOST:
            metrics.push_lost()
        else:
            task = asyncio.create_task(self._work(account, subscription, notice))
            self._tasks[subscription.id] = task

    def forget(self, id: str) -> None:  # noqa: A002 - the name in the contract
        """The subscription was removed: nothing more of what is under way is sent."""
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()

    async def settled(self) -> None:
        """Returns when nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def aclose(self, seconds: float) -> None:
        """Ends: what is under way has ``seconds`` left."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        left = [*self._tasks.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _work(self, account: str, subscription: Subscription, notice: Notice) -> None:
        try:
            while True:
                outcome = await self._pusher.push(subscription, notice)
                self.losses.record(account, subscription.id, outcome)
                waiting = self._next.pop(subscription.id, None)
                if waiting is None or self.losses.is_over(subscription.id):
                    return
                subscription, notice = waiting
        finally:
            self._next.pop(subscription.id, None)
            del self._tasks[subscription.id]


def _merged(first: Notice | None, then: Notice) -> Notice:
    """Both in one: the token from before the first, and sender and subject of the newest message."""
    if not isinstance(first, Change) or not isinstance(then, Change):
        return then
    folders = tuple(dict.fromkeys((*first.folders, *then.folders))) if first.folders and then.folders else ()
    return replace(
        then, token=first.token, folders=folders, events=first.events | then.events, alert=then.alert or first.alert
    )
