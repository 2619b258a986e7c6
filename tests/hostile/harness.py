"""Gives one answer to a running service, and measures what others notice of it."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import httpx

from tests.deploy.replica import Replica
from tests.hostile.answers import Case
from tests.servers.scripted import Imap, ScriptedServer

ME = "/v1/accounts/me"
INBOX = f"{ME}/folders/inbox/messages"
SECONDS = 60.0
"""After which a request counts as one that never ends."""
ENTRYPOINT = (sys.executable, "-m", "tests.hostile.watched")
ROW = (
    b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 9 '
    b'ENVELOPE (NIL "calm" NIL NIL NIL NIL NIL NIL NIL "<1@example.org>") '
    b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 1 1))\r\n{tag} OK done\r\n'
)


class Found(NamedTuple):
    """Milliseconds and megabytes; ``statuses`` are those of the hostile server's own account."""

    name: str
    statuses: tuple[int, ...]
    stall: float
    neighbour: float
    healthz: float
    growth: float
    seconds: float

    def __str__(self) -> str:
        said = ",".join(map(str, self.statuses))
        return (
            f"| {self.name} | {said} | {self.seconds:.1f} | {self.stall:.0f} | {self.neighbour:.0f} |"
            f" {self.healthz:.0f} | {self.growth:.0f} |"
        )


@dataclass
class Harness:
    """A service with two servers: ``answers`` is what one of them says now, the other one is well-behaved."""

    replica: Replica
    client: httpx.AsyncClient
    watched: Path
    hostile: ScriptedServer
    now: Case = field(default_factory=Case)
    count: int = 0

    async def run(self, case: Case) -> Found:
        """The case's requests one after the other, by an account of its own."""
        self.now, self.count = case, self.count + 1
        self.replica.send(signal.SIGUSR1)
        while self._read("resets") < self.count:
            await asyncio.sleep(0.005)
        before, began = self._rss(), perf_counter()
        others = [asyncio.create_task(self._others(path, auth)) for path, auth in (("/healthz", None), (INBOX, ("calm@good.example.org", "x")))]  # fmt: skip
        statuses = [await self._ask(f"u{self.count}@bad.example.org", path) for path in case.paths]
        seconds = perf_counter() - began
        for task in others:
            task.cancel()
        healthz, neighbour = [await task for task in others]
        stall, growth = self._read("stall") * 1000, self._read("rss") - before
        return Found(case.name, tuple(statuses), stall, neighbour, healthz, growth, seconds)

    async def _ask(self, user: str, path: str) -> int:
        try:
            async with asyncio.timeout(SECONDS), self.client.stream("GET", ME + path, auth=(user, "x")) as answer:
                if "/events" in path:
                    await asyncio.sleep(self.now.listens)
                else:
                    await answer.aread()
                return answer.status_code
        except TimeoutError:
            return 0

    async def _others(self, path: str, auth: tuple[str, str] | None) -> float:
        """The longest that one of many requests took, in milliseconds."""
        worst = 0.0
        try:
            while True:
                began = perf_counter()
                answer = await self.client.get(path, auth=auth)
                worst = max(worst, (perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            return worst

    def _read(self, name: str) -> float:
        found: dict[str, float] = json.loads(self.watched.read_text())
        return found[name]

    def _rss(self) -> float:
        pages = Path(f"/proc/{self.replica.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def harness() -> AsyncIterator[Harness]:
    """A service that is warm: an account of the well-behaved server has listed once."""
    calm = Imap(exists=1, answers={"UID FETCH": ROW, "FETCH": ROW})
    with tempfile.TemporaryDirectory() as folder:
        watched = Path(folder) / "watched.json"
        hostile = ScriptedServer(lambda _: [found.now.server])
        async with ScriptedServer([calm]) as good, hostile:
            env = {"WATCHED": str(watched)}
            for name, server in (("GOOD", good), ("BAD", hostile)):
                place = f"CASELLA_SERVERS__{name}"
                env |= {f"{place}__IMAP__{key}": value for key, value in (("HOST", server.host), ("PORT", str(server.port)), ("SECURITY", "none"))}  # fmt: skip
                env[f"{place}__DOMAINS"] = f'["{name.lower()}.example.org"]'
            async with (
                Replica(env, ENTRYPOINT) as replica,
                httpx.AsyncClient(base_url=replica.url, timeout=SECONDS + 5) as client,
            ):
                found = Harness(replica, client, watched, hostile)
                for user in ("calm@good.example.org", "warm@bad.example.org"):
                    for path in ("/folders/inbox/messages", "/folders", "/folders/inbox/changes", "/changes"):
                        await client.get(ME + path, auth=(user, "x"))
                yield found
            hostile.failures.clear()  # a client that leaves in mid-answer is what is wanted here
