"""The service under load, on a real Dovecot: ``python -m tests.bench.load``, which ``make bench`` runs.

One process of the service as it is deployed, one client or several. CPU-ms a request are the service's own, from /proc; the
client has its own process but shares the cores, so times are for comparing within one run. ``raw`` is the same work by IMAP
alone: octets counted, nothing parsed.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from service.demo.messages import demo_messages
from tests.deploy.replica import Replica, environment
from tests.ops.sending import sending_environment
from tests.servers.dovecot import PASSWORD, Dovecot, Mail
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

PAGE = 50
LARGE = 10_000_000
_TICKS = os.sysconf("SC_CLK_TCK")
UNBOUNDED = {f"CASELLA_RATES__ACCOUNT_{name}": "1000000/day" for name in ("MESSAGES", "RECIPIENTS")}
Call = Callable[[int], Awaitable[int]]


@dataclass(frozen=True)
class Figures:
    """Of one scenario: milliseconds of each request, the service's CPU seconds, and how long all took."""

    times: list[float]
    cpu: float
    seconds: float
    octets: int

    def row(self, name: str) -> str:
        p50, p95 = statistics.median(self.times), statistics.quantiles(self.times, n=20)[-1]
        rate = f"{self.octets / self.seconds / 1e6:.0f}" if self.octets > LARGE else ""
        per_request = self.cpu * 1000 / len(self.times)
        return f"| {name} | {p50:.2f} | {p95:.2f} | {len(self.times) / self.seconds:.0f} | {per_request:.2f} | {rate} |"


HEAD = "| request | p50 ms | p95 ms | requests/s | CPU-ms a request | MB/s |\n|---|---|---|---|---|---|"


class Client:
    """A signed-in caller."""

    def __init__(self, http: aiohttp.ClientSession, user: str) -> None:
        self._http = http
        self._user = user
        self.headers: dict[str, str] = {}

    async def sign_in(self) -> None:
        async with self._http.post("/v1/sessions", json={"username": self._user, "password": PASSWORD}) as answer:
            answer.raise_for_status()
            self.headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}

    async def get(self, path: str, **query: str | int) -> Any:
        return await self._json("GET", path, params=query)

    async def patch(self, path: str, body: object) -> Any:
        return await self._json("PATCH", path, json=body)

    async def post(self, path: str, body: object) -> Any:
        return await self._json("POST", path, json=body)

    async def octets(self, path: str) -> int:
        total = 0
        async with self._http.get(f"/v1/accounts/me{path}", headers=self.headers) as answer:
            answer.raise_for_status()
            async for chunk in answer.content.iter_any():
                total += len(chunk)
        return total

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._http.request(method, f"/v1/accounts/me{path}", headers=self.headers, **options) as answer:
            answer.raise_for_status()
            return json.loads(await answer.read())


