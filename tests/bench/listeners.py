"""What it costs to be told: ``python -m tests.bench.listeners``.

How long from APPEND to the event, on Dovecot; what an unchanged ``changes`` costs; what an event costs that a hundred listeners
of an account are told; and what idle listeners cost in memory and CPU, against a server that says nothing (20,000 open files
suffice for eight thousand, two an account). What an account and what a listener take follows from two runs: ``--events 0
--listeners 4000 --each 1``, and ``--each 4``.
"""

import argparse
import asyncio
import resource
import statistics
import time
from secrets import token_urlsafe

import aiohttp

from tests.bench.load import Client, cpu_seconds, memory, session
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import Dovecot
from tests.servers.quiet import quiet_server

MAIL = b"Subject: news\r\n\r\nx\r\n"


WITHOUT_NOTIFY = "imap_capability = IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE UIDPLUS LIST-STATUS CONDSTORE QRESYNC\n"


async def delays(count: int, mode: str, settings: str) -> None:
    """From the moment another client's APPEND is sent to the moment the event is read."""
    with Dovecot(settings=settings) as dovecot:
        user = dovecot.user()
        async with Replica(environment(dovecot, secret_keys=token_urlsafe(32))) as replica, session(replica) as http:
            client = Client(http, user)
            await client.sign_in()
            took: list[float] = []
            async with http.get("/v1/accounts/me/events", headers=client.headers) as stream:
                await stream.content.readuntil(b"\n\n")
                async with asyncio.timeout(10):
                    while (await client.get(""))["watch"]["mode"] != mode:
                        await asyncio.sleep(0.01)
                with dovecot.connect(user) as other:
                    for _ in range(count):
                        began = time.perf_counter()
                        await asyncio.to_thread(other.append, "INBOX", "", "", MAIL)
                        await _next_change(stream)
                        took.append((time.perf_counter() - began) * 1000)
            p99 = statistics.quantiles(took, n=100)[-1]
            print(f"APPEND to event by {mode}: p50 {statistics.median(took):.0f} ms, p99 {p99:.0f} ms", flush=True)
            for path in ("/folders/inbox/changes", "/changes"):
                token = (await client.get(path))["token"]
                cpu, began = cpu_seconds(replica.pid), time.perf_counter()
                for _ in range(300):
                    assert (await client.get(path, since=token))["token"]
                seconds, cpu = time.perf_counter() - began, cpu_seconds(replica.pid) - cpu
                print(f"unchanged {path}: {seconds / 300 * 1000:.2f} ms, {cpu / 300 * 1000:.2f} CPU-ms", flush=True)


async def together(count: int, events: int) -> None:
    """What one event costs if it is told to all listeners of one account."""
    with Dovecot() as dovecot:
        user = dovecot.user()
        async with Replica(environment(dovecot, secret_keys=token_urlsafe(32))) as replica, session(replica) as http:
            client = Client(http, user)
            await client.sign_in()
            streams = [await http.get("/v1/accounts/me/events", headers=client.headers) for _ in range(count)]
            for stream in streams:
                await stream.content.readuntil(b"\n\n")
            cpu = cpu_seconds(replica.pid)
            with dovecot.connect(user) as other:
                for _ in range(events):
                    await asyncio.to_thread(other.append, "INBOX", "", "", MAIL)
                    await asyncio.gather(*map(_next_change, streams))
            cpu = cpu_seconds(replica.pid) - cpu
            print(f"one event to {count} listeners of an account: {cpu / events * 1000:.1f} CPU-ms", flush=True)
            for stream in streams:
                stream.close()


async def _next_change(stream: aiohttp.ClientResponse) -> None:
    while b"event: change" not in await stream.content.readuntil(b"\n\n"):
        pass


async def idle(count: int, each: int, seconds: float) -> None:
    """Listeners to whom nothing is told but pings."""
    more = {
        "CASELLA_SERVER_CONNECTIONS": "100000",
        "CASELLA_SECRET_KEYS": token_urlsafe(32),
        "CASELLA_ACCESS_LOG": "false",
    }
    async with quiet_server() as env, Replica(env | more) as replica, session(replica) as http:
        before = memory(replica.pid)
        turn = asyncio.Semaphore(50)
        opened: list[aiohttp.ClientResponse] = []

        async def listen(number: int) -> None:
            async with turn:
                login = aiohttp.encode_basic_auth(f"user{number // each}@example.org", "secret")
                timeout = aiohttp.ClientTimeout(total=None)
                answer = await http.get("/v1/accounts/me/events", headers={"Authorization": login}, timeout=timeout)
                await answer.content.readuntil(b"\n\n")
                opened.append(answer)

        await asyncio.gather(*(listen(number) for number in range(count)))
        drains = [asyncio.ensure_future(_drain(answer)) for answer in opened]
        await asyncio.sleep(90)  # until what is not needed was given back
        grown = memory(replica.pid) - before
        cpu = cpu_seconds(replica.pid)
        await asyncio.sleep(seconds)
        share = (cpu_seconds(replica.pid) - cpu) / seconds
        print(f"{count:,} idle listeners of {count // each:,} accounts: {grown / 1e6:.0f} MB, {grown / count / 1024:.1f} KiB each;"
              f" {share * 100:.1f} % of a core", flush=True)  # fmt: skip
        for drain in drains:
            drain.cancel()


async def _drain(answer: aiohttp.ClientResponse) -> None:
    async for _ in answer.content.iter_any():
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--together", type=int, default=100, help="listeners of one account that are told the same")
    parser.add_argument("--listeners", type=int, default=8_000)
    parser.add_argument("--each", type=int, default=2, help="listeners of an account")
    parser.add_argument("--seconds", type=float, default=60, help="how long the idle ones are watched")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for mode, settings in (("notify", ""), ("idle", WITHOUT_NOTIFY)) if arguments.events else ():
        asyncio.run(delays(arguments.events, mode, settings))
    if arguments.events:
        asyncio.run(together(arguments.together, arguments.events))
    if arguments.listeners:
        asyncio.run(idle(arguments.listeners, arguments.each, arguments.seconds))


if __name__ == "__main__":
    main()
