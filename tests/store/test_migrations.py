"""The tables are brought to their present form at the start, by one process at a time."""

import asyncio
import sys
from functools import partial

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from service.store.database import open_engine
from service.store.migrations.upgrade import VERSIONS, upgrade
from service.store.tables import metadata
from tests.store.opened import keep, opened

_OLDER = """insert into casella_work (id, kind, account, name, content, state, due_at, epoch, revision, failures)
values ('old', 'watch', 'account', '', :content, 'waiting', 0, 7, 0, 0)"""


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": VERSIONS, "compare_type": True})
    return [*compare_metadata(context, metadata)]


async def test_an_empty_database_gets_the_present_form(store_url: str) -> None:
    """R-OPS-40"""
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    async with engine.begin() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_an_older_form_keeps_its_rows(store_url: str) -> None:
    """R-OPS-40"""
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.run_sync(partial(upgrade, target="s01"))
        await connection.execute(text(_OLDER), {"content": b"x"})
    async with opened(store_url) as store:
        await keep(store, "ann")
        assert len(await store.subscriptions.all("ann")) == 1
    async with engine.begin() as connection:
        assert (await connection.execute(text("select epoch from casella_work where id = 'old'"))).scalar_one() == 7
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_a_newer_form_is_left_alone(store_url: str) -> None:
    """R-OPS-40: an older release goes on while a newer one is rolled out, or taken back."""
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        await connection.execute(text("alter table casella_work add column later integer"))
        await connection.execute(text(f"update {VERSIONS} set version_num = 's99'"))
    await engine.dispose()
    async with opened(store_url) as store:
        await keep(store, "ann")
        assert len(await store.subscriptions.all("ann")) == 1


async def test_processes_that_start_at_once_migrate_once(store_url: str) -> None:
    """R-OPS-40"""
    code = "import asyncio, sys; from service.store.database import migrate; asyncio.run(migrate(sys.argv[1]))"
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, store_url, stderr=asyncio.subprocess.PIPE)
        for _ in range(4)
    ]
    ended = await asyncio.gather(*(each.communicate() for each in started))
    assert [each.returncode for each in started] == [0] * 4, ended
    engine = open_engine(store_url)
    async with engine.begin() as connection:
        assert (await connection.execute(text(f"select count(*) from {VERSIONS}"))).scalar_one() == 1
        assert await connection.run_sync(differences) == []
    await engine.dispose()
