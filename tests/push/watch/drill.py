"""Replicas as processes that watch mailboxes, while mail arrives and they are killed, paused and ended.

async with Drill(dovecot, url, mailboxes=500) as drill:
    drill.replicas[0].send(SIGKILL)
"""

import asyncio
import json
import random
import sys
import time
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.oauth.grants import Grants
from service.push.watch.content import write_subscription
from service.standing.credentials import read_credentials, write_credentials
from service.store.model import Item
from service.store.opened import Store
from service.store.subscriptions import Watched
from tests.deploy.replica import Replica, environment
from tests.push.watch.replica import PORT
from tests.push.watch.site import KEYS, credentials_of, settings_of, subscription_of
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST

MAIL = b"From: Ann <ann@example.org>\r\nSubject: hello\r\n\r\nworld\r\n"
ENTRYPOINT = (sys.executable, "-m", "tests.push.watch.replica")


@dataclass
class Drill:
    """Mailboxes with one device each, and replicas that watch them."""

    dovecot: Dovecot
    url: str
    mailboxes: int
    count: int = 3
    settings: Mapping[str, object] = field(default_factory=dict)
    """Of the store."""
    replicas: list[Replica] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    pushed: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """When pushes for each user came, and from which process."""
    appended: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When mail was delivered to each user."""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        server = await asyncio.start_server(self._take, HOST, 0, backlog=1000)
        self._stack.push_async_callback(_close, server)
        await self._subscribe()
        env = environment(
            self.dovecot, secret_keys=KEYS[0], drain_seconds=0, access_log="false", server_connections=3000
        )
        env |= {PORT: str(server.sockets[0].getsockname()[1]), "CASELLA_STORE__URL": self.url}
        env |= {f"CASELLA_STORE__{name.upper()}": str(value) for name, value in self.settings.items()}
        self.replicas = [Replica(env, ENTRYPOINT) for _ in range(self.count)]
        await asyncio.gather(*(self._stack.enter_async_context(replica) for replica in self.replicas))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _subscribe(self) -> None:
        """Straight into the store, each with a password that works."""
        store = Store(self.url, [b64(KEYS[0])])
        try:
            for number in range(self.mailboxes):
                user = self.dovecot.user(f"drill{number}")
                self.users.append(user)
                credentials, device = credentials_of(user), subscription_of(device=user)
                watched = Watched(credentials.account, write_credentials(credentials))
                item = Item(device.id, write_subscription(device), 0, device.expires_at.timestamp())
                await store.subscriptions.keep(watched, item, "phone", is_active=True)
        finally:
            await store.aclose()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if line := await reader.readline():  # empty if the push was given up before it began
                said: dict[str, Any] = json.loads(line)
                self.pushed[said["device"]].append((time.monotonic(), said["pid"]))
                writer.write(b"taken\n")
                await writer.drain()
        writer.close()

    async def watched(self, replicas: Sequence[Replica]) -> list[int]:
        """How many mailboxes each of them watches, with a connection."""
        async with httpx.AsyncClient(timeout=10) as client:
            pages = await asyncio.gather(*(client.get(replica.metrics_url) for replica in replicas))
        return [int(_value(page.text, "casella_mailboxes_watched", mode="push")) for page in pages]

    async def all_claimed(self, replica: Replica, seconds: float) -> None:
        """Returns once one replica has all mailboxes, connected or in turn to log in."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(timeout=10) as client:
            while _value((await client.get(replica.metrics_url)).text, "casella_mailboxes_watched") < self.mailboxes:
                assert time.monotonic() < deadline, replica.log[-2000:]
                await asyncio.sleep(0.1)

    async def all_watched(self, replicas: Sequence[Replica], seconds: float) -> list[int]:
        """Returns once each mailbox is watched, by one of them."""
        counts: list[int] = []
        deadline = time.monotonic() + seconds
        while sum(counts) != self.mailboxes or not await self._is_settled(replicas):
            assert time.monotonic() < deadline, (counts, [replica.log[-2000:] for replica in replicas])
            await asyncio.sleep(0.1)
            counts = await self.watched(replicas)
        return counts

    async def _is_settled(self, replicas: Sequence[Replica]) -> bool:
        """Whether none of them waits for its turn to log in."""
        async with httpx.AsyncClient(timeout=10) as client:
            pages = [(await client.get(replica.metrics_url)).text for replica in replicas]
        return not sum(_value(page, "casella_mailboxes_watched", mode="waiting") for page in pages)

    async def deliver(self, user: str) -> None:
        """One message by IMAP."""
        await asyncio.to_thread(self.dovecot.append, user, MAIL)
        self.appended[user].append(time.monotonic())

    async def deliver_until(self, over: asyncio.Event, pause: float) -> None:
        """Messages to mailboxes drawn by lot."""
        draw = random.Random(1)
        while not over.is_set():
            await self.deliver(draw.choice(self.users))
            await asyncio.sleep(pause)

    def untold(self) -> list[str]:
        """The users who got mail after their last push."""
        return [user for user, times in self.appended.items() if max(self._pushes(user), default=0) < times[-1]]

    def delays(self, since: float = 0, until: float = float("inf")) -> list[float]:
        """From each message of that time to the push that told of it, in seconds, sorted."""
        found = []
        for user, all_times in self.appended.items():
            pushes, times = self._pushes(user), [at for at in all_times if since <= at < until]
            found += [min((push - at for push in pushes if push >= at), default=float("inf")) for at in times]
        return sorted(found)

    def _pushes(self, user: str) -> list[float]:
        return [at + 0.2 for at, _ in self.pushed[user]]  # an append is noted later than the server has it

    async def behind(self) -> list[str]:
        """The users whose mailbox has changed since its mark. For when no replica runs."""
        settings = settings_of(self.dovecot, self.url)
        store, accounts = Store(self.url, [b64(KEYS[0])]), create_app(settings).state.service.accounts
        found = []
        await store.watches.join("drill")
        while claims := await store.watches.claim("drill", 500):
            for claim in claims:
                work = await store.subscriptions.load(claim)
                assert work is not None
                credentials = read_credentials(work.content, Grants({}, 0))
                async with accounts.mailbox(credentials) as mailbox:
                    if work.mark is None or await mailbox.list_all_changes(work.mark):
                        found.append(credentials.username)
                await accounts.close(credentials)
        await store.aclose()
        return found

    async def all_told(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while missing := self.untold():
            assert time.monotonic() < deadline, missing
            await asyncio.sleep(0.05)


async def _close(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


def b64(key: str) -> bytes:
    """The octets of a key."""
    return urlsafe_b64decode(key + "=")


def _value(text: str, name: str, **labels: str) -> float:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())
