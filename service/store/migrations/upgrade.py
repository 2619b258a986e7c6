"""Runs the migrations, one process at a time."""

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

VERSIONS = "casella_schema"
"""The table that names the present form."""
_LOCK = 0x63_61_73_65_6C_6C_61
"""The number of PostgreSQL's advisory lock."""
_log = structlog.get_logger("service.store.migrations")


def configuration(connection: Connection) -> Config:
    """Alembic's, on this connection."""
    config = Config()
    config.set_main_option("script_location", "service.store:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, target: str = "head") -> None:
    """Upgrades within the connection's transaction. A second process waits, and then finds nothing to do: SQLite's
    transactions exclude each other, and PostgreSQL has a lock that ends with the transaction.

    Tables of a newer release stay as they are: that release can share them with this one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    config = configuration(connection)
    if is_newer(connection, config):
        _log.info("the store's tables are of a newer release")
        return
    before = _present(connection)
    command.upgrade(config, target)
    if (after := _present(connection)) != before:
        _log.info("the store's tables have a new form", before=before, after=after)


def is_newer(connection: Connection, config: Config) -> bool:
    """Whether this release does not know the present form."""
    try:
        ScriptDirectory.from_config(config).get_revision(_present(connection) or "base")
    except CommandError:
        return True
    return False


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSIONS}).get_current_revision()
