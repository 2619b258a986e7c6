"""Subscriptions of an account share one piece of work."""

import asyncio
import time

from sqlalchemy import select

from service.store.model import Full, Item, State
from service.store.subscriptions import Watched
from service.store.tables import subscriptions, work
from tests.store.opened import SECRET, keep, opened
from tests.store.test_queue import claim_all


async def test_devices_share_a_watch(store_url: str) -> None:
    async with opened(store_url) as store:
        for name in ("phone", "tablet"):
            await keep(store, "ann", name=name)
        await keep(store, "bob")
        claims = await claim_all(store, "worker")
        assert len(claims) == 2
        loaded = [await store.subscriptions.load(claim) for claim in claims]
        assert sorted(len(each.items) for each in loaded if each) == [1, 2]
        assert {each.content for each in loaded if each} == {SECRET}


async def test_a_device_is_kept_once(store_url: str) -> None:
    async with opened(store_url) as store:
        await keep(store, "ann", "first")
        await keep(store, "ann", "second")
        assert [each.id for each in await store.subscriptions.all("ann")] == ["second"]
        await asyncio.gather(*(keep(store, "bob", f"at once {number}") for number in range(8)))
        assert len(await store.subscriptions.all("bob")) == 1
        assert await store.subscriptions.all("carl") == []


async def test_replicas_that_add_the_first_one_at_once_make_one_watch(store_url: str) -> None:
    async with opened(store_url) as one, opened(store_url) as other:
        stores = [one, other] * 4
        await asyncio.gather(*(keep(each, "ann", name=f"phone{number}") for number, each in enumerate(stores)))
        assert await one.watches.share() == (1, 1)
        assert len(await one.subscriptions.all("ann")) == len(stores)


async def test_no_more_are_kept_than_there_may_be_even_if_they_come_at_once(store_url: str) -> None:
    async with opened(store_url) as one, opened(store_url) as other:
        came = [keep(store, "ann", name=f"phone{number}", most=3) for number in range(4) for store in (one, other)]
        came += [keep(one, "ann", name=f"tablet{number}", most=3) for number in range(4)]
        ends = await asyncio.gather(*came, return_exceptions=True)
        kept = await one.subscriptions.all("ann")
        assert len(kept) == 3
        assert {type(end) for end in ends} == {Full, type(None)}
        await keep(one, "ann", name=kept[0].id.removeprefix("ann-"), most=3)


async def test_a_device_that_shows_no_code_costs_nothing(store_url: str) -> None:
    """A mailbox is watched from its first verified device on."""
    async with opened(store_url) as store:
        item = Item("new", SECRET, 0, time.time() + 60)
        await store.subscriptions.keep(Watched("ann", SECRET), item, "phone", is_active=False)
        assert await claim_all(store, "worker") == []
        assert len(await store.subscriptions.all("ann")) == 1
        await store.subscriptions.keep(Watched("ann", SECRET, mark=b"mark"), item, "phone", is_active=True)
        [claim] = await store.watches.claim("worker", 10)
        loaded = await store.subscriptions.load(claim)
        assert loaded is not None
        assert (loaded.mark, [each.id for each in loaded.items]) == (b"mark", ["new"])


async def test_the_last_one_ends_the_watch(store_url: str) -> None:
    async with opened(store_url) as store:
        for name in ("phone", "tablet"):
            await keep(store, "ann", name=name)
        [claim] = await claim_all(store, "worker")
        assert await store.subscriptions.remove("ann", "ann-phone")
        assert not await store.subscriptions.remove("ann", "ann-phone")
        assert not await store.subscriptions.remove("bob", "ann-tablet")
        assert await store.subscriptions.load(claim) is not None
        await store.subscriptions.drop(claim, "ann-tablet")
        assert await store.subscriptions.load(claim) is None
        assert await store.watches.report("worker") == []


async def test_what_expires_is_not_watched_and_goes(store_url: str) -> None:
    async with opened(store_url) as store:
        await keep(store, "ann", seconds=-1)
        await keep(store, "bob", name="phone", seconds=-1)
        await keep(store, "bob", name="tablet")
        assert len(await claim_all(store, "worker")) == 1
        assert await store.subscriptions.all("ann") == []
        await store.subscriptions.sweep()
        async with store.database.begin() as connection:
            assert (await connection.scalars(select(subscriptions.c.id))).all() == ["bob-tablet"]
            assert (await connection.scalars(select(work.c.state))).all() == [State.LIVE]


async def test_a_renewal_is_a_new_revision(store_url: str) -> None:
    """So that whoever watches reads the row again."""
    async with opened(store_url) as store:
        await keep(store, "ann")
        await claim_all(store, "worker")
        [before] = await store.watches.report("worker")
        await keep(store, "ann")
        [after] = await store.watches.report("worker")
        assert (after.claim, after.revision) == (before.claim, before.revision + 1)
