"""The watch of a mailbox: one connection, shared by all listeners.

NOTIFY reports news of every folder over one connection (RFC 5465). IDLE reports those of the inbox (RFC 2177); the
listeners look at the other folders at intervals. Without either, they look at all folders at intervals. Until IDLE was
seen to report something, it is kept short, and the server is asked after each.

A listener that is woken looks by its own sync token, so nothing depends on what the server said, nor on what was missed
while the connection was lost: after each loss all listeners are woken.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from random import random

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.holds import Held
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.selection import select
from service.adapters.imap.sync.news_record import AT_ONCE, NewsRecord, is_news
from service.mail.changes import WatchHealth
from service.mail.errors import MailError, UpstreamError, UpstreamUnavailable
from service.telemetry.metrics import Live, watch_losses

PROBE_SECONDS = 45.0
"""A dead connection is found within a minute. With IDLE, news of other folders may be this old too."""
UNPROVEN_SECONDS = 10.0
"""The length of an IDLE that may report nothing."""
POLL_SECONDS = 30.0
"""Between two looks at a server that has neither NOTIFY nor IDLE."""
RENAMED_SECONDS = 300.0
"""Between two looks with NOTIFY: Dovecot does not report a folder that was renamed."""
EARLY_SECONDS = 1.0
"""If the server ends an IDLE sooner, it has none."""
LATEST_SECONDS = 3.0
"""How old news are at most that the server reports itself, with the pause before listeners are woken."""
BACKOFF_SECONDS = (1.0, 300.0)
SETTLE_SECONDS = (0.05, 2.0)
"""Between news and waking, so that news that come together wake once. It doubles, from the first to the second, each
time that news come within the pause after a wake-up: a flood costs every listener one look in two seconds."""
INBOX = b"INBOX"


class Listener:
    """See ``mail.changes.Watch``."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def wake(self) -> None:
        self._news.set()


@dataclass(slots=True)
class Health:
    """The state of the watch. Times are of the event loop's clock."""

    mode: str = "none"
    """``notify``, ``idle``, ``poll``, ``down`` while it has no connection, ``none`` while there are no listeners."""
    inbox_within: float | None = None
    """How many seconds old news of the inbox may be, and those of other folders; None while it has no connection."""
    others_within: float | None = None
    heard_at: float | None = None
    event_at: float | None = None
    losses: int = 0

    def describe(self, mode: str, inbox: float | None = None, others: float | None = None) -> None:
        """Note how the mailbox is watched from now on."""
        self.mode, self.inbox_within, self.others_within = mode, inbox, others


_watches = Live(
    "casella_watches",
    "Watched mailboxes, by the mode of their watch.",
    "mode",
    lambda watcher: {watcher.health.mode: 1} if isinstance(watcher, Watcher) and watcher.is_running else {},
)


