"""Replicas as processes that fetch, one of which is killed."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.fetches.site import ME, login, mail, subjects
from tests.push.watch.site import KEYS, QUICK
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.process import HOST
from tests.servers.proxy import passing
from tests.transfer.stage import client_of

pytestmark = pytest.mark.dovecot
MAILBOXES, MAILS = 4, 20
WORDS = "word " * 4000
KILLED_AFTER = 300_000
"""Octets from or to the destination: less than a quarter of them."""


async def test_one_of_two_is_killed_while_it_copies_and_each_mail_comes_once(
    dovecot: Dovecot, postgres: Postgres
) -> None:
    """The other one goes on within thirty seconds, with what the first has left."""
    url = postgres.url()
    pairs = [(dovecot.user("new"), dovecot.user("old")) for _ in range(MAILBOXES)]
    passed, is_armed = 0, False
    victim: Replica | None = None

    async def fate(octets: bytes) -> tuple[bytes, bool]:
        nonlocal passed
        passed += len(octets) * is_armed
        if passed > KILLED_AFTER and victim is not None:
            victim.send(signal.SIGKILL)
        return octets, True

    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(passing(dovecot.ports.imap, fate=fate))
        victim = await stack.enter_async_context(Replica(_environment(dovecot, url, proxy.port)))
        left = await stack.enter_async_context(Replica(_environment(dovecot, url, dovecot.ports.imap)))
        for user, old in pairs:
            async with client_of(left.url, user) as client:
                answer = await client.post(f"{ME}/fetches", json={"from": login(old)})
                assert answer.status_code == 201, answer.text
        for _, old in pairs:
            dovecot.seed(old, [(mail(each, WORDS), (), None) for each in range(MAILS)])
        left.send(signal.SIGSTOP)  # until the other one has begun: else it may take all of them
        is_armed = True
        try:
            await _be_due(postgres, url)
            await _until(_holds(lambda: passed > 0), 60)
        finally:
            left.send(signal.SIGCONT)
        assert await victim.ended(60) == -signal.SIGKILL
        killed_at = time.monotonic()
        await _until(partial(_has_all, left, pairs), 60)
        assert time.monotonic() - killed_at < 30
        await _be_due(postgres, url)
        await _until(partial(_has_all, left, pairs), 60)
    for user, _ in pairs:
        assert subjects(dovecot, user) == sorted(f"number {each}" for each in range(MAILS))


def _environment(dovecot: Dovecot, url: str, port: int) -> dict[str, str]:
    env = environment(dovecot, secret_keys=KEYS[0], drain_seconds=0, access_log="false")
    old = {"HOST": HOST, "PORT": str(dovecot.ports.pop3), "SECURITY": "none"}
    env |= {f"CASELLA_SERVERS__OLD__POP3__{name}": value for name, value in old.items()}
    env |= {f"CASELLA_STORE__{name.upper()}": str(value) for name, value in QUICK.items()}
    return env | {"CASELLA_SERVERS__HOME__IMAP__PORT": str(port), "CASELLA_STORE__URL": url}


async def _be_due(postgres: Postgres, url: str) -> None:
    statement = "update casella_work set due_at = 0 where kind = 'fetch'"
    await asyncio.to_thread(postgres.run, statement, url.rpartition("/")[2])


async def _until(is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def _holds(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return condition()

    return holds


async def _has_all(replica: Replica, pairs: list[tuple[str, str]]) -> bool:
    """Whether each mailbox has as many messages, or more, and no fetch runs or is due."""
    for user, _ in pairs:
        async with client_of(replica.url, user) as client:
            [fetch] = (await client.get(f"{ME}/fetches")).json()["items"]
            total = await _total(client)
        assert fetch["state"] != "stopped", fetch
        if fetch["state"] == "running" or _is_due(fetch) or total < MAILS:
            return False
    return True


async def _total(client: httpx.AsyncClient) -> int:
    return int((await client.get(f"{ME}/folders/inbox")).json()["totalMessages"])


def _is_due(fetch: dict[str, Any]) -> bool:
    return datetime.fromisoformat(fetch["nextRunAt"]) < datetime.now(UTC) + timedelta(seconds=5)
