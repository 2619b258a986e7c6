"""Settings of the store that cannot work end the start, and show no password."""

import pytest
from pydantic import ValidationError

from service.settings.model import Settings
from service.store.database import Database
from tests.push.watch.site import KEYS

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
