"""Very many idle clients, and the limit of open files."""

import asyncio
from contextlib import AsyncExitStack

import httpx

from tests.bench.load import memory
from tests.deploy.replica import ENTRYPOINT, Replica
from tests.servers.quiet import quiet_server

ME = "/v1/accounts/me"
LISTENERS = 300
KIB = 1024


async def listen(stack: AsyncExitStack, client: httpx.AsyncClient, count: int) -> list[httpx.Response]:
    """Events of ``count`` accounts, or refusals; a few come at a time."""
    turn = asyncio.Semaphore(10)

    async def one(number: int) -> httpx.Response:
        async with turn:
            stream = client.stream("GET", f"{ME}/events", auth=(f"user{number}@example.org", "secret"))
            answer = await stack.enter_async_context(stream)
            if not answer.is_success:
                await answer.aread()
                return answer
            lines = answer.aiter_lines()
            stack.callback(lambda: lines)  # without a reference, it would close the stream
            await anext(lines)
            return answer

    return await asyncio.gather(*map(one, range(count)))


def clients(replica: Replica) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=replica.url, timeout=30, limits=httpx.Limits(max_connections=None))


async def test_an_idle_listener_costs_little_memory() -> None:
    """R-OPS-06. `make listeners` measures thousands. The bound here is wide, because few listeners carry the shared costs."""
    async with quiet_server() as env, Replica(env) as replica, AsyncExitStack() as stack:
        client = await stack.enter_async_context(clients(replica))
        await listen(stack, client, 10)
        before = memory(replica.pid)
        answers = await listen(stack, client, LISTENERS)
        assert {answer.status_code for answer in answers} == {200}
        assert memory(replica.pid) - before < LISTENERS * 250 * KIB


async def test_more_clients_than_files_are_refused_and_the_rest_is_served() -> None:
    """R-OPS-06, R-OPS-11: 503 with Retry-After; the service neither ends nor stops answering."""
    few = ("prlimit", "--nofile=160:160", *ENTRYPOINT)
    async with quiet_server() as env, Replica(env, few) as replica, AsyncExitStack() as stack:
        client = await stack.enter_async_context(clients(replica))
        async with AsyncExitStack() as crowd:
            answers = await listen(crowd, client, 120)
            refused = [answer for answer in answers if not answer.is_success]
            assert len(refused) < len(answers)
            assert refused
            for answer in refused:
                assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
                assert int(answer.headers["retry-after"]) > 0
            assert (await client.get("/healthz")).status_code == 200
        async with asyncio.timeout(30):
            while (await client.get(ME, auth=("user0@example.org", "secret"))).status_code != 200:
                await asyncio.sleep(0.05)
        assert "few open files" in replica.log
        assert "Traceback" not in replica.log
