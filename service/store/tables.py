"""The tables. Times are seconds since the epoch, by the database's clock, so that clocks of replicas do not matter."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

NAME = 64
"""The length of ids, and of keyed digests."""
metadata = MetaData()

workers = Table(
    "casella_workers",
    metadata,
    Column("id", String(NAME), primary_key=True),
    Column("beat_at", Double, nullable=False),
)
work = Table(
    "casella_work",
    metadata,
    Column("id", String(NAME), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("account", String(NAME), nullable=False),  # a keyed digest
    Column("name", String(NAME), nullable=False),  # distinguishes the work of this kind in one account
    Column("grant", String(NAME)),  # a keyed digest of the session whose grant signs in
    Column("content", LargeBinary, nullable=False),  # sealed
    Column("mark", LargeBinary),  # sealed: how far it was done
    Column("state", String(16), nullable=False),
    Column("due_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("owner", String(NAME)),
    Column("epoch", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # raised whenever the owner has to read the row again
    Column("failures", Integer, nullable=False),
    UniqueConstraint("kind", "account", "name", name="casella_work_name"),
    Index("casella_work_owner", "owner"),
    Index("casella_work_due", "kind", "state", "due_at"),
    Index("casella_work_grant", "grant"),
)
subscriptions = Table(
    "casella_subscriptions",
    metadata,
    Column("id", String(NAME), primary_key=True),
    Column("work", String(NAME), ForeignKey("casella_work.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(NAME), nullable=False),  # a keyed digest: another one of this name replaces it
    Column("content", LargeBinary, nullable=False),  # sealed
    Column("is_active", Boolean, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("failures", Integer, nullable=False),  # since the last success
    UniqueConstraint("work", "name", name="casella_subscriptions_name"),
    Index("casella_subscriptions_expiry", "expires_at"),
)


class now(FunctionElement[float]):  # noqa: N801 - a function of SQL
    """The time of the database."""

    name = "now"
    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _postgresql_now(element: now, compiler: SQLCompiler, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())"


@compiles(now, "sqlite")
def _sqlite_now(element: now, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
