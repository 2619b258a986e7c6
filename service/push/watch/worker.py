"""This process among those that watch: it reports that it is alive, claims its share of the mailboxes, and frees those
of the dead."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import ceil
from random import uniform
from secrets import token_hex

import structlog

from service.mail.errors import StoreUnavailable
from service.push.watch.mailbox import MailboxWatch
from service.push.watch.tools import Tools
from service.store.model import Claim, Dead, Held
from service.telemetry import metrics
from service.telemetry.metrics import Live

MOST_AT_ONCE = 500
"""Mailboxes claimed in one round, and a fifth of it given back."""
SLACK = 1.1
"""How far above its share a worker may be, so that mailboxes do not go to and fro."""
LAST_SECONDS = 5.0
"""For the marks of watches that end. A mark that is not kept leads to pushes that say the same again."""
SWEEP_SECONDS = 60.0
SETTLE_SECONDS = 0.05
"""Between two rounds: subscriptions that come together need one."""
_log = structlog.get_logger("service.push.watch")
_watched = Live(
    "casella_mailboxes_watched",
    "Mailboxes watched for phones that sleep, by mode.",
    "mode",
    lambda worker: worker.modes() if isinstance(worker, Worker) else {},
)


class Worker:
    """Runs until cancelled; then ``aclose`` leaves its mailboxes to others."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._queue = tools, tools.store.watches
        self._name = ""
        self._watches: dict[str, tuple[MailboxWatch, asyncio.Task[None]]] = {}
        self._swept_at = self._reported_at = self._steady_since = 0.0
        _watched.add(self)

    @property
    def name(self) -> str:
        """What this process is called in the store; empty while it has no name there."""
        return self._name

    def modes(self) -> Mapping[str, float]:
        """How many mailboxes are watched in each mode."""
        return Counter(watch.mode for watch, _ in self._watches.values())

    async def run(self) -> None:
        """A round whenever the bell rings, and at each beat."""
        while True:
            try:
                await self._round()
            except StoreUnavailable:
                pass  # the database notes it; what is watched goes on
            except Dead:
                _log.warning("this process was silent for too long, and others have its mailboxes")
                await self._end(list(self._watches))
                self._name = ""
                continue
            except Exception as error:
                _log.exception("a round failed", kind=type(error).__name__)
            await asyncio.sleep(SETTLE_SECONDS)
            await self._tools.store.bell.wait(self._tools.timing.beat * uniform(0.8, 1.0))  # noqa: S311

    async def aclose(self) -> None:
        """Ends all watches, and leaves the mailboxes to others at once."""
        await self._end(list(self._watches))
        if self._name:
            await self._queue.leave(self._name)

    async def _round(self) -> None:
        began = time.monotonic()
        if not self._name:
            name = token_hex(16)
            await self._queue.join(name)
            self._name = name
        held = await self._queue.report(self._name)
        self._tools.lease.renew(began)
        await self._follow(held)
        if self._is_steady(began):
            metrics.mailboxes_taken_over(await self._queue.reap(self._tools.timing.dead))
        await self._balance()
        if began > self._swept_at + SWEEP_SECONDS:
            self._swept_at = began
            await self._tools.store.subscriptions.sweep()

    def _is_steady(self, began: float) -> bool:
        """Whether this worker has reported for long enough to tell who is dead. After the store was away all have been
        silent, and the first to come back must not free the mailboxes of all others."""
        dead = self._tools.timing.dead
        if began > self._reported_at + dead:
            self._steady_since = began
        self._reported_at = began
        return began >= self._steady_since + dead

    async def _follow(self, held: Iterable[Held]) -> None:
        """Watches what the store says that this worker holds, and nothing else."""
        known = {each.claim.id: each for each in held}
        await self._end([each for each, (watch, _) in self._watches.items() if not _is_same(watch, known.get(each))])
        for each in known.values():
            if each.claim.id not in self._watches:
                self._begin(each.claim)
                continue
            watch, _ = self._watches[each.claim.id]
            if watch.revision not in (-1, each.revision):
                watch.reload()

    async def _balance(self) -> None:
        total, workers = await self._queue.share()
        share, mine = ceil(total / workers), len(self._watches)
        if mine < share:
            claims = await self._queue.claim(self._name, min(share - mine, MOST_AT_ONCE))
            metrics.mailboxes_claimed(len(claims))
            for claim in claims:
                self._begin(claim)
            if len(claims) == MOST_AT_ONCE:
                self._tools.store.bell.wake()
        elif mine > share * SLACK + 1:
            surplus = list(self._watches)[: min(mine - share, MOST_AT_ONCE // 5)]
            claims = [self._watches[each][0].claim for each in surplus]
            await self._end(surplus)
            await self._queue.release(claims)

    def _begin(self, claim: Claim) -> None:
        watch = MailboxWatch(self._tools, claim)
        task = asyncio.create_task(watch.run())
        self._watches[claim.id] = (watch, task)
        task.add_done_callback(lambda _: self._ended(watch))

    def _ended(self, watch: MailboxWatch) -> None:
        """It has ended by itself, unless it was ended here."""
        current = self._watches.get(watch.claim.id)
        if current is not None and current[0] is watch:
            del self._watches[watch.claim.id]

    async def _end(self, ids: Iterable[str]) -> None:
        ending = [self._watches.pop(each) for each in ids]
        for _, task in ending:
            task.cancel()
        await asyncio.gather(*(task for _, task in ending), return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await asyncio.gather(*(watch.aclose() for watch, _ in ending), return_exceptions=True)


def _is_same(watch: MailboxWatch, held: Held | None) -> bool:
    return held is not None and held.claim == watch.claim
