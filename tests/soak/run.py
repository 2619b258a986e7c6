"""Mixed load with faults on one process of the service, on Dovecot, and what has to be true all the while and after."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

import httpx

from tests.deploy.replica import Replica, environment
from tests.ops.seen import fetched
from tests.servers.dovecot import Dovecot
from tests.servers.proxy import passing
from tests.soak.clients import Client, Report
from tests.soak.faults import Faults
from tests.soak.mail import Account, number_in
from tests.soak.watch import Caches, Sample, Watch, caches_in, found_in, miscounted

SEEDED = 40
CACHE = 2 << 20
"""Octets of rows that may be kept: soon full, so that what grows after that is no cache."""
LISTENERS = 40
"""At most."""
FOLDERS = ("INBOX", "Archive")


@dataclass
class Soaked:
    """What came of it."""

    report: Report
    faults: Faults
    watch: Watch | None = None
    wrong: list[str] = field(default_factory=list)
    collected: dict[str, int] = field(default_factory=dict)
    secrets: int = 0
    caches: Caches = field(default_factory=dict)
    """As measured last."""


class Plan(NamedTuple):
    seconds: float
    workers: int
    accounts: int = 12
    faults: float = 0.05
    is_in_turn: bool = False
    """Each account is visited after all others were, not at random."""
    cache: int = CACHE
    seeded: int = SEEDED
    connections: int = 1000
    """To the mail server."""
    every: float = 10.0
    """Seconds between samples."""
    folder: Path = Path("build/soak")
    """Where the log, the error answers and the metrics are kept."""


async def soak(plan: Plan, say: Callable[[Report, Faults, Sample], None]) -> Soaked:
    """The whole of it."""
    faults, report, password = Faults(plan.faults), Report(), f"password{token_hex(8)}"
    soaked = Soaked(report, faults)
    async with AsyncExitStack() as stack:
        more = f"passdb {{\n  driver = static\n  args = password={password}\n}}"
        dovecot = stack.enter_context(Dovecot(settings=more))
        accounts = [Account(dovecot.user("soak"), is_pop3=number % 4 == 3) for number in range(plan.accounts)]
        for account in accounts:
            account.stored = {account.new() for _ in range(plan.seeded)}
            dovecot.seed(account.user, [(account.source(number), (), None) for number in sorted(account.stored)])
        imap = await stack.enter_async_context(passing(dovecot.ports.imap, fate=faults.fate))
        pop3 = await stack.enter_async_context(passing(dovecot.ports.pop3, fate=faults.fate))
        ports = {"servers__home__imap__port": imap.port, "servers__home__pop3__port": pop3.port}
        env = environment(
            dovecot, log_level="DEBUG", cache_octets=plan.cache, server_connections=plan.connections, **ports
        )
        replica = await stack.enter_async_context(Replica(env))
        soaked.watch = Watch(replica)
        metrics = await _used(plan, replica, accounts, soaked, password, say)
        for account in accounts:
            soaked.wrong += _left(dovecot, account, password)
        files = {"log": replica.log_octets(), "errors": b"\n".join(report.errors), "metrics": metrics}
    plan.folder.mkdir(parents=True, exist_ok=True)
    for name, octets in files.items():
        (plan.folder / name).write_bytes(octets)
    secrets = {password: "password"} | dict.fromkeys(report.tokens, "token")
    for account in accounts:
        secrets |= {account.canary: "subject, text, address or file name", account.user: "username"}
    soaked.collected = {name: len(octets) for name, octets in files.items()}
    soaked.secrets = len(secrets)
    soaked.wrong += report.wrong + found_in(files, secrets)
    if not plan.faults:
        soaked.wrong += [f"{count} answers are {status}" for status, count in report.answers.items() if status >= 500]
    if b'"level":"error"' in files["log"] or b"Traceback" in files["log"]:
        soaked.wrong.append("a fault in the log")
    return soaked


async def _used(
    plan: Plan,
    replica: Replica,
    accounts: list[Account],
    soaked: Soaked,
    password: str,
    say: Callable[[Report, Faults, Sample], None],
) -> bytes:
    """The load itself; answers all that was measured, and adds what is wrong in it."""
    until = asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    assert soaked.watch is not None
    async with httpx.AsyncClient(base_url=replica.url, timeout=None, limits=limits) as http:
        clients = [Client(http, account, soaked.faults, soaked.report, password) for account in accounts]
        for client in clients[::2]:
            await client.sign_in(password)
        measured: list[bytes] = []
        turns = cycle(clients)

        async def measure() -> None:
            answer = await http.get(replica.metrics_url)
            measured.append(answer.content)
            soaked.caches = caches_in(answer.text)
            soaked.wrong += miscounted(soaked.caches, plan.cache)

        async def work() -> None:
            while not until.is_set() and not soaked.report.wrong:
                await (next(turns).visit() if plan.is_in_turn else random.choice(clients).act())

        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(work()) for _ in range(plan.workers)]
            hearing = [one for one in clients[::3] if not one.is_pop3][:LISTENERS]
            listeners = [group.create_task(one.listen(until)) for one in hearing]
            ends = time.monotonic() + plan.seconds
            while (left := ends - time.monotonic()) > 0 and not soaked.report.wrong:
                await asyncio.sleep(min(plan.every, left))
                say(soaked.report, soaked.faults, soaked.watch.look())
                await measure()
            until.set()
            await asyncio.gather(*workers)
            for listener in listeners:
                listener.cancel()
        await measure()
        return b"\n".join(measured)


def _left(dovecot: Dovecot, account: Account, password: str) -> list[str]:
    """What another program finds: exact octets, and all that was stored and not given up."""
    wrong, left = [], set()
    with dovecot.connect(account.user, password) as client:
        for folder in FOLDERS:
            for octets, _ in fetched(client, folder):
                subject = next(line for line in octets.split(b"\r\n") if line.startswith(b"Subject: "))
                left.add(number := number_in(subject.decode()))
                if octets != account.source(number):
                    wrong.append(f"{account.user}: message {number} was altered")
    if lost := account.stored - account.given_up - left:
        wrong.append(f"{account.user}: messages {sorted(lost)} are lost")
    return wrong
