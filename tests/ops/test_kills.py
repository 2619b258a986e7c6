"""A process that is killed during its work, at any step between it and the mail server.

``CASELLA_ROUNDS`` sets the number of kills, each at another step; without it a few steps are tried.
"""

import asyncio
import json
import logging
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.ops.oracle import number_of, source
from tests.ops.seen import fetched
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.proxy import passing

pytestmark = pytest.mark.dovecot
ROUNDS = int(os.environ.get("CASELLA_ROUNDS", "0"))
ME = "/v1/accounts/me"
_log = logging.getLogger(__name__)
SEEDED = 14
STEPS = 90
"""The maximum of pieces that pass between the process and Dovecot while the requests are served."""
SOME = (5, 20, 40, 65)


@dataclass
class Asked:
    """A request, and its answer's status; None if the process ended before that."""

    method: str
    path: str
    body: dict[str, Any] | bytes | None = None
    key: str | None = None
    status: int | None = None
    results: list[int] = field(default_factory=list)

    async def send(self, url: str, user: str) -> None:
        headers = {"Idempotency-Key": self.key} if self.key else {}
        if isinstance(self.body, bytes):
            content, kind = self.body, "message/rfc822"
        else:
            content, kind = json.dumps(self.body).encode() if self.body is not None else b"", "application/json"
        async with httpx.AsyncClient(base_url=url, auth=(user, PASSWORD), timeout=60) as client:
            answer = await client.request(
                self.method, ME + self.path, content=content, headers=headers | {"Content-Type": kind}
            )
        self.status = answer.status_code
        if answer.content:
            self.results = [one["status"] for one in answer.json().get("results", ())]

    @property
    def is_done(self) -> bool:
        return self.status is not None and self.status < 300 and all(one < 300 for one in self.results)


