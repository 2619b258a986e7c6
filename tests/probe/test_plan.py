"""``casella check`` says what a configuration will do, and ``casella serve`` shows the settings in force."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

import pytest

from service import __version__
from tests.deploy.replica import Replica, environment
from tests.probe.test_check import checked, server_in
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.redis import Redis

pytestmark = pytest.mark.dovecot


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "casella.toml"


def home(dovecot: Dovecot, domains: str = '["example.org"]') -> str:
    return server_in("home", ("imap", dovecot.ports.imap), domains=domains)


def test_a_good_configuration_has_a_tick_on_every_line(dovecot: Dovecot, redis: Redis, file: Path) -> None:
    """R-OPS-27: in the order in which the service does it, and without a secret."""
    [port] = free_ports(1)
    keys = token_urlsafe(32), token_urlsafe(32)
    file.write_text(
        f'default_server = "home"\nmetrics_port = {port}\ntrusted_proxies = ["10.0.0.0/8"]\nmax_connections = 100\n'
        f'allowed_origins = ["https://app.example.org"]\n[rates]\nurl = "{redis.url}"\n' + home(dovecot)
    )
    code, output = checked(file, CASELLA_SECRET_KEYS=",".join(keys))
    assert code == 0, output
    lines = [line for line in output.splitlines() if not line.startswith(" ")]
    expected = (
        rf"settings are read from {re.escape(str(file))} and CASELLA_SECRET_KEYS", "sealed by the first of 2 keys.*7 days",
        r"users of example\.org sign in on home \(IMAP, cannot send\)", "all other users sign in on home", "all replicas share",
        "no push.dovecot",
        f"metrics are served on 127.0.0.1, port {port}", "100 clients at once", r"web pages of https://app\.example\.org",
        r"the proxies 10\.0\.0\.0/8", "on SIGTERM", f"home imap {HOST}:{dovecot.ports.imap} none: ok",
    )  # fmt: skip
    assert len(lines) == len(expected), output
    for line, words in zip(lines, expected, strict=True):
        assert re.match(f"✓ .*{words}", line), line
    assert not any(key in output for key in keys)


def test_what_an_operator_should_know_has_a_reason(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: defaults that several replicas or a proxy make wrong; nothing has failed."""
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        file.write_text(f"any_server = true\nmetrics_port = {taken}\nmax_connections = 100\n" + home(dovecot))
        code, output = checked(file)
    assert code == 0, output
    noted = "\n".join(line for line in output.splitlines() if line.startswith("! "))
    for words in (
        "no key is set",
        "no rates.url",
        f"port {taken}: Address already in use",
        "any public host",
        "no trusted_proxies",
    ):
        assert words in noted, output
    assert "✓ all other users are refused, unless they name a server" in output
    file.write_text(home(dovecot, domains="[]"))
    assert "all users sign in on home (IMAP, cannot send): it is the only server" in checked(file)[1]


def test_what_wakes_phones_is_said(dovecot: Dovecot, file: Path) -> None:
    secret = token_urlsafe(24)
    file.write_text(f'[push.dovecot]\nsecrets = ["{secret}"]\n' + home(dovecot))
    code, output = checked(file)
    assert code == 0, output
    assert "! phones are woken for each server that has METADATA, until this process ends" in output
    assert (
        "✓ phones are woken for each server that has METADATA"
        in checked(file, CASELLA_SECRET_KEYS=token_urlsafe(32))[1]
    )
    assert secret not in output


def test_a_redis_that_does_not_answer_fails(dovecot: Dovecot, file: Path) -> None:
    """R-OPS-27: the servers are tried all the same, and the password in the URL is not shown."""
    [nobody] = free_ports(1)
    file.write_text(f'[rates]\nurl = "redis://:canary-1f20-password@{HOST}:{nobody}"\n' + home(dovecot))
    code, output = checked(file)
    assert code == 1
    assert "✗ the Redis of rates.url cannot be used: ConnectionError\n  do: " in output
    assert f"✓ home imap {HOST}:{dovecot.ports.imap} none: ok" in output
    assert "canary-1f20-password" not in output


def test_a_database_that_does_not_answer_fails(dovecot: Dovecot, file: Path, tmp_path: Path) -> None:
    """R-OPS-27: it is not touched if it answers, and its password is not shown."""
    [nobody] = free_ports(1)
    key = f'secret_keys = "{token_urlsafe(32)}"\n'
    password = "canary-3b41-password"
    url = f"postgresql://casella:{password}@{HOST}:{nobody}/casella"
    file.write_text(f'{key}[store]\nurl = "{url}"\n' + home(dovecot))
    code, output = checked(file)
    assert code == 1
    assert "✗ the database of store.url cannot be used: ConnectionRefusedError\n  do: " in output
    assert password not in output
    place = tmp_path / "casella.db"
    file.write_text(f'{key}[store]\nurl = "sqlite:///{place}"\n' + home(dovecot))
    code, output = checked(file)
    assert code == 0, output
    assert "✓ mailboxes are watched for sleeping phones; the store is a SQLite file" in output
    assert not place.exists(), "it would belong to whoever checks"
    file.write_text(f'{key}[store]\nurl = "sqlite:///{tmp_path}/missing/casella.db"\n' + home(dovecot))
    code, output = checked(file)
    assert code == 1
    assert "cannot be used: the folder is missing, or cannot be written to\n  do: Check the path" in output
    place.mkdir()
    file.write_text(f'{key}[store]\nurl = "sqlite:///{place}"\n' + home(dovecot))
    assert "cannot be used: SQLITE_CANTOPEN\n  do: Check the path" in checked(file)[1]


async def test_the_settings_in_force_are_logged_without_secrets(dovecot: Dovecot, redis: Redis) -> None:
    """At DEBUG, and not above."""
    key, password = token_urlsafe(32), "canary-77aa-password"
    url = redis.url.replace("redis://", f"redis://:{password}@")
    for level in ("DEBUG", "INFO"):
        env = environment(dovecot, secret_keys=key, log_level=level, rates__url=url, drain_seconds=3)
        async with Replica(env) as replica:
            log = replica.log
        assert ("effective settings" in log) == (level == "DEBUG")
        if level == "DEBUG":
            [line] = [line for line in log.splitlines() if "effective settings" in line]
            assert f'"servers.home.imap.port":{dovecot.ports.imap}' in line
            assert '"drain_seconds":3.0' in line
            assert '"account_connections":4' in line  # a default
            assert '"secret_keys":["**********"]' in line
            assert '"rates.url":"**********"' in line
        assert key not in log
        assert password not in log


async def test_the_version_is_a_metric(dovecot: Dovecot) -> None:
    import httpx

    async with Replica(environment(dovecot)) as replica, httpx.AsyncClient() as client:
        text = (await client.get(replica.metrics_url)).text
    assert re.search(
        rf'^casella_build_info{{python="3\.\d+\.\d+",version="{re.escape(__version__)}"}} 1\.0$', text, re.MULTILINE
    )
