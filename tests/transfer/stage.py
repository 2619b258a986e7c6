"""A service between old mailboxes and a new one, which may be killed at any moment."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import token_urlsafe
from typing import Any

import httpx

from tests.adapters.maildir.post import Post
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.mailutils import Mailutils
from tests.servers.process import HOST
from tests.servers.proxy import passing
from tests.transfer.letters import Letter

ME = "/v1/accounts/me"
JSON = dict[str, Any]


@dataclass
class Kills:
    """How often the service was killed, what it answered when it was not, and at the end; and the same import after
    that."""

    count: int = 0
    answers: list[JSON] = field(default_factory=list)
    last: JSON = field(default_factory=dict)
    again: JSON = field(default_factory=dict)


class Stage:
    """The servers ``home`` (Dovecot), ``old`` (mailutils) and ``disk`` (Maildir)."""

    def __init__(self, dovecot: Dovecot, mailutils: Mailutils | None = None, folder: Path | None = None) -> None:
        self.dovecot, self.mailutils = dovecot, mailutils
        self.post = Post(folder) if folder else None
        self.env = environment(dovecot, secret_keys=token_urlsafe(32), log_level="WARNING")
        if mailutils is not None:
            self.env |= _listener("OLD", "IMAP", mailutils.ports.imap)
            if mailutils.ports.pop3:
                self.env |= _listener("OLD", "POP3", mailutils.ports.pop3)
        if self.post is not None:
            self.env["CASELLA_SERVERS__DISK__MAILDIR__PATH"] = f"{self.post.folder}/{{user}}/Maildir"
            self.env["CASELLA_SERVERS__DISK__MAILDIR__PASSWORDS"] = str(self.post.passwords)

    def seed(self, user: str, letters: Iterable[Letter]) -> None:
        """Put them into a mailbox of Dovecot."""
        by_folder: dict[str, list[Letter]] = {}
        for letter in letters:
            by_folder.setdefault(letter.folder, []).append(letter)
        for name, each in by_folder.items():
            self.dovecot.seed(user, [letter.mail for letter in each], name)

    @asynccontextmanager
    async def service(self, port: int | None = None) -> AsyncIterator[Replica]:
        """The service. ``port`` is that of Dovecot, if something is between them."""
        more = {"CASELLA_SERVERS__HOME__IMAP__PORT": str(port)} if port else {}
        async with Replica(self.env | more) as replica:
            yield replica

    async def run(self, replica: Replica, user: str, new: JSON, *, seconds: int = 20) -> JSON:
        """An import to its end; returns the last answer, with all failures."""
        failed: list[JSON] = []
        body: JSON = {**new, "seconds": seconds}
        async with client_of(replica.url, user) as client:
            while True:
                answer = await client.post(f"{ME}/imports", json=body)
                assert answer.status_code == 200, answer.text
                done: JSON = answer.json()
                failed += done["failed"]
                if done["isDone"]:
                    return {**done, "failed": failed}
                body = {"token": done["token"], "seconds": seconds}

    async def run_killed(self, user: str, new: JSON, kills: int, *, steps: tuple[int, int], seed: int = 1) -> Kills:
        """An import during which the service is killed so often, each time after some octets to or from Dovecot. Every
        other time it goes on by the last token, else it begins again. At the end it is not killed any more."""
        random, told = Random(seed), Kills()
        passed = end = 0
        victim: Replica | None = None

        async def fate(octets: bytes) -> tuple[bytes, bool]:
            nonlocal passed
            passed += 1
            if passed == end and victim is not None:
                victim.send(signal.SIGKILL)
                told.count += 1
            return octets, True

        async with passing(self.dovecot.ports.imap, fate=fate) as proxy, self.service(proxy.port) as replica:
            victim, token = replica, None
            while told.count < kills:
                if not end:
                    passed, end = 0, random.randint(*steps)
                body = {"token": token} if token and told.count % 2 else new
                answer = await self._request(replica, user, {**body, "seconds": 1})
                if answer is not None:
                    told.answers.append(answer)
                    token = answer["token"]
                    continue
                await replica.ended(10)
                end = 0
                await replica.start()
            end = 0
            told.last = await self.run(replica, user, new)
            told.again = await self.run(replica, user, new)
        return told

    async def _request(self, replica: Replica, user: str, body: JSON) -> JSON | None:
        """None if the service was killed."""
        try:
            async with client_of(replica.url, user) as client, asyncio.timeout(60):
                answer = await client.post(f"{ME}/imports", json=body)
                while answer.status_code >= 400 and answer.json()["retryable"]:  # pop3d holds its lock for a while
                    await asyncio.sleep(0.1)
                    answer = await client.post(f"{ME}/imports", json=body)
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        result: JSON = answer.json()
        return result


def _listener(server: str, protocol: str, port: int) -> dict[str, str]:
    values = {"HOST": HOST, "PORT": str(port), "SECURITY": "none"}
    return {f"CASELLA_SERVERS__{server}__{protocol}__{name}": value for name, value in values.items()}


def client_of(url: str, user: str) -> httpx.AsyncClient:
    """A client that is signed in to a mailbox of Dovecot."""
    return httpx.AsyncClient(
        base_url=url, auth=(user, PASSWORD), timeout=400, headers={"Casella-Server": "home", "Casella-Protocol": "imap"}
    )


def login(user: str, server: str = "home", protocol: str = "imap") -> JSON:
    """The member ``from`` of an import."""
    return {"from": {"username": user, "password": PASSWORD, "server": server, "protocol": protocol}}
