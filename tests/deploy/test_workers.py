"""Several processes behind one port."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe
from types import FunctionType

import httpx
from uvicorn.supervisors.multiprocess import Multiprocess

from service.http.workers import Supervisor
from tests.deploy.replica import Replica, environment
from tests.edge.conftest import NOBODY
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST, free_ports


def children(pid: int) -> set[int]:
    """The worker processes."""
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def memory_of(pid: int) -> dict[str, int]:
    """In KiB, by the names of the kernel."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(value.split()[0]) for name, _, value in (row.partition(":") for row in rows)}


def two_ports() -> int:
    """The first of two free ports, one after the other."""
    for _ in range(100):
        first, second = free_ports(2)
        if second == first + 1:
            return first
    raise AssertionError("no two free ports in a row")


def listener_on(port: int, pids: set[int]) -> int | None:
    """The process that listens on a port of 127.0.0.1; None if none of ``pids`` does."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    return next((pid for pid in pids if sockets & files_of(pid)), None)


def files_of(pid: int) -> set[str]:
    try:
        return {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    except FileNotFoundError:  # closed meanwhile
        return set()


async def process_of(client: httpx.AsyncClient, port: int, pids: set[int]) -> int | None:
    """The process whose metrics are served on the port; None if there are none."""
    try:
        (await client.get(f"http://{HOST}:{port}/metrics")).raise_for_status()
    except httpx.TransportError:
        return None
    return listener_on(port, pids)


async def test_each_worker_serves_its_metrics_on_its_own_port(dovecot: Dovecot) -> None:
    """R-OPS-24: on the configured port and the next one. A worker that replaces a dead one takes over its port."""
    first = two_ports()
    env = environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0)
    more = ("--workers", "2", "--metrics-port", str(first))
    async with Replica(env, more=more) as replica, httpx.AsyncClient() as client:

        async def both() -> list[int | None]:
            async with asyncio.timeout(40):
                while True:
                    pids = children(replica.pid)
                    serving = [await process_of(client, port, pids) for port in (first, first + 1)]
                    if set(serving) == pids and len(pids) == 2:
                        return serving
                    await asyncio.sleep(0.05)

        before = await both()
        dead, survivor = before
        assert dead
        os.kill(dead, signal.SIGKILL)
        async with asyncio.timeout(40):
            while dead in children(replica.pid):
                await asyncio.sleep(0.05)
        after = await both()
        assert after[0] != dead
        assert after[1] == survivor
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0
        assert "Traceback" not in replica.log
        assert "no port is free" not in replica.log


async def test_workers_share_a_port_and_their_tokens(dovecot: Dovecot) -> None:
    """Each serves, opens the others' tokens, is replaced when it dies, and drains with the rest."""
    user = dovecot.user()
    dovecot.append(user, b"Subject: hello\r\n\r\nworld\r\n")
    env = environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0)
    async with Replica(env, more=("--workers", "2")) as replica:
        workers = children(replica.pid)
        assert len(workers) == 2
        async with httpx.AsyncClient(base_url=replica.url) as client:
            made = await client.post("/v1/sessions", json={"username": user, "password": PASSWORD})
            headers = {"Authorization": f"Bearer {made.json()['token']}", "Connection": "close"}
            os.kill(min(workers), signal.SIGKILL)
            async with asyncio.timeout(40):
                while len(now := children(replica.pid)) < 2 or min(workers) in now:
                    await asyncio.sleep(0.05)
            for _ in range(20):
                page = await client.get("/v1/accounts/me/folders/inbox/messages", headers=headers)
                assert [row["subject"] for row in page.json()["items"]] == ["hello"]
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0
        assert "Traceback" not in replica.log


async def test_workers_end_with_a_supervisor_that_is_killed() -> None:
    """R-OPS-24: nobody else would end them, and the next start would find its port taken."""
    env = NOBODY | {"CASELLA_SECRET_KEYS": token_urlsafe(32), "CASELLA_DRAIN_SECONDS": "0"}
    async with Replica(env, more=("--workers", "3")) as replica:
        workers = children(replica.pid)
        replica.send(signal.SIGKILL)
        async with asyncio.timeout(40):
            while not all(map(has_ended, workers)):
                await asyncio.sleep(0.05)
        assert len(workers) == 3


def has_ended(pid: int) -> bool:
    """Even if nobody has asked for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_workers_are_added_and_replaced_one_by_one() -> None:
    """R-OPS-24: SIGTTIN adds one. SIGHUP replaces each by a new one, which takes over its port of the metrics."""
    first = two_ports()
    env = NOBODY | {"CASELLA_SECRET_KEYS": token_urlsafe(32)}
    more = ("--workers", "2", "--metrics-port", str(first))
    async with Replica(env, more=more) as replica, httpx.AsyncClient(base_url=replica.url) as client:
        before = children(replica.pid)
        replica.send(signal.SIGHUP)
        async with asyncio.timeout(60):
            while before & children(replica.pid) or len(children(replica.pid)) != 2:
                assert (await client.get("/v1/servers", headers={"Connection": "close"})).status_code == 200
                await asyncio.sleep(0.05)
            after = children(replica.pid)
            while {await process_of(client, port, after) for port in (first, first + 1)} != after:
                await asyncio.sleep(0.05)
        replica.send(signal.SIGTTIN)
        async with asyncio.timeout(40):
            while len(children(replica.pid)) < 3:
                await asyncio.sleep(0.05)
        assert after < children(replica.pid)
        replica.send(signal.SIGTERM)
        assert await replica.ended(30) == 0
        assert "Traceback" not in replica.log


async def test_workers_share_the_memory_of_what_is_imported() -> None:
    """Each has less than half of what it uses for itself: imported once, the code of all is the supervisor's."""
    env = NOBODY | {"CASELLA_SECRET_KEYS": token_urlsafe(32)}
    async with Replica(env, more=("--workers", "2")) as replica:
        for worker in children(replica.pid):
            used = memory_of(worker)
            assert used["Private_Dirty"] + used["Private_Clean"] < used["Rss"] / 2
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0


def test_every_process_of_the_supervisor_is_a_worker() -> None:
    """R-OPS-24: uvicorn's own process does not drain, so each method of uvicorn's that makes one is replaced."""
    methods = {name for name, method in vars(Multiprocess).items() if "Process" in names_in(method)}
    assert methods == {"init_processes", "handle_ttin", "restart_all", "keep_subprocess_alive"}
    assert methods <= vars(Supervisor).keys()


def names_in(method: object) -> tuple[str, ...]:
    return method.__code__.co_names if isinstance(method, FunctionType) else ()


def test_workers_without_a_common_key_are_refused(dovecot: Dovecot) -> None:
    command = [sys.executable, "-m", "service", "serve", "--workers", "2"]
    done = subprocess.run(
        command, env=os.environ | environment(dovecot), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "secret_keys" in done.stderr
