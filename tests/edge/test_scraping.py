"""The metrics have a port of their own, and the API's port does not answer them (R-OPS-23)."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx
import pytest

from service.http.metrics_port import MAX_CONNECTIONS
from tests.deploy.replica import Replica
from tests.edge.conftest import HEAD_SECONDS, NOBODY, SHORT
from tests.edge.raw import connected
from tests.servers.process import HOST, free_ports

OWN = "casella_loop_lag_seconds"
GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=20)


async def test_the_port_of_the_api_answers_no_metrics(replica: Replica, client: httpx.AsyncClient) -> None:
    """R-OPS-23: 404, as a problem."""
    async with client:
        answer = await client.get(f"{replica.url}/metrics")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert OWN not in answer.text
        assert OWN in (await client.get(replica.metrics_url)).text


async def test_the_operator_may_serve_them_there_too(client: httpx.AsyncClient) -> None:
    """R-OPS-23: by `metrics_public`."""
    async with Replica(NOBODY | {"CASELLA_METRICS_PUBLIC": "true"}) as replica, client:
        assert OWN in (await client.get(f"{replica.url}/metrics")).text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/v1/servers", 404),
        ("GET", "/healthz", 404),
        ("GET", "/docs", 404),
    ],
)
async def test_their_port_answers_nothing_else(
    replica: Replica, client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """R-OPS-23."""
    async with client:
        answer = await client.request(method, replica.metrics_url.replace("/metrics", path))
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status >= 400:
        assert answer.json()["requestId"] == answer.headers["x-request-id"]


async def test_half_a_request_to_their_port_ends_by_a_deadline(replica: Replica) -> None:
    """R-OPS-23, R-HTTP-06: the same bounds as on the port of the API."""
    async with connected(replica.metrics_port) as raw:
        async with asyncio.timeout(HEAD_SECONDS * 15):
            await raw.send(GET[:-2])
            [answer] = await raw.answers()
        assert answer.problem == "request-timeout"


async def test_clients_that_occupy_their_port_do_not_block_the_api(replica: Replica) -> None:
    """R-OPS-23: requests beyond the limit get 503, and the API's port stays free."""
    async with AsyncExitStack() as stack:
        statuses = []
        for _ in range(MAX_CONNECTIONS + 1):
            raw = await stack.enter_async_context(connected(replica.metrics_port))
            await raw.send(GET)  # at once: a connection without a request is closed after a while
            answer = await raw.answer()
            assert answer
            statuses.append(answer.status)
        assert statuses[0] == 200
        assert statuses[-1] == 503
        own = await stack.enter_async_context(connected(replica.port))
        await own.send(b"GET /v1/servers HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await own.answer()
        assert answer
        assert answer.status == 200


async def test_they_are_served_until_the_process_has_drained(client: httpx.AsyncClient) -> None:
    """R-OPS-23, R-OPS-02: the last scrape sees how it ended, and one that hangs holds up nothing."""
    async with (
        Replica(NOBODY | {"CASELLA_DRAIN_SECONDS": "4"}, SHORT) as replica,
        client,
        connected(replica.metrics_port) as hanging,
    ):
        await hanging.send(GET[:-2])
        replica.send(signal.SIGTERM)
        async with asyncio.timeout(10):
            while (await client.get(f"{replica.url}/readyz")).status_code != 503:
                await asyncio.sleep(0.02)
        assert OWN in (await client.get(replica.metrics_url)).text
        assert await replica.ended(20) == 0
        assert "Traceback" not in replica.log


async def test_without_a_port_there_are_none(client: httpx.AsyncClient) -> None:
    """R-OPS-23: no port is open unless it is configured."""
    replica = Replica(NOBODY)
    del replica.args[replica.args.index("--metrics-port") :]
    async with replica, client:
        with pytest.raises(httpx.ConnectError):
            await client.get(replica.metrics_url)


async def test_the_demo_has_them_too(client: httpx.AsyncClient) -> None:
    """R-OPS-23: the chart serves the demo by the same arguments."""
    replica = Replica({})
    replica.args[0] = "demo"
    async with replica, client:
        assert OWN in (await client.get(replica.metrics_url)).text
        assert (await client.get(f"{replica.url}/metrics")).status_code == 404


def refused(command: Sequence[str]) -> str:
    """What it says before it ends with exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "service", *command],
        env=os.environ | NOBODY | {"CASELLA_SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("command", [["serve"], ["serve", "--workers", "2"], ["demo"]], ids=" ".join)
def test_a_port_that_is_taken_ends_it_at_once(command: list[str]) -> None:
    """R-OPS-23: and is named."""
    with socket.create_server((HOST, 0)) as other:
        taken = str(other.getsockname()[1])
        [port] = free_ports(1)
        told = refused([*command, "--port", str(port), "--metrics-port", taken])
    assert f"cannot be served on 127.0.0.1, port {taken}: Address already in use" in told


def test_they_need_another_port_than_the_api() -> None:
    """R-OPS-23: with several workers, each port of theirs."""
    [port] = map(str, free_ports(1))
    assert f"Port {port} is for the API" in refused(["serve", "--port", port, "--metrics-port", port])
    before = str(int(port) - 1)
    told = refused(["serve", "--workers", "2", "--port", port, "--metrics-port", before])
    assert f"Port {port} is for the API" in told or f"port {before}: Address already in use" in told
