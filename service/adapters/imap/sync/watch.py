"""One watch a mailbox, shared by all who listen to it.

By NOTIFY every folder is heard over one connection (RFC 5465); by IDLE the inbox (RFC 2177), and the others are
looked at each time IDLE is asked for anew; without either, all of them are looked at now and then. Who is woken looks
by a mark of their own, so nothing depends on what the server said, nor on what was missed while the connection was
lost: after each loss everybody is woken.
"""

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
"""A dead connection is found within a minute; by IDLE this is also how old news of other folders may be."""
POLL_SECONDS = 30.0
"""Between two looks at a server that tells nothing by itself."""
RENAMED_SECONDS = 300.0
"""Between two looks beside NOTIFY: Dovecot says nothing of a folder that was renamed."""
BACKOFF_SECONDS = (1.0, 300.0)
SETTLE_SECONDS = 0.05
"""News that come close together wake once."""
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
    """How the watch fares. Times are of the event loop's clock."""

    mode: str = "none"
    """``notify``, ``idle``, ``poll``, ``down`` while it has no connection, ``none`` while nobody listens."""
    heard_at: float | None = None
    event_at: float | None = None
    losses: int = 0


_watches = Live(
    "casella_watches",
    "Mailboxes that somebody listens to, by how they are heard.",
    "mode",
    lambda one: {one.health.mode: 1} if isinstance(one, Watcher) and one.is_running else {},
)


class Watcher:
    """Runs as long as somebody listens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None
        self._health = Health()
        _watches.add(self)

    @property
    def is_running(self) -> bool:
        """Whether somebody listens."""
        return self._task is not None

    @property
    def health(self) -> Health:
        """As it is now."""
        if self._connection is not None:
            self._health.heard_at = self._connection.heard_at
        return self._health

    def told(self) -> WatchHealth | None:
        """Its health for others; None where nobody listens."""
        if not self.is_running:
            return None
        health, now = self.health, asyncio.get_running_loop().time()
        heard, event = (None if at is None else round(now - at, 1) for at in (health.heard_at, health.event_at))
        return WatchHealth(mode=health.mode, heard_seconds_ago=heard, event_seconds_ago=event, losses=health.losses)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listener]:
        """A listener, from its first moment on."""
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
        """End the watch; who still listens hears nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._health.mode = "none"

    def _wake(self) -> None:
        if self._settling is None:
            loop = asyncio.get_running_loop()
            self._health.event_at = loop.time()
            self._settling = loop.call_later(SETTLE_SECONDS, self._wake_all)

    def _wake_all(self) -> None:
        self._settling = None
        for listener in self._listeners:
            listener.wake()

    async def _run(self) -> None:
        """Again and again, later and later while it fails; who came back is woken, because of what was missed."""
        least, most = BACKOFF_SECONDS
        pause = least
        while self._pool.limit < 2:  # it would be everybody's
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
            await asyncio.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - so that not all come back at once
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
            # The server would go on telling.
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
