"""Sends a push, and tries it again: bounded in time, and in how much is sent at once, to one host and in all."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import uniform
from urllib.parse import urlsplit

import structlog
from cachetools import TTLCache

from service.push.model import Kind, Notice, Outcome, Subscription
from service.push.sending.exchange import Answer, Courier, NotPossible, Post, Unreachable, Verdict
from service.telemetry import metrics

AT_ONCE, HOST_AT_ONCE = 128, 16
HOST_WAITING = 500
"""Pushes that wait for one host. Beyond it they fail at once, so that a host that hangs does not fill the memory."""
WAITS = (0.0, 1.0, 5.0, 15.0)
"""Seconds before each try, of which the second half is left to chance."""
MAX_SECONDS = 90.0
REST_SECONDS = 5.0
"""How long a host is left alone that did not answer ``LOSSES`` times in a row."""
LOSSES = 3
_HOSTS = 10_000
"""How many silent hosts are remembered."""
_log = structlog.get_logger("service.push")


class _Host:
    """What is under way to one host."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(HOST_AT_ONCE)
        self.users = 0


class Sender:
    """Implements ``Pusher``."""

    def __init__(self, couriers: Mapping[Kind, Courier]) -> None:
        self.kinds = tuple(couriers)
        self._couriers = dict(couriers)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._hosts: dict[str, _Host] = {}
        self._silent: TTLCache[str, int] = TTLCache(_HOSTS, REST_SECONDS)

    async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
        """At most ``MAX_SECONDS``. Does not raise."""
        try:
            async with asyncio.timeout(MAX_SECONDS):
                outcome = await self._push(subscription, notice)
        except (TimeoutError, Unreachable):
            outcome = Outcome.FAILED
        except Exception as error:
            _log.error("push", kind=subscription.kind, error=type(error).__name__)
            outcome = Outcome.FAILED
        metrics.pushed(subscription.kind, outcome)
        return outcome

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in {id(each.transport): each.transport for each in self._couriers.values()}.values():
            await transport.aclose()

    async def _push(self, subscription: Subscription, notice: Notice) -> Outcome:
        courier = self._couriers.get(subscription.kind)
        if courier is None or subscription.expires_at <= datetime.now(UTC):
            return Outcome.GONE
        request: Post | None = None
        wait = 0.0
        for pause in WAITS:
            await asyncio.sleep(max(wait, uniform(pause / 2, pause)))  # noqa: S311 - no secret
            try:
                request = request or await courier.post(subscription, notice, datetime.now(UTC))
                answer = await self._send(courier, request)
            except NotPossible:
                return Outcome.GONE
            except Unreachable:
                continue
            match courier.verdict(answer):
                case Verdict.DELIVERED:
                    return Outcome.DELIVERED
                case Verdict.GONE:
                    return Outcome.GONE
                case Verdict.FAILED:
                    return Outcome.FAILED
                case Verdict.LATER:
                    request = request if answer.status not in {401, 403} else None
                    wait = answer.retry_after or 0.0
        return Outcome.FAILED

    async def _send(self, courier: Courier, request: Post) -> Answer:
        name = urlsplit(request.url).netloc
        async with self._turn(name):
            losses = self._silent.get(name, 0)
            if losses >= LOSSES:
                raise Unreachable
            try:
                answer = await courier.transport.post(request)
            except Unreachable:
                self._silent[name] = losses + 1
                raise
            self._silent.pop(name, None)
            return answer

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """First one of the host's turns, so that those who wait for it hold none of all."""
        host = self._hosts.setdefault(name, _Host())
        if host.users >= HOST_WAITING:
            raise Unreachable
        host.users += 1
        try:
            async with host.turns, self._turns:
                yield
        finally:
            host.users -= 1
            if not host.users:
                del self._hosts[name]
