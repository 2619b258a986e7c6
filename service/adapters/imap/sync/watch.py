"""The watch of a mailbox: one connection, shared by all listeners.

NOTIFY reports news of every folder over one connection (RFC 5465). IDLE reports those of the inbox (RFC 2177); the
listeners look at the other folders each time IDLE is renewed. Without either, they look at intervals. A listener that
is woken looks by its own sync token, so nothing depends on what the server said, nor on what was missed while the
connection was lost: after each loss all listeners are woken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import random

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.pool import Lane, Pool
from service.adapters.imap.session.selection import select
from service.mail.changes import WatchHealth
from service.mail.errors import MailError, UpstreamError, UpstreamUnavailable
from service.telemetry.metrics import Live, watch_losses

PROBE_SECONDS = 45.0
"""A dead connection is found within a minute. With IDLE, news of other folders may be this old too."""
POLL_SECONDS = 30.0
"""Between two looks at a server that has neither NOTIFY nor IDLE."""
RENAMED_SECONDS = 300.0
"""Between two looks with NOTIFY: Dovecot does not report a folder that was renamed."""
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
    heard_at: float | None = None
    event_at: float | None = None
    losses: int = 0


_watches = Live(
    "casella_watches",
    "Watched mailboxes, by the mode of their watch.",
    "mode",
    lambda watcher: {watcher.health.mode: 1} if isinstance(watcher, Watcher) and watcher.is_running else {},
)


class Watcher:
    """Runs as long as there are listeners."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
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
        return WatchHealth(mode=health.mode, heard_seconds_ago=heard, event_seconds_ago=event, losses=health.losses)

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
        self._health.mode = "none"

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
            self._health.mode = "poll"
            self._wake()
            await asyncio.sleep(POLL_SECONDS)
        while True:
            began = asyncio.get_running_loop().time()
            try:
                async with self._pool.connection(Lane.WATCH) as connection:
                    await self._watch(connection)
            except MailError:
                self._health.losses += 1
                watch_losses.inc()
                self._wake()
            finally:
                self._connection = None
                self._health.mode = "down"
            if asyncio.get_running_loop().time() > began + PROBE_SECONDS:
                pause = least
            await asyncio.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - so that not all watches come back at once
            pause = min(pause * 2, most)

    async def _watch(self, connection: Connection) -> None:
        self._connection = connection
        connection.listen(self._wake)
        try:
            if "NOTIFY" in connection.capabilities and await self._is_notified(connection):
                await self._by_notify(connection)
            if "IDLE" in connection.capabilities:
                await self._by_idle(connection)
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
        self._health.mode = "notify"
        self._wake()
        while True:
            for _ in range(int(RENAMED_SECONDS / PROBE_SECONDS)):
                await connection.wait_closed(PROBE_SECONDS)
                await connection.probe()
            self._wake()

    async def _by_idle(self, connection: Connection) -> None:
        await select(connection, INBOX)
        self._health.mode = "idle"
        while True:
            self._wake()
            await connection.idle(PROBE_SECONDS)

    async def _by_polling(self, connection: Connection) -> None:
        self._health.mode = "poll"
        while True:
            self._wake()
            await connection.wait_closed(POLL_SECONDS)
            await connection.probe()
