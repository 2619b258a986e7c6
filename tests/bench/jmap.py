"""JMAP beside the list of the API: ``python -m tests.bench.jmap``.

The newest 50 messages of an INBOX, all known, by ``GET …/messages?limit=50`` and by Email/query and Email/get in one
request. Both take turns on one process of the service and one Dovecot. CPU-ms are the service's own, from /proc. The last
row is with a flag that another program sets in another folder before each request.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import aiohttp

from tests.bench.load import PAGE, Client, cpu_seconds, seeded, session
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import Dovecot

ROUNDS = 5
USING = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
ROW = ("id", "mailboxIds", "keywords", "from", "to", "subject", "receivedAt", "size", "hasAttachment", "sentAt")
"""The properties that the API's rows have too, without those that cost it more."""
NEWEST = [{"property": "receivedAt", "isAscending": False}]
Work = Callable[[], Awaitable[None]]


class Jmap:
    """The same account by JMAP."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self._http, self._headers = http, headers
        self._account = self._inbox = ""

    async def begin(self) -> None:
        async with self._http.get("/jmap/session", headers=self._headers) as answer:
            [self._account] = (await answer.json())["accounts"]
        [(_, boxes, _)] = await self._call(["Mailbox/get", {"accountId": self._account}, "0"])
        self._inbox = next(each["id"] for each in boxes["list"] if each["role"] == "inbox")

    def page(self, **more: Any) -> Work:
        """Reads the page; ``more`` are arguments of the query."""
        asked = {"accountId": self._account, "filter": {"inMailbox": self._inbox}, "limit": PAGE, **more}
        ids = {"resultOf": "0", "name": "Email/query", "path": "/ids"}

        async def read() -> None:
            _, (name, found, _) = await self._call(
                ["Email/query", asked, "0"],
                ["Email/get", {"accountId": self._account, "#ids": ids, "properties": ROW}, "1"],
            )
            assert (name, len(found["list"])) == ("Email/get", PAGE)

        return read

    async def _call(self, *calls: Any) -> Any:
        body = {"using": USING, "methodCalls": calls}
        async with self._http.post("/jmap", json=body, headers=self._headers) as answer:
            answer.raise_for_status()
            return (await answer.json())["methodResponses"]


async def costs(pid: int, works: dict[str, Work], requests: int) -> dict[str, float]:
    """The median of the rounds' CPU-ms a request, by name."""
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):  # the first one warms
        for name, work in works.items():
            before = cpu_seconds(pid)
            for _ in range(requests):
                await work()
            if number:
                rounds[name].append((cpu_seconds(pid) - before) * 1000 / requests)
    return {name: statistics.median(found) for name, found in rounds.items()}


async def run(messages: int, requests: int) -> None:
    """Prints a table."""
    with Dovecot() as dovecot:
        [user] = seeded(dovecot, messages, 1)
        async with Replica(environment(dovecot)) as replica, session(replica) as http:
            client = Client(http, user)
            await client.sign_in()
            jmap = Jmap(http, client.headers)
            await jmap.begin()

            async def listed(**query: str) -> None:
                page = await client.get("/folders/inbox/messages", limit=PAGE, **query)
                assert len(page["items"]) == PAGE

            page = jmap.page()
            works: dict[str, Work] = {
                "list": listed,
                "JMAP": page,
                "list, sorted": lambda: listed(sort="-receivedAt"),
                "JMAP, sorted": jmap.page(sort=NEWEST),
            }
            found = await costs(replica.pid, works, requests)
            with news(dovecot, user) as change:
                works = {"list, news": after(change, listed), "JMAP, news": after(change, page)}
                found |= await costs(replica.pid, works, requests)
    print("| 50 known rows | list CPU-ms | JMAP CPU-ms | ratio |\n|---|--:|--:|--:|")
    for name, more in (("without a sort", ""), ("by `receivedAt`", ", sorted"), ("after news", ", news")):
        plain, jmapped = found[f"list{more}"], found[f"JMAP{more}"]
        print(f"| {name} | {plain:.2f} | {jmapped:.2f} | {jmapped / plain:.1f} |")


@contextmanager
def news(dovecot: Dovecot, user: str) -> Iterator[Callable[[], None]]:
    """Changes a message of another folder, each time it is called."""
    dovecot.seed(user, [(b"Subject: other\r\n\r\nx\r\n", (), None)], "Other")
    changes = cycle(("+FLAGS", "-FLAGS"))
    with dovecot.connect(user) as client:
        client.select("Other")

        def change() -> None:
            assert client.store("1", next(changes), "\\Flagged")[0] == "OK"

        yield change


def after(change: Callable[[], None], work: Work) -> Work:
    """The work, after the change."""

    async def run() -> None:
        change()
        await work()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=200, help="of each kind in each of the rounds")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.messages, arguments.requests))


if __name__ == "__main__":
    main()
