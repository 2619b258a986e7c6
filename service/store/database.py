"""A database of SQLite or PostgreSQL: its connections, and its failures as StoreUnavailable."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.mail.errors import StoreUnavailable
from service.store.migrations.upgrade import upgrade
from service.telemetry import metrics

PATIENCE = 5.0
"""Seconds for a connection, and for a whole transaction."""
_ABANDONED = f"set idle_in_transaction_session_timeout = {int(PATIENCE * 1000)}"
"""A process that is paused within a transaction would keep its locks, and others could not take over its work."""
RETRY_AFTER = 5
_CONNECTIONS = 5
"""To PostgreSQL, from one process; twice as many in a burst."""
_BUSY_MS = 4000
"""How long SQLite waits for another process that writes."""
_TEXT = "The service's database does not answer at the moment. Try again shortly."
_FAILURES = (DBAPIError, NoConnection, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_log = structlog.get_logger("service.store")
logging.getLogger("aiosqlite").setLevel(logging.INFO)  # at DEBUG it logs each step with its values


class Database:
    """Migrated before its first use, so that a service can start while it is down."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self._url = url
        self.is_shared = not _is_file(url)
        """Whether other processes may use it, which is the case with PostgreSQL."""
        self._patience = patience
        self._engine = open_engine(url)
        self._is_down = False
        self._migrating: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction. Raises StoreUnavailable if the database fails."""
        with self._failures():
            async with asyncio.timeout(self._patience):
                await self._migrated()
                async with self._engine.begin() as connection:
                    yield connection
        self._note(is_down=False)

    async def fault(self) -> str | None:
        """The kind of failure; None if it answers. Changes nothing in it, and makes no file: root would own it, and the
        service could not write to it."""
        if (file := _file(self._url)) is not None and not file.exists():
            return (
                None if os.access(file.parent, os.W_OK | os.X_OK) else "the folder is missing, or cannot be written to"
            )
        try:
            async with asyncio.timeout(self._patience), self._engine.connect() as connection:
                await connection.execute(select(1))
        except _FAILURES as error:
            return _kind(error)
        return None

    async def listener(self) -> asyncpg.Connection:
        """A connection of PostgreSQL of its own, to listen on. Raises OSError and errors of asyncpg."""
        return await connect(self._url)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._engine.dispose()

    async def _migrated(self) -> None:
        """One migration for all who wait. It goes on if the first of them leaves."""
        if self._migrating is None:
            self._migrating = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(migrate(self._url))))
        try:
            await asyncio.shield(self._migrating)
        except BaseException:
            if self._migrating is not None and self._migrating.done():
                self._migrating = None  # the next one tries again
            raise

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except _FAILURES as error:
            self._note(is_down=True, why=_kind(error))
            raise StoreUnavailable(_TEXT, retry_after=RETRY_AFTER) from None

    def _note(self, *, is_down: bool, why: str = "") -> None:
        if is_down is not self._is_down:
            self._is_down = is_down
            metrics.store_down(is_down)
            _log.warning("the store fails", kind=why) if is_down else _log.info("the store answers again")


def _kind(error: BaseException) -> str:
    """Without its text, which may name users. SQLite's own name says more than the class."""
    cause = getattr(error, "orig", None) or error
    return getattr(cause, "sqlite_errorname", None) or type(cause).__name__


def open_engine(url: str) -> AsyncEngine:
    """The connections to a database. Opens none yet."""
    if _is_file(url):
        address = make_url(url).set(drivername="sqlite+aiosqlite")
        engine = create_async_engine(address, pool_size=1, max_overflow=0)
        _configure(engine.sync_engine)
        return engine
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect(url),
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,  # a connection that PostgreSQL closed meanwhile is not a failure
    )


def _is_file(url: str) -> bool:
    return url.startswith("sqlite:")


def _file(url: str) -> Path | None:
    name = make_url(url).database if _is_file(url) else None
    return Path(name) if name else None


def _configure(engine: Engine) -> None:
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


async def connect(url: str) -> asyncpg.Connection:
    """asyncpg reads the address itself: several hosts, TLS and more, as PostgreSQL documents it."""
    connection = await asyncpg.connect(url, timeout=PATIENCE, command_timeout=2 * PATIENCE)
    try:
        await connection.execute(_ABANDONED)
    except BaseException:
        connection.terminate()
        raise
    return connection


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transactions by itself
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """A transaction that has read cannot start to write if another process wrote meanwhile."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def migrate(url: str) -> None:
    """Bring the tables to this release's form. Runs in a thread with a loop of its own: to load the migrations takes
    longer than the event loop may be held."""
    if _is_file(url):
        _migrate_file(url)
        return
    engine = open_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def _migrate_file(url: str) -> None:
    """Without aiosqlite: if the file cannot be opened, its thread finds the loop closed, and writes a traceback."""
    engine = create_engine(make_url(url).set(drivername="sqlite"))
    _configure(engine)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()