class Kills:
    """Each round asks one process for every kind of write at once, kills it at a step, and asks another one again."""

    def __init__(self, dovecot: Dovecot, other: Replica) -> None:
        self._dovecot = dovecot
        self._other = other
        self.answered: Counter[bool] = Counter()
        self.copies_twice = 0

    async def round(self, step: int) -> None:
        user = self._dovecot.user("killed")
        self._dovecot.seed(user, [(source(number), (), None) for number in range(SEEDED)])
        await self._killed(user, step)

    async def _killed(self, user: str, step: int) -> None:
        passed: list[int] = []
        armed = asyncio.Event()

        async def fate(octets: bytes) -> tuple[bytes, bool]:
            if armed.is_set():
                passed.append(len(octets))
                if len(passed) == step:
                    victim.send(signal.SIGKILL)
            return octets, True

        async with passing(self._dovecot.ports.imap, fate=fate) as proxy:
            env = environment(self._dovecot) | {"CASELLA_SERVERS__HOME__IMAP__PORT": str(proxy.port)}
            async with Replica(env) as victim:
                asked = await self._requests(victim.url, user)
                armed.set()
                await asyncio.gather(*(one.send(victim.url, user) for one in asked), return_exceptions=True)
                if len(passed) < step:
                    victim.send(signal.SIGKILL)
                await victim.ended(10)
            await self._sessions_end(user)
        unanswered = [one for one in asked if one.status is None]
        for one in asked:
            self.answered[one.status is not None] += 1
            assert one.is_done or one.status is None, one
        self._is_whole(user)
        for one in unanswered:
            await one.send(self._other.url, user)
            assert one.status in {200, 201, 204, 404}, one
            assert set(one.results) <= {200, 404}, one
        self._is_as_wished(user)

    async def _requests(self, url: str, user: str) -> list[Asked]:
        async with httpx.AsyncClient(base_url=url, auth=(user, PASSWORD), timeout=60) as client:
            rows = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"][::-1]
        ids = [row["id"] for row in rows]
        assert len(ids) == SEEDED

        def many(action: str, numbers: range, **more: object) -> Asked:
            return Asked("POST", "/messages/bulk", {"ids": ids[numbers.start : numbers.stop], "action": action, **more})

        return [
            Asked("POST", "/folders/inbox/messages", source(SEEDED), key="append"),
            Asked("POST", f"/messages/{ids[0]}/move", {"folderId": "archive"}),
            Asked("DELETE", f"/messages/{ids[1]}"),
            Asked("POST", f"/messages/{ids[2]}/copy", {"folderId": "archive"}, key="copy"),
            many("move", range(3, 5), folderId="archive"),
            many("delete", range(5, 7)),
            many("flags", range(7, 9), add=["$flagged"]),
        ]

    async def _sessions_end(self, user: str) -> None:
        """What the dead process sent is done, or will never be."""
        async with asyncio.timeout(10):
            while self._open_sessions(user):
                await asyncio.sleep(0.02)

    def _open_sessions(self, user: str) -> set[str]:
        log = self._dovecot.log
        begun = re.findall(rf"imap-login: Info: Login: user=<{user}>.*session=<(.*?)>", log)
        return set(begun) - set(re.findall(rf"imap\({user}\)<\d+><(.*?)>: Info: (?:Disconnected|Logged out|Connection closed)", log))  # fmt: skip

    def _seen(self, user: str) -> dict[str, list[tuple[int, frozenset[str]]]]:
        """By folder; every message has its octets."""
        with self._dovecot.connect(user) as client:
            found = {folder: fetched(client, folder) for folder in ("INBOX", "Archive")}
        for rows in found.values():
            assert all(octets == source(number_of(octets)) for octets, _ in rows)
        return {folder: [(number_of(octets), flags) for octets, flags in rows] for folder, rows in found.items()}

    def _is_whole(self, user: str) -> None:
        """Before any retry: every message that was not deleted by request is there, and unchanged."""
        seen = self._seen(user)
        inbox, archive = Counter(n for n, _ in seen["INBOX"]), Counter(n for n, _ in seen["Archive"])
        untouched = [(number, frozenset[str]()) for number in range(9, SEEDED)]
        assert [row for row in seen["INBOX"] if 9 <= row[0] < SEEDED] == untouched
        assert set(archive) <= {0, 2, 3, 4}
        assert all(inbox[number] + archive[number] == 1 for number in (0, 3, 4))
        assert inbox[2] == inbox[7] == inbox[8] == 1
        assert archive[2] <= 1
        assert inbox[SEEDED] <= 1
        marked = {number for number, flags in seen["INBOX"] + seen["Archive"] if "$deleted" in flags}
        assert marked <= {1, 5, 6}

    def _is_as_wished(self, user: str) -> None:
        seen = self._seen(user)
        archive = Counter(number for number, _ in seen["Archive"])
        assert archive.keys() == {0, 2, 3, 4}
        assert archive[0] == archive[3] == archive[4] == 1
        assert archive[2] in {1, 2}
        self.copies_twice += archive[2] == 2
        flagged = frozenset({"$flagged"})
        expected = {2: frozenset[str](), 7: flagged, 8: flagged}
        expected |= dict.fromkeys(range(9, SEEDED + 1), frozenset[str]())
        assert sorted(number for number, _ in seen["INBOX"]) == sorted(expected)
        assert dict(seen["INBOX"]) == expected


def steps() -> Iterator[int]:
    """Each kill at another one."""
    yield from (random.randint(1, STEPS) for _ in range(ROUNDS)) if ROUNDS else SOME


@pytest.mark.timeout(0 if ROUNDS else 150)
async def test_killed_at_any_step(dovecot: Dovecot) -> None:
    """R-OPS-01: nothing is lost, altered or removed without a request, everything answered was done, and the same request
    to another process succeeds. Only a message may be copied twice, which is documented."""
    async with Replica(environment(dovecot)) as other:
        kills = Kills(dovecot, other)
        for step in steps():
            await kills.round(step)
    assert kills.answered[False]
    _log.info(
        "%d answered, %d cut off, %d copied twice", kills.answered[True], kills.answered[False], kills.copies_twice
    )
