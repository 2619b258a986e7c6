"""Replicas as processes that fetch, one of which is killed."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

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
MAILBOXES, MAILS, ROUNDS = 6, 30, 4
WORDS = "word " * 4000
KILLED_AFTER = 1_000_000
"""Octets from or to the destination, of the last round: less than half of them."""


async def test_one_of_two_is_killed_while_it_copies_and_each_mail_comes_once(
    dovecot: Dovecot, postgres: Postgres
) -> None:
    """R-CONC-23: the other one goes on within thirty seconds, with what the first has left."""
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
        expected: list[str] = []
        killed_at = None
        for number in range(ROUNDS):
            mails = range(number * MAILS, (number + 1) * MAILS)
            expected += [f"number {each}" for each in mails]
            for _, old in pairs:
                dovecot.seed(old, [(mail(each, WORDS), (), None) for each in mails])
            is_armed = number > 0
            await _be_due(postgres, url)
            if killed_at is None and is_armed:
                await _until(lambda: _is_over(victim, left, pairs, len(expected)), 60)
                killed_at = time.monotonic() if await _has_ended(victim) else None
            await _until(lambda: _has_all(left, pairs, len(expected)), 60)
            if killed_at is not None:
                assert time.monotonic() - killed_at < 30
                break
        assert killed_at is not None, passed
        await _be_due(postgres, url)
        await _until(lambda: _has_all(left, pairs, len(expected)), 60)
    for user, _ in pairs:
        assert subjects(dovecot, user) == sorted(expected)


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


async def _has_ended(replica: Replica) -> bool:
    try:
        await replica.ended(0.1)
    except TimeoutError:
        return False
    return True


async def _is_over(victim: Replica, left: Replica, pairs: list[tuple[str, str]], count: int) -> bool:
    return await _has_ended(victim) or await _has_all(left, pairs, count)


async def _has_all(replica: Replica, pairs: list[tuple[str, str]], count: int) -> bool:
    """Whether each mailbox has so many messages, or more, and no fetch has a problem or runs."""
    for user, _ in pairs:
        async with client_of(replica.url, user) as client:
            [fetch] = (await client.get(f"{ME}/fetches")).json()["items"]
            total = await _total(client)
        assert fetch["state"] != "stopped", fetch
        if fetch["state"] == "running" or total < count:
            return False
    return True


async def _total(client: httpx.AsyncClient) -> int:
    return int((await client.get(f"{ME}/folders/inbox")).json()["totalMessages"])
