"""The addresses that the service listens on."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

import httpx
import pytest

from tests.deploy.replica import Replica
from tests.servers.process import HOST

SERVER = {"CASELLA_SERVERS__HOME__IMAP__HOST": HOST, "CASELLA_SERVERS__HOME__IMAP__PORT": "1"}
KEY = {"CASELLA_SECRET_KEYS": token_urlsafe(32)}


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    with socket.create_server((HOST, 0)) as other:
        yield str(other.getsockname()[1])


@pytest.mark.parametrize("command", [["demo"], ["serve"], ["serve", "--workers", "2"]], ids=" ".join)
def test_a_port_in_use_is_said_in_one_line(command: list[str], taken: str, tmp_path: Path) -> None:
    """And before anything is served: with what to do, and no line of the log."""
    words = [sys.executable, "-m", "service", *command, "--port", taken]
    done = subprocess.run(words, env=os.environ | SERVER | KEY, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    reason = "Address already in use. Another program listens there: choose another port."
    assert said == [f"The API cannot be served on {HOST}, port {taken}: {reason}"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("nosuch.invalid", "there is no such host."),
        ("192.0.2.1", "Cannot assign requested address. It is not an address of this machine."),
    ],
)
def test_an_address_of_another_machine_is_said(host: str, reason: str) -> None:
    words = [sys.executable, "-m", "service", "serve", "--host", host, "--port", "8000"]
    done = subprocess.run(words, env=os.environ | SERVER, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, f"The API cannot be served on {host}, port 8000: {reason}\n")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_two_colons_listen_on_both_families(workers: str) -> None:
    """The chart's README says so: the probes of a cluster may come by IPv4."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    more = ["--host", "::", "--workers", workers]
    async with Replica(SERVER | KEY, more=more) as replica, httpx.AsyncClient() as client:
        for host in (HOST, "[::1]"):
            assert (await client.get(f"http://{host}:{replica.port}/healthz")).status_code == 200
