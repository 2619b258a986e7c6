"""How a process ends: R-OPS-02 without the load, which `make drill` brings."""

import asyncio
import signal
import sys
import time
from email.message import EmailMessage

import httpx
import pytest

from service.http.listener import GRACE_SECONDS
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot
LARGE = 40 << 20
"""More than the buffers between here and there hold."""


def large_message() -> bytes:
    message = EmailMessage()
    message["Subject"] = "large"
    message.set_content("see attachment")
    message.add_attachment(bytes(LARGE), maintype="application", subtype="octet-stream", filename="zeros")
    return message.as_bytes()


async def part_of(client: httpx.AsyncClient) -> str:
    """The path of the attachment of the only message."""
    (message,) = (await client.get("/v1/accounts/me/folders/inbox/messages")).json()["items"]
    return f"/v1/accounts/me/messages/{message['id']}/parts/2"


def client_of(replica: Replica, user: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD), timeout=60)


async def test_sigterm_drains_and_then_ends_well(dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with Replica(environment(dovecot, drain_seconds=1.5)) as replica, client_of(replica, user) as client:
        before = await client.get("/v1/accounts/me/folders")
        assert "connection" not in before.headers
        began = time.monotonic()
        replica.send(signal.SIGTERM)
        await asyncio.sleep(0.5)
        replica.send(signal.SIGTERM)  # a platform in a hurry changes nothing
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        during = await client.get("/v1/accounts/me/folders")  # by a new connection, since the answers close theirs
        assert (during.status_code, during.headers["connection"]) == (200, "close")
        assert await replica.ended(GRACE_SECONDS) == 0
        assert 1.5 < time.monotonic() - began < GRACE_SECONDS
    assert f"imap({user})" in dovecot.log
    assert [line for line in dovecot.log.splitlines() if f"imap({user})" in line and "Logged out" in line]


async def test_ctrl_c_does_not_drain(dovecot: Dovecot) -> None:
    async with Replica(environment(dovecot, drain_seconds=60)) as replica:
        replica.send(signal.SIGINT)
        await replica.ended(10)


async def test_ctrl_c_ends_draining(dovecot: Dovecot) -> None:
    async with Replica(environment(dovecot, drain_seconds=60)) as replica:
        replica.send(signal.SIGTERM)
        await asyncio.sleep(0.5)
        replica.send(signal.SIGINT)
        await replica.ended(10)


async def test_a_download_is_finished(dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(large_message(), (), None)])
    async with Replica(environment(dovecot, drain_seconds=0)) as replica, client_of(replica, user) as client:
        async with client.stream("GET", await part_of(client)) as answer:
            chunks = answer.aiter_bytes()
            size = len(await anext(chunks))
            replica.send(signal.SIGTERM)
            await asyncio.sleep(0.5)
            size += sum([len(chunk) async for chunk in chunks])
        assert size == LARGE
        assert await replica.ended(10) == 0


async def test_a_download_that_is_not_read_is_cut_off(dovecot: Dovecot) -> None:
    """It must not keep the pod for the whole grace period."""
    user = dovecot.user()
    dovecot.seed(user, [(large_message(), (), None)])
    hurry = (
        sys.executable,
        "-c",
        "from service import cli; from service.http import listener; listener.GRACE_SECONDS = 1; cli.run()",
    )
    async with (
        Replica(environment(dovecot, drain_seconds=0), entrypoint=hurry) as replica,
        client_of(replica, user) as client,
        client.stream("GET", await part_of(client)) as answer,
    ):
        assert answer.status_code == 200
        replica.send(signal.SIGTERM)
        assert await replica.ended(10) == 0