class Watcher:
    """Runs as long as there are listeners."""

    def __init__(self, pool: Pool, record: NewsRecord | None = None) -> None:
        self._pool = pool
        self._record = record or NewsRecord()
        self._idle_from = self._idle_until = inf
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._pause = SETTLE_SECONDS[0]
        self._woken_at = float("-inf")
        self._connection: Connection | None = None
        self._health = Health()
        _watches.add(self)

    @property
    def is_running(self) -> bool:
        """Whether there are listeners."""
        return self._task is not None

    @property
    def health(self) -> Health:
        """The state at this moment."""
        if self._connection is not None:
            self._health.heard_at = self._connection.heard_at
        return self._health

    def report(self) -> WatchHealth | None:
        """Its health as the port has it; None while there are no listeners."""
        if not self.is_running:
            return None
        health, now = self.health, asyncio.get_running_loop().time()
        heard, event = (None if when is None else round(now - when, 1) for when in (health.heard_at, health.event_at))
        return WatchHealth(
            mode=health.mode,
            inbox_within_seconds=health.inbox_within,
            others_within_seconds=health.others_within,
            heard_seconds_ago=heard,
            event_seconds_ago=event,
            losses=health.losses,
        )

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """A listener, woken by all news from now on."""
        listener = Listener()
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self.aclose()

    async def aclose(self) -> None:
        """End the watch. Listeners that are left are not woken any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._health.describe("none")

    def _hear(self, response: bytes) -> None:
        """Takes in an untagged response. News count for or against the server's IDLE, except at its beginning."""
        now = asyncio.get_running_loop().time()
        if now >= self._idle_from and is_news(response):
            self._record.note(in_time=now < self._idle_until)
            self._idle_from = inf  # the others belong to the same news
        elif self._health.mode == "notify" and is_news(response):
            self._record.is_notify_proven = True
        self._wake()

    def _wake(self) -> None:
        """Wake all listeners soon. News right after a wake-up make the pause longer, quiet makes it short again."""
        if self._settling is None:
            loop = asyncio.get_running_loop()
            now, (least, most) = loop.time(), SETTLE_SECONDS
            self._health.event_at = now
            self._pause = min(self._pause * 2, most) if now <= self._woken_at + self._pause else least
            self._settling = loop.call_later(self._pause, self._wake_all)

    def _wake_all(self) -> None:
        self._settling = None
        self._woken_at = asyncio.get_running_loop().time()
        for listener in self._listeners:
            listener.wake()

    async def _run(self) -> None:
        """Watches until cancelled. After each loss all listeners are woken, because of what was missed; the pauses grow
        while it fails."""
        least, most = BACKOFF_SECONDS
        pause = least
        while self._pool.limit < 2:  # the watch would take the only connection
            self._health.describe("poll", POLL_SECONDS, POLL_SECONDS)
            self._wake()
            await asyncio.sleep(POLL_SECONDS)
        while True:
            began = asyncio.get_running_loop().time()
            try:
                async with Held(self._pool, None, Lane.WATCH) as connection:
                    await self._watch(connection)
            except MailError:
                self._health.losses += 1
                watch_losses.inc()
                self._wake()
            finally:
                self._connection = None
                self._health.describe("down")
            if asyncio.get_running_loop().time() > began + PROBE_SECONDS:
                pause = least
            await asyncio.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - so that not all watches come back at once
            pause = min(pause * 2, most)

    async def _watch(self, connection: Connection) -> None:
        self._connection = connection
        self._idle_from = self._idle_until = inf
        connection.listen(self._hear)
        try:
            if "NOTIFY" in connection.capabilities and await self._is_notified(connection):
                await self._by_notify(connection)
            if "IDLE" in connection.capabilities:
                with suppress(UpstreamError):  # refused, though it was announced
                    await self._by_idle(connection)
                connection.disable("IDLE")
            await self._by_polling(connection)
        finally:
            connection.listen(None)
            # The server would go on reporting news on it.
            connection.fail(UpstreamUnavailable("The watch is over.", protocol="imap"))

    async def _is_notified(self, connection: Connection) -> bool:
        try:
            await connection.notify()
        except UpstreamError:
            connection.disable("NOTIFY")
            return False
        return True

    async def _by_notify(self, connection: Connection) -> None:
        """Until NOTIFY was seen to report something, the listeners look at each probe."""
        while True:
            is_proven = self._record.is_notify_proven
            within = LATEST_SECONDS if is_proven else PROBE_SECONDS
            self._health.describe("notify", within, within)
            self._wake()
            for _ in range(int(RENAMED_SECONDS / PROBE_SECONDS) if is_proven else 1):
                await connection.wait_closed(PROBE_SECONDS)
                await connection.probe()

    async def _by_idle(self, connection: Connection) -> None:
        await select(connection, INBOX)
        loop = asyncio.get_running_loop()
        while True:
            self._wake()
            end = loop.time() + PROBE_SECONDS
            while (left := end - loop.time()) > 0:
                await self._idle_once(connection, left)

    async def _idle_once(self, connection: Connection, seconds: float) -> None:
        """One IDLE, and a NOOP that shows what it did not report."""
        is_proven = self._record.is_proven
        if not is_proven:
            seconds = min(seconds, UNPROVEN_SECONDS)
        within = LATEST_SECONDS if is_proven else UNPROVEN_SECONDS
        self._health.describe("poll" if self._record.is_silent else "idle", within, PROBE_SECONDS)
        now = asyncio.get_running_loop().time()
        self._idle_from, self._idle_until = now + AT_ONCE, now + seconds
        await connection.idle(seconds)
        if asyncio.get_running_loop().time() < now + min(seconds, EARLY_SECONDS):
            await connection.wait_closed(min(seconds, UNPROVEN_SECONDS))  # a server that ends each IDLE at once
        await connection.probe()
        self._idle_from = inf

    async def _by_polling(self, connection: Connection) -> None:
        self._health.describe("poll", POLL_SECONDS, POLL_SECONDS)
        while True:
            self._wake()
            await connection.wait_closed(POLL_SECONDS)
            await connection.probe()
