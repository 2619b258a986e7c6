"""Work is held by one worker at a time."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import insert, select, update

from service.store import database
from service.store.model import Claim, Dead, Lost, State
from service.store.opened import Store
from service.store.subscriptions import WATCH
from service.store.tables import work, workers
from tests.servers.postgres import Postgres
from tests.store.opened import keep, opened

MANY, WORKERS = 10_000, 4


async def fill(store: Store, count: int) -> None:
    rows = [
        {"id": f"w{number}", "kind": WATCH, "account": f"a{number}", "name": "", "content": b"", "state": State.LIVE}
        | {"due_at": 0, "epoch": 0, "revision": 0, "failures": 0}
        for number in range(count)
    ]
    async with store.database.begin() as connection:
        await connection.execute(insert(work), rows)


async def claim_all(store: Store, worker: str) -> list[Claim]:
    await store.watches.join(worker)
    claims: list[Claim] = []
    while found := await store.watches.claim(worker, 500):
        claims += found
    return claims


async def test_ten_thousand_are_claimed_once(store_url: str) -> None:
    """R-CONC-20: by four workers at the same time, each with connections of its own."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(store_url)) for _ in range(WORKERS)]
        await fill(stores[0], MANY)
        claims = await asyncio.gather(*(claim_all(store, f"worker{n}") for n, store in enumerate(stores)))
        counts = Counter(claim.id for each in claims for claim in each)
        assert (len(counts), set(counts.values())) == (MANY, {1})
        assert {claim.epoch for each in claims for claim in each} == {1}
        held = [{each.claim for each in await stores[0].watches.report(f"worker{n}")} for n in range(WORKERS)]
        assert held == [set(each) for each in claims]


async def test_what_another_is_just_claiming_is_skipped(postgres: Postgres) -> None:
    """R-CONC-20: workers do not wait for each other."""
    url = postgres.url()
    async with opened(url) as one, opened(url) as other:
        await fill(one, 20)
        await other.watches.join("other")
        locked = select(work.c.id).order_by(work.c.due_at).limit(10).with_for_update()
        async with one.database.begin() as connection:
            mine = set((await connection.scalars(locked)).all())
            others = {claim.id for claim in await other.watches.claim("other", 20)}
        assert (len(mine), len(others), mine & others) == (10, 10, set())


async def silence(store: Store, worker: str, seconds: float) -> None:
    """As if it had reported that long ago."""
    async with store.database.begin() as connection:
        is_it = workers.c.id == worker
        await connection.execute(update(workers).where(is_it).values(beat_at=workers.c.beat_at - seconds))


async def test_a_dead_workers_work_goes_to_others(store_url: str) -> None:
    """R-CONC-21"""
    async with opened(store_url) as store:
        await fill(store, 10)
        first = await claim_all(store, "first")
        await store.watches.join("second")
        assert await store.watches.reap(5) == 0
        await silence(store, "first", 10)
        assert await store.watches.reap(5) == 10
        second = await store.watches.claim("second", 100)
        assert {claim.id for claim in second} == {claim.id for claim in first}
        assert {claim.epoch for claim in second} == {2}


async def test_who_was_declared_dead_does_nothing_more(store_url: str) -> None:
    """R-CONC-21: a worker that was paused finds out at its next effect, report and claim."""
    async with opened(store_url) as store:
        await fill(store, 1)
        [before] = await claim_all(store, "paused")
        await store.watches.join("other")
        await silence(store, "paused", 10)
        await store.watches.reap(5)
        for attempt in (store.watches.require(before), store.watches.advance(before, b"m"), store.watches.fail(before)):
            with pytest.raises(Lost):
                await attempt
        [now] = await store.watches.claim("other", 1)
        with pytest.raises(Lost):
            await store.watches.require(before)
        with pytest.raises(Dead):
            await store.watches.report("paused")
        with pytest.raises(Dead):
            await store.watches.claim("paused", 1)
        await store.watches.release([before])  # no longer its own to release
        await store.watches.require(now)


async def test_who_reports_while_others_reap_stays_alive(postgres: Postgres) -> None:
    """R-CONC-21: the two take turns, and never wait for each other in a circle."""
    url = postgres.url()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(opened(url)) for _ in range(WORKERS)]
        await fill(stores[0], 200)
        for number, store in enumerate(stores):
            await store.watches.join(f"worker{number}")

        async def live(number: int, store: Store) -> None:
            for _ in range(50):
                await store.watches.report(f"worker{number}")
                await store.watches.claim(f"worker{number}", 1)
                assert await store.watches.reap(30) == 0

        await asyncio.gather(*(live(number, store) for number, store in enumerate(stores)))


async def test_what_is_released_is_claimed_at_once(store_url: str) -> None:
    async with opened(store_url) as store:
        await fill(store, 3)
        claims = await claim_all(store, "first")
        await store.watches.release(claims[:1])
        await store.watches.release(claims[1:2], seconds=600)
        await store.watches.join("second")
        assert [claim.id for claim in await store.watches.claim("second", 10)] == [claims[0].id]
        await store.watches.leave("first")
        assert [claim.id for claim in await store.watches.claim("second", 10)] == [claims[2].id]
        assert await store.watches.share() == (3, 1)


async def test_failed_work_waits_for_its_user(store_url: str) -> None:
    async with opened(store_url) as store:
        await keep(store, "ann")
        [claim] = await claim_all(store, "first")
        await store.watches.fail(claim)
        assert await store.watches.claim("first", 10) == []
        await store.subscriptions.remove("ann", "unknown")
        assert await store.watches.claim("first", 10) == []
        await keep(store, "ann")
        assert [each.id for each in await store.watches.claim("first", 10)] == [claim.id]


async def test_the_bell_wakes_other_processes(postgres: Postgres) -> None:
    """Those that listen hear of a new subscription when it is committed."""
    url = postgres.url()
    async with opened(url) as one, opened(url) as other:
        await keep(one, "ann")
        listening = asyncio.create_task(other.bell.listen())
        await other.bell.wait(10)  # it rings once for what happened before it listened
        waiting = asyncio.create_task(other.bell.wait(60))
        await asyncio.sleep(0)
        await keep(one, "bob")
        async with asyncio.timeout(10):
            await waiting
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_ids_of_work_are_not_guessed(store_url: str) -> None:
    async with opened(store_url) as store:
        await keep(store, "ann")
        async with store.database.begin() as connection:
            assert len((await connection.execute(select(work.c.id))).scalar_one()) == 32


async def test_a_worker_that_is_paused_within_a_transaction_holds_up_nobody(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-CONC-21: PostgreSQL ends its session, so that others can free its work."""
    monkeypatch.setattr(database, "_ABANDONED", "set idle_in_transaction_session_timeout = 300")
    url = postgres.url()
    async with opened(url) as store:
        await keep(store, "ann")
        await store.watches.join("paused")
        assert len(await store.watches.claim("paused", 10)) == 1
        silent = await database.connect(url)
        await silent.execute("begin")
        await silent.execute("select 1 from casella_workers for update")
        freed = 0
        async with asyncio.timeout(20):
            while not freed:
                await asyncio.sleep(0.1)
                freed = await store.watches.reap(0)
        silent.terminate()
        await store.watches.join("other")
        assert len(await store.watches.claim("other", 10)) == 1