class Load:
    """Scenarios against one replica."""

    def __init__(self, replica: Replica, clients: list[Client]) -> None:
        self._replica = replica
        self._clients = clients
        self.rows: list[dict[str, Any]] = []
        self._cursor = ""
        self._flags = count()

    @property
    def pid(self) -> int:
        """The service's process."""
        return self._replica.pid

    async def prepare(self) -> None:
        """Sign all in, and list the first page of each."""
        for client in self._clients:
            await client.sign_in()
            page = await client.get("/folders/inbox/messages", limit=PAGE)
            self.rows = self.rows or page["items"]
            self._cursor = self._cursor or page.get("nextCursor", "")

    async def list(self, number: int) -> int:
        page = await self._client(number).get("/folders/inbox/messages", limit=PAGE)
        assert page["items"]
        return 0

    async def unknown(self, _: int) -> int:
        """Page after page of what nobody read before."""
        page = await self._clients[0].get("/folders/inbox/messages", limit=PAGE, cursor=self._cursor)
        self._cursor = page["nextCursor"]
        return 0

    async def get(self, number: int) -> int:
        row = self.rows[1 + number % (PAGE - 1)]
        await self._clients[0].get(f"/messages/{row['id']}")
        return 0

    async def flag(self, _: int) -> int:
        number = next(self._flags)
        row = self.rows[1 + number // 2 % (PAGE - 1)]
        change = "remove" if number % 2 else "add"
        await self._clients[0].patch(f"/messages/{row['id']}/flags", {change: ["$flagged"]})
        return 0

    async def search(self, number: int) -> int:
        await self._client(number).get("/folders/inbox/messages", limit=PAGE, subject=f"word{number}")
        return 0

    async def download(self, _: int) -> int:
        [part] = (await self._clients[0].get(f"/messages/{self.rows[0]['id']}"))["attachments"]
        octets = await self._clients[0].octets(f"/messages/{self.rows[0]['id']}/parts/{part['id']}")
        assert octets >= LARGE
        return octets

    async def send(self, number: int) -> int:
        """A short message, written to Drafts, sent, and moved to Sent."""
        draft = {"to": [{"email": f"to{number}@example.net"}], "subject": "bench", "text": "A few words.\n" * 20}
        await self._clients[0].post("/submissions", draft)
        return 0

    async def measure(self, call: Call, requests: int, at_once: int = 1) -> Figures:
        times: list[float] = []
        octets = 0
        numbers = iter(range(requests))

        async def work() -> None:
            nonlocal octets
            for number in numbers:
                began = time.perf_counter()
                octets += await call(number)
                times.append((time.perf_counter() - began) * 1000)

        cpu, began = cpu_seconds(self.pid), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        return Figures(times, cpu_seconds(self.pid) - cpu, time.perf_counter() - began, octets)

    def _client(self, number: int) -> Client:
        return self._clients[number % len(self._clients)]


def cpu_seconds(pid: int) -> float:
    """Of the process and the children it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def memory(pid: int) -> int:
    """Resident octets."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def mailbox(size: int) -> Iterator[Mail]:
    """Letters of the demo again and again, oldest first; the newest has an attachment of 10 MB."""
    *letters, large, _ = demo_messages(200)
    sources = [letter.source for letter in letters]
    for number in range(size - 1):
        yield sources[number % len(sources)], ("$seen",) if number % 5 else (), None
    yield large.source, (), None


async def run(arguments: argparse.Namespace) -> None:
    """Every scenario once, as a table."""
    with Sink() as sink, SendingDovecot(sink.port) as dovecot:
        users = seeded(dovecot, arguments.messages, 1)
        env = sending_environment(dovecot, dovecot.submission) | UNBOUNDED
        async with Replica(env) as replica, session(replica) as http:
            load = Load(replica, [Client(http, user) for user in users])
            await load.prepare()
            await load.measure(load.list, 200)  # warm
            print(HEAD)
            for name, call, requests, at_once in (
                ("list 50, rows known", load.list, arguments.requests, 1),
                ("the same, 16 at once", load.list, arguments.requests * 2, 16),
                ("list 50, rows unknown", load.unknown, min(arguments.requests, arguments.messages // PAGE - 2), 1),
                ("get a message", load.get, arguments.requests, 1),
                ("set a flag", load.flag, arguments.requests, 1),
                ("search a subject", load.search, max(20, arguments.requests // 10), 1),
                ("send a message", load.send, max(20, arguments.requests // 4), 1),
                ("download 10 MB", load.download, max(5, arguments.requests // 40), 1),
            ):
                print((await load.measure(call, requests, at_once)).row(name), flush=True)
            print(f"\nResident memory at the end: {memory(replica.pid) / 1e6:.0f} MB")


@dataclass(frozen=True)
class Shape:
    """So many accounts with so many messages each: ``1000x16`` has 16 accounts."""

    messages: int
    accounts: int

    @classmethod
    def read(cls, text: str) -> "Shape":
        messages, accounts = map(int, text.split("x"))
        return cls(messages, accounts)


SHAPES = "1000x1 1000x16 1000x128 25x1000 10000x1 10000x16 100000x1 300000x1"
GROWN = "| messages | accounts | open CPU-ms | list p50 ms | list CPU-ms | search p50 ms | search CPU-ms | empty, resident MB |"


async def grow(arguments: argparse.Namespace) -> None:
    """How the cost of opening an account, of a list and of a search grows with mailboxes and accounts."""
    print(GROWN, "|" + "---|" * (GROWN.count("|") - 1), sep="\n")
    for shape in arguments.shapes:
        with Dovecot() as dovecot:
            users = seeded(dovecot, shape.messages, shape.accounts)
            async with Replica(environment(dovecot)) as replica, session(replica) as http:
                print(await _grown(Load(replica, [Client(http, user) for user in users]), shape, arguments), flush=True)


async def _grown(load: Load, shape: Shape, arguments: argparse.Namespace) -> str:
    empty = memory(load.pid)
    opened = cpu_seconds(load.pid)
    await load.prepare()
    opened = (cpu_seconds(load.pid) - opened) * 1000 / shape.accounts
    await load.measure(load.search, shape.accounts)  # Dovecot reads each mailbox for its first search
    listed = await load.measure(load.list, max(arguments.requests, shape.accounts * 2))
    found = await load.measure(load.search, max(shape.accounts, arguments.requests // 10))
    cells = [f"{shape.messages:,}", f"{shape.accounts:,}", f"{opened:.1f}"]
    for one in (listed, found):
        cells += [f"{statistics.median(one.times):.2f}", f"{one.cpu * 1000 / len(one.times):.2f}"]
    return f"| {' | '.join(cells)} | {empty / 1e6:.0f}, {memory(load.pid) / 1e6:.0f} |"


def seeded(dovecot: Dovecot, size: int, accounts: int) -> list[str]:
    """Accounts with a mailbox of that size each."""
    users = [dovecot.user() for _ in range(accounts)]
    for user in users:
        dovecot.seed(user, mailbox(size))
    return users


def session(replica: Replica) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        replica.url, timeout=aiohttp.ClientTimeout(total=300), connector=aiohttp.TCPConnector(limit=0)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="of the quick kinds; slow ones get fewer")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--grow", action="store_true", help="mailboxes of several sizes, several accounts")
    parser.add_argument("--shapes", type=Shape.read, nargs="+", default=[*map(Shape.read, SHAPES.split())])
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}\n"
    )
    asyncio.run(grow(arguments) if arguments.grow else run(arguments))


if __name__ == "__main__":
    main()
