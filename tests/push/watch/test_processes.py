"""Replicas that die, stop and end while mail arrives: `make watchers` does the same with 500 mailboxes."""

import asyncio
import signal
import time

import pytest

from tests.push.watch.drill import Drill
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dovecot
QUICK = {"heartbeat_seconds": 0.3, "dead_seconds": 1.5, "logins_per_second": 500}


async def test_one_of_three_is_killed_and_another_is_paused(dovecot: Dovecot, postgres: Postgres) -> None:
    """R-CONC-22: all that arrived is told once the system is whole, and no mailbox is watched by two."""
    async with Drill(dovecot, postgres.url(), 30, settings=QUICK) as drill:
        killed, paused, left = drill.replicas
        counts = await drill.all_watched(drill.replicas, 60)
        over = asyncio.Event()
        delivering = asyncio.create_task(drill.deliver_until(over, 0.02))
        try:
            await _until_balanced(drill, counts)
            killed.send(signal.SIGKILL)
            paused.send(signal.SIGSTOP)
            await drill.all_watched([left], 60)
        finally:
            paused.send(signal.SIGCONT)
        counts = await drill.all_watched([paused, left], 60)
        assert "was silent for too long" in paused.log
        over.set()
        await delivering
        await drill.all_told(30)
        assert sum(await drill.watched([paused, left])) == 30
        for replica in (paused, left):
            replica.send(signal.SIGTERM)
        await asyncio.gather(*(replica.ended(30) for replica in (paused, left)))
        assert await drill.behind() == []


async def _until_balanced(drill: Drill, counts: list[int]) -> None:
    deadline = time.monotonic() + 60
    while min(counts) < 8:
        assert time.monotonic() < deadline, counts
        counts = await drill.watched(drill.replicas)
        await asyncio.sleep(0.1)


async def test_one_that_ends_leaves_its_mailboxes_at_once(dovecot: Dovecot, postgres: Postgres) -> None:
    """R-CONC-22: long before it would count as dead. Nothing is missed, and hardly anything is told twice."""
    async with Drill(dovecot, postgres.url(), 10, count=2, settings={**QUICK, "dead_seconds": 60}) as drill:
        ending, left = drill.replicas
        await drill.all_watched(drill.replicas, 60)
        ending.send(signal.SIGTERM)
        await asyncio.gather(*map(drill.deliver, drill.users))
        assert await ending.ended(30) == 0
        ended_at = time.monotonic()
        await drill.all_watched([left], 10)
        assert time.monotonic() - ended_at < 5
        await drill.all_told(10)
        assert all(len(pushes) <= 3 for pushes in drill.pushed.values())
