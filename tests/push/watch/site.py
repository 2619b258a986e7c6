"""A service that watches, in this process, and a pusher that records what it is given."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from fastapi import FastAPI

from service.accounts.credentials import Credentials
from service.app import create_app
from service.mail.model import Protocol
from service.push.model import Change, Kind, Notice, Outcome, Subscription
from service.push.watch.tools import Tools
from service.push.watch.watching import Watching
from service.settings.model import Settings
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

KEYS = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"]
SECONDS = 20.0
QUICK = {"heartbeat_seconds": 0.3, "dead_seconds": 1.5, "logins_per_second": 500}


@dataclass(frozen=True)
class Pushed:
    """A push, and when it was handed over."""

    subscription: Subscription
    notice: Notice
    at: float


@dataclass
class Recorder:
    """Implements ``Pusher``. ``outcome`` may be replaced."""

    pushed: list[Pushed] = field(default_factory=list)
    outcome: Callable[[Subscription], Outcome] = lambda _: Outcome.DELIVERED

    async def push(self, subscription: Subscription, notice: Notice) -> Outcome:
        self.pushed.append(Pushed(subscription, notice, time.monotonic()))
        return self.outcome(subscription)

    def of(self, subscription: Subscription) -> list[Pushed]:
        return [each for each in self.pushed if each.subscription.id == subscription.id]

    async def next(self, subscription: Subscription, after: int = 0, seconds: float = SECONDS) -> Pushed:
        """The push with this number, counted from 0."""
        await until(lambda: len(self.of(subscription)) > after, seconds)
        return self.of(subscription)[after]

    def changes(self, subscription: Subscription) -> list[Change]:
        return [each.notice for each in self.of(subscription) if isinstance(each.notice, Change)]


@dataclass
class Site:
    """A running service."""

    app: FastAPI
    recorder: Recorder

    @property
    def watching(self) -> Watching:
        watching: Watching = self.app.state.watching
        return watching

    @property
    def tools(self) -> Tools:
        return self.watching._tools

    async def subscribe(self, credentials: Credentials, **changes: Any) -> Subscription:
        """As the routes do once the device has shown its code. Returns when the mailbox is watched."""
        subscription = subscription_of(**changes)
        await self.watching.keeper(credentials).keep(subscription)
        await until(lambda: self.is_watched(credentials))
        return subscription

    def is_watched(self, credentials: Credentials) -> bool:
        watches = self.watching._worker._watches.values()
        return any(watch._devices.account == credentials.account and watch.mode != "waiting" for watch, _ in watches)


def subscription_of(device: str = "phone", **changes: Any) -> Subscription:
    subscription = Subscription(
        id=f"p_{token_hex(8)}",
        kind=Kind.WEB_PUSH,
        endpoint=f"https://push.example.org/{token_hex(8)}",
        device=device,
        expires_at=datetime.now(UTC) + timedelta(days=7),
        code=token_hex(8),
        is_verified=True,
    )
    return replace(subscription, **changes)


def settings_of(dovecot: Dovecot, url: str, **more: Any) -> Settings:
    ports = {"imap": dovecot.ports.imap, "pop3": dovecot.ports.pop3}
    servers = {"home": {each: {"host": HOST, "port": port, "security": "none"} for each, port in ports.items()}}
    store = {"url": url, **QUICK, **more.pop("store", {})}
    return Settings(servers=servers, default_server="home", **{"secret_keys": KEYS[:1], **more}, store=store)


@asynccontextmanager
async def running(settings: Settings, recorder: Recorder | None = None, **timing: Any) -> AsyncIterator[Site]:
    recorder = recorder or Recorder()
    app = create_app(settings, pusher=recorder)
    site = Site(app, recorder)
    if timing:
        site.watching._worker._tools = site.watching._tools = replace(
            site.tools, timing=replace(site.tools.timing, **timing)
        )
    async with app.router.lifespan_context(app):
        yield site


def credentials_of(user: str, password: str = PASSWORD, protocol: Protocol = Protocol.IMAP) -> Credentials:
    return Credentials("home", protocol, user, password)


async def until(is_so: Callable[[], bool], seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.005)
