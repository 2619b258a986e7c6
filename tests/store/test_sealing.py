"""A stolen store opens nothing, and keys rotate."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.store.model import Item
from service.store.opened import Store
from service.store.sealing import Seal, Unreadable
from service.store.subscriptions import Watched
from service.store.tables import subscriptions, work
from tests.servers.postgres import Postgres
from tests.store.opened import NEW, OLD, SECRET, keep, opened
from tests.store.test_queue import claim_all


async def written(store: Store) -> None:
    await keep(store, "ann")
    [claim] = await claim_all(store, "worker")
    await store.watches.advance(claim, b"canary-of-the-mark")


def all_of(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


def require_sealed(octets: bytes) -> None:
    """Neither as text nor as PostgreSQL writes octets."""
    for secret in (SECRET, b"canary-of-the-mark", b"session of ann", b"ann", b"phone"):
        assert secret not in octets.replace(b"subscriptions", b"").replace(b"ann-phone", b"")
        assert secret.hex().encode() not in octets


async def test_a_stolen_file_shows_nothing(tmp_path: Path) -> None:
    """R-HTTP-17: SQLite's files, with the log of what was written."""
    file = tmp_path / "casella.db"
    async with opened(f"sqlite:///{file}") as store:
        await written(store)
        octets = all_of(tmp_path)
        assert b"casella_work" in octets
        require_sealed(octets)


async def test_a_stolen_database_shows_nothing(postgres: Postgres) -> None:
    """R-HTTP-17"""
    url = postgres.url()
    async with opened(url) as store:
        await written(store)
        octets = postgres.dump(url)
        assert b"casella_work" in octets
        require_sealed(octets)


async def test_other_keys_open_nothing(store_url: str) -> None:
    """R-HTTP-17: nor find an account, nor fail."""
    async with opened(store_url) as store:
        await written(store)
    async with opened(store_url, [NEW]) as thief:
        assert await thief.subscriptions.all("ann") == []
        [row] = await thief.watches.report("worker")
        with pytest.raises(Unreadable):
            await thief.subscriptions.load(row.claim)
        assert await thief.grants.contents("session of ann") == []
        assert await thief.rotation.run() == 0


async def test_a_value_is_bound_to_its_row(store_url: str) -> None:
    """R-HTTP-17: who can write to the database, but has no key, cannot make one account watch with another's login."""
    async with opened(store_url) as store:
        await keep(store, "ann")
        await keep(store, "eve")
        claims = await claim_all(store, "worker")
        async with store.database.begin() as connection:
            content = await connection.scalar(select(work.c.content).where(work.c.id == claims[0].id))
            await connection.execute(update(work).where(work.c.id == claims[1].id).values(content=content))
        with pytest.raises(Unreadable):
            await store.subscriptions.load(claims[1])


def test_changed_octets_do_not_open() -> None:
    seal = Seal([OLD])
    sealed = seal.seal(SECRET, "here")
    assert seal.open(sealed, "here") == SECRET
    for octets in (b"", sealed[:3], sealed[:10], sealed[:-1], sealed + b"x", bytes([*sealed[:-1], sealed[-1] ^ 1])):
        with pytest.raises(Unreadable):
            seal.open(octets, "here")


async def test_rotation_seals_all_with_the_first_key(store_url: str) -> None:
    """R-HTTP-51: afterwards the old key can be left out of the settings. Nothing is lost, nobody has to subscribe again."""
    async with opened(store_url, [OLD]) as store:
        for number in range(250):
            await keep(store, f"user{number}")
        [*claims] = await claim_all(store, "worker")
        await store.watches.advance(claims[0], b"further")
    async with opened(store_url, [NEW, OLD]) as store:
        assert len(await store.subscriptions.all("user7")) == 1  # before it was sealed again
        await keep(store, "user7", "renewed")
        assert await store.rotation.run() >= 2 * 249
        assert await store.rotation.run() == 0
    async with opened(store_url, [NEW]) as store:
        assert [each.id for each in await store.subscriptions.all("user7")] == ["renewed"]
        for number in (0, 99, 249):
            [item] = await store.subscriptions.all(f"user{number}")
            assert item.content == SECRET
            await keep(store, f"user{number}", f"again {number}")
            assert len(await store.subscriptions.all(f"user{number}")) == 1
        assert await store.watches.share() == (250, 1)
        loaded = await store.subscriptions.load(claims[0])
        assert loaded is not None
        assert loaded.mark == b"further"
        assert await store.grants.contents("session of user3") == [SECRET]


async def test_replicas_with_another_first_key_share_the_mailbox_in_the_end(store_url: str) -> None:
    """R-HTTP-51: two of them added it under two names at the same moment; the subscriptions of both stay."""
    async with opened(store_url, [OLD]) as old:  # it does not know the new key yet, which is the same as being first
        await keep(old, "ann", name="phone")
        await keep(old, "ann", name="watch")
    async with opened(store_url, [NEW]) as new:
        await keep(new, "ann", "newer", name="phone")
    async with opened(store_url, [NEW, OLD]) as both:
        assert (await both.watches.share())[0] == 2
        await both.rotation.run()
        assert (await both.watches.share())[0] == 1
        assert {each.id for each in await both.subscriptions.all("ann")} == {"newer", "ann-watch"}


async def test_states_of_a_grant_are_replaced_in_all_work_of_its_session(store_url: str) -> None:
    async with opened(store_url) as store:
        for account in ("ann", "bob"):
            item = Item(account, SECRET, 0, time.time() + 60)
            await store.subscriptions.keep(Watched(account, b"1", "session"), item, "phone", is_active=True)
        assert await store.grants.change("session", lambda content: content + b"2") == [b"1", b"1"]
        assert await store.grants.contents("session") == [b"12", b"12"]
        assert await store.grants.contents("another") == []
        async with store.database.begin() as connection:
            assert len((await connection.scalars(select(subscriptions.c.id))).all()) == 2
