"""Distant mail servers, behind networks that delay, lose and restore connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.api.conftest import mail
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.proxy import Proxy, passing

pytestmark = pytest.mark.dovecot
ME = "/v1/accounts/me"
LIST = f"{ME}/folders/inbox/messages"
FAR = 0.15
"""Seconds each way."""
DEADLINE = 30.0


@asynccontextmanager
async def far_away(dovecot: Dovecot, user: str, delay: float) -> AsyncIterator[tuple[httpx.AsyncClient, Proxy]]:
    async with (
        passing(dovecot.ports.imap, delay) as proxy,
        Replica(environment(dovecot, servers__home__imap__port=proxy.port)) as replica,
        httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD), timeout=DEADLINE) as client,
    ):
        yield client, proxy


async def test_a_mail_server_on_the_other_side_of_the_world_serves_a_phone(dovecot: Dovecot) -> None:
    """R-OPS-14: 300 ms per round trip. A listed message opens in one, and a flag is set in two."""
    user = dovecot.user()
    dovecot.seed(user, [(mail(f"number {number}"), (), None) for number in range(60)])
    async with far_away(dovecot, user, FAR) as (client, _):
        rows = (await client.get(LIST)).json()["items"]
        loop = asyncio.get_running_loop()
        began = loop.time()
        message = await client.get(f"{ME}/messages/{rows[0]['id']}")
        flags = await client.patch(f"{ME}/messages/{rows[0]['id']}/flags", json={"add": ["$seen"]})
        source = await client.get(f"{ME}/messages/{rows[0]['id']}/source")
        took = loop.time() - began
    assert (message.status_code, flags.json()["flags"], source.status_code) == (200, ["$seen"], 200)
    assert took >= 3 * 2 * FAR, "the way was not as long as it was meant to be"
    assert took < DEADLINE / 2


async def test_a_network_that_loses_connections_loses_no_mail(dovecot: Dovecot) -> None:
    """R-OPS-14: each connection is cut at some octet. A read gets an error or its answer, and always its answer afterwards."""
    user = dovecot.user()
    subjects = [f"number {number}" for number in range(20)]
    dovecot.seed(user, [(mail(subject), (), None) for subject in subjects])
    left = 2000

    async def lossy(octets: bytes) -> tuple[bytes, bool]:
        nonlocal left
        left -= len(octets)
        if left > 0:
            return octets, True
        left = 2000
        return octets[: len(octets) // 2], False

    async def well(octets: bytes) -> tuple[bytes, bool]:
        return octets, True

    async with far_away(dovecot, user, 0.001) as (client, proxy):
        proxy.fate = lossy
        lost = 0
        for _ in range(20):
            answer = await client.get(LIST)
            if answer.status_code == 200:
                assert [row["subject"] for row in answer.json()["items"]] == subjects[::-1]
            else:
                lost += 1
                assert answer.json()["retryable"] is True
        proxy.fate = well
        async with asyncio.timeout(DEADLINE):
            while (answer := await client.get(LIST)).status_code != 200:
                pass
        assert [row["subject"] for row in answer.json()["items"]] == subjects[::-1]
        assert lost, "nothing was lost"
