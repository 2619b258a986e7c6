"""Several independent processes, without affinity."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from secrets import token_urlsafe

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.dovecot
REPLICAS, REQUESTS = 3, 200


@pytest.mark.parametrize(("limit", "connections"), [(3, 1), pytest.param(10, 3, marks=pytest.mark.long)])
async def test_an_account_stays_within_its_servers_limit(limit: int, connections: int) -> None:
    """R-CONC-09: if ``account_connections`` × replicas is within its limit, the mail server refuses no connection."""
    with Dovecot(connections=limit) as dovecot:
        user, other = dovecot.user(), dovecot.user("other")
        dovecot.seed(user, [(b"Subject: hello\r\n\r\nworld\r\n", (), None)])
        async with AsyncExitStack() as stack:
            env = environment(dovecot, account_connections=connections)
            replicas = [await stack.enter_async_context(Replica(env)) for _ in range(REPLICAS)]
            limits = httpx.Limits(max_connections=None)
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=60, limits=limits))

            async def listed(number: int, name: str = user) -> httpx.Response:
                url = f"{replicas[number % REPLICAS].url}/v1/accounts/me/folders/inbox/messages"
                return await client.get(url, auth=(name, PASSWORD))

            *answers, neighbour = await asyncio.gather(*map(listed, range(REQUESTS)), listed(0, other))
        assert neighbour.status_code == 200
        assert Counter(answer.status_code for answer in answers)[200] > REQUESTS / 2
        for answer in answers:
            if answer.status_code == 200:
                assert answer.json()["total"] == 1
            else:
                assert answer.status_code in {429, 503}
                assert "retry-after" in answer.headers
        assert "Maximum number of connections" not in dovecot.log


async def test_a_token_is_opened_by_every_replica(dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with AsyncExitStack() as stack:
        env = environment(dovecot, secret_keys=token_urlsafe(32))
        replicas = [await stack.enter_async_context(Replica(env)) for _ in range(REPLICAS)]
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        session = await client.post(f"{replicas[0].url}/v1/sessions", json={"username": user, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {session.json()['token']}"}
        answers = [await client.get(f"{replica.url}/v1/accounts/me", headers=headers) for replica in replicas]
    assert {(answer.status_code, answer.json()["username"]) for answer in answers} == {(200, user)}
