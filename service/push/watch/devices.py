"""The pushes to the devices of one mailbox."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import uniform

import structlog

from service.mail.backend import Backend
from service.mail.errors import StoreUnavailable
from service.push.model import MOST_FAILURES, Event, Notice, Outcome, SignInAgain, Subscription
from service.push.watch.content import read_subscription
from service.push.watch.news import News, alert_of
from service.push.watch.tools import Tools
from service.store.model import Claim, Item, Lost
from service.telemetry import metrics

_LONGEST = 6 * 3600.0
"""Between two attempts, so that the last failure comes a day after the first."""
_log = structlog.get_logger("service.push.watch")


@dataclass(slots=True)
class _Device:
    subscription: Subscription
    failures: int
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Something happened while the device is owed a push."""
    debt: "asyncio.Task[None] | None" = None


class Devices:
    """Those of one claim. A device whose push failed is owed one: it is tried again by itself, so that it holds up no
    other, and one push says all that happened meanwhile."""

    account = ""
    """The account's id, once it is known."""

    def __init__(self, tools: Tools, claim: Claim) -> None:
        self._tools, self._claim = tools, claim
        self._devices: dict[str, _Device] = {}
        self._is_over = False

    def replace(self, items: Iterable[Item]) -> None:
        """The subscriptions as the store has them now."""
        before, self._devices, self._is_over = self._devices, {}, False
        for item in items:
            subscription = read_subscription(item.content)
            known = before.get(item.id)
            if known is not None and known.subscription == subscription:
                self._devices[item.id] = before.pop(item.id)
            else:
                self._devices[item.id] = _Device(subscription, item.failures)
        for device in before.values():
            _cancel(device)
        for device in self._devices.values():
            self._owe(device)

    async def push(self, news: News, mailbox: Backend) -> bool:
        """Hands the news over to each device that wants them. Returns whether there was one. Raises Lost, or
        StoreUnavailable if that is unknown; then nothing was sent, or some of it."""
        wanting = [
            (device, change) for device in self._live() if (change := news.for_subscription(device.subscription))
        ]
        if not wanting:
            return False
        notices: list[tuple[_Device, Notice]] = []
        for device, change in wanting:
            if device.subscription.with_alert and news.changes and Event.CREATED in change.events:
                change = replace(change, alert=await alert_of(mailbox, news.changes, change.folders))
            notices.append((device, change))
        await self._send(notices)
        return True

    async def ask_to_sign_in(self) -> None:
        """Raises as ``push``."""
        notice = SignInAgain(self.account, datetime.now(UTC))
        await self.aclose()
        await self._send([(device, notice) for device in self._live()], is_last=True)

    async def aclose(self) -> None:
        """Ends what is under way. What is owed, the store knows."""
        self._is_over = True
        tasks = [device.debt for device in self._devices.values() if device.debt]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _live(self) -> list[_Device]:
        now = datetime.now(UTC)
        return [device for device in self._devices.values() if device.subscription.expires_at > now]

    async def _send(self, notices: list[tuple[_Device, Notice]], *, is_last: bool = False) -> None:
        for device, _ in notices:
            device.news.set()
        ready = [(device, notice) for device, notice in notices if is_last or not device.failures]
        if ready:
            await self._tools.require_held(self._claim)
            await asyncio.gather(*(self._push(*each) for each in ready))

    async def _push(self, device: _Device, notice: Notice, *, counts: bool = True) -> None:
        outcome = await self._outcome(device.subscription, notice)
        metrics.watch_push(outcome)
        with suppress(StoreUnavailable):
            await self._note(device, outcome, counts=counts)

    async def _outcome(self, subscription: Subscription, notice: Notice) -> Outcome:
        try:
            async with asyncio.timeout(self._tools.timing.hand_over):
                return await self._tools.pusher.push(subscription, notice)
        except TimeoutError:
            return Outcome.FAILED
        except Exception as error:
            _log.exception("a push raised an error", kind=type(error).__name__)
            return Outcome.FAILED

    async def _note(self, device: _Device, outcome: Outcome, *, counts: bool) -> None:
        id = device.subscription.id  # noqa: A001
        failed_before = device.failures
        device.failures = 0 if outcome is Outcome.DELIVERED else failed_before + (counts or not failed_before)
        if outcome is Outcome.GONE or device.failures >= MOST_FAILURES:
            device.failures = 0
            self._devices.pop(id, None)
            await self._tools.store.subscriptions.drop(self._claim, id)
            return
        self._owe(device)
        if device.failures != failed_before:
            await self._tools.store.subscriptions.count(id, device.failures)

    def _owe(self, device: _Device) -> None:
        is_known = self._devices.get(device.subscription.id) is device
        if device.failures and device.debt is None and is_known and not self._is_over:
            device.debt = asyncio.create_task(self._pay(device))
            device.debt.add_done_callback(lambda _: self._paid(device))

    def _paid(self, device: _Device) -> None:
        device.debt = None
        self._owe(device)  # it failed again just now

    async def _pay(self, device: _Device) -> None:
        """Tries until the device has a push. News make it try earlier, though not more often than at first, and such
        attempts do not count."""
        timing, due = self._tools.timing, time.monotonic() + uniform(0, self._tools.timing.retry)  # noqa: S311
        while device.failures:
            device.news.clear()
            await asyncio.sleep(min(timing.retry, due - time.monotonic()))
            await _either(device.news, due)
            try:
                await self._tools.require_held(self._claim)
            except (StoreUnavailable, Lost):  # the worker ends a watch that is lost
                due = time.monotonic() + timing.retry
                continue
            is_due = time.monotonic() >= due
            await self._push(device, self._anything(device), counts=is_due)
            if is_due:
                due = time.monotonic() + min(timing.retry * 2**device.failures, _LONGEST)

    def _anything(self, device: _Device) -> Notice:
        change = News(self.account).for_subscription(device.subscription)
        assert change is not None
        return change


async def _either(event: asyncio.Event, at: float) -> None:
    """Returns at this moment, or when the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0, at - time.monotonic())):
            await event.wait()


def _cancel(device: _Device) -> None:
    if device.debt is not None:
        device.debt.cancel()
