"""Settings of the store that cannot work end the start, and show no password."""

import asyncio
import json
import signal
from pathlib import Path
from secrets import token_urlsafe

import pytest
from pydantic import ValidationError

from service.settings.model import Settings
from service.store.database import Database
from tests.deploy.replica import Replica
from tests.push.watch.site import KEYS
from tests.servers.process import HOST

PASSWORD = "canary-of-the-settings"
POSTGRESQL = f"postgresql://casella:{PASSWORD}@db.example.org/casella"


@pytest.mark.parametrize(
    "url",
    [
        POSTGRESQL,
        "postgres://db.example.org/casella",
        "sqlite:////var/lib/casella.db",
        "sqlite:///x",
        "postgresql://a.example.org:5432,b.example.org:5433/casella?sslmode=require",
        "postgresql:///casella?host=/run/postgresql",
    ],
)
def test_addresses_of_databases(url: str) -> None:
    store = Settings(secret_keys=KEYS[:1], store={"url": url}).store
    assert store.url is not None
    assert store.url.get_secret_value() == url
    assert PASSWORD not in repr(store)


async def test_only_files_are_of_one_process() -> None:
    for url, is_shared in ((POSTGRESQL, True), ("postgres://db.example.org/x", True), ("sqlite:///x", False)):
        database = Database(url)
        assert database.is_shared is is_shared
        await database.aclose()


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ({"url": "mysql://db.example.org/casella"}, "it is the URL of a database"),
        ({"url": "sqlite://"}, "it is the URL of a database"),
        ({"url": "sqlite://casella.db"}, "it is the URL of a database"),
        ({"url": "postgresql:casella"}, "it is the URL of a database"),
        ({"url": POSTGRESQL, "heartbeat_seconds": 5}, "three times"),
        ({"url": POSTGRESQL, "logins_per_second": 0}, "greater than 0"),
        ({"url": POSTGRESQL, "more": 1}, "Extra inputs"),
    ],
)
def test_wrong_ones_are_refused(store: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        Settings(secret_keys=KEYS[:1], store=store)
    assert PASSWORD not in str(refused.value)


def test_a_store_without_keys_is_refused() -> None:
    """Nothing could be opened after a restart."""
    with pytest.raises(ValidationError, match="needs secret_keys"):
        Settings(store={"url": POSTGRESQL})
    assert Settings().store.url is None


async def test_a_file_that_cannot_be_opened_is_one_line_of_the_log(tmp_path: Path) -> None:
    """The service starts, tries again, and writes nothing but lines of its log."""
    server = {"CASELLA_SERVERS__HOME__IMAP__HOST": HOST, "CASELLA_SERVERS__HOME__IMAP__PORT": "1"}
    store = {"CASELLA_STORE__URL": f"sqlite:///{tmp_path}/missing/casella.db", "CASELLA_SECRET_KEYS": token_urlsafe(32)}
    async with Replica(server | store | {"CASELLA_STORE__HEARTBEAT_SECONDS": "0.1"}) as replica:
        async with asyncio.timeout(30):
            while "the store fails" not in replica.log:
                await asyncio.sleep(0.05)
        replica.send(signal.SIGINT)
        await replica.ended(30)
        lines = [json.loads(line) for line in replica.log.splitlines()]
    assert [line["kind"] for line in lines if line["event"] == "the store fails"] == ["SQLITE_CANTOPEN"]
