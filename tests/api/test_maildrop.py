"""Five clients in one maildrop, reading and deleting while mail comes in: over one process and over two.

``CASELLA_ROUNDS=1500 pytest tests/api/test_maildrop.py -o log_cli=true --log-cli-level=INFO`` runs it for longer and says
what it saw.
"""

import asyncio
import logging
import os
import poplib
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median, quantiles

import httpx
import pytest

from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.app import create_app
from tests.adapters.pop3.server import SECRET, USER, Pop3Server, letters
from tests.api.conftest import mail, settings_for
from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

pytestmark = pytest.mark.dovecot
ROUNDS = int(os.environ.get("CASELLA_ROUNDS", "10"))
CLIENTS = 5
SESSION = DEFAULT_TIMING.session
SEEDED = 40
ME = "/v1/accounts/me"
HEADERS = {"Casella-Protocol": "pop3"}
_log = logging.getLogger(__name__)


class Crowd:
    """Clients of one maildrop, and the responses that each of them got. Message n is deleted by client n modulo their number,
    and read by all."""

    def __init__(self, server: Dovecot, clients: Sequence[httpx.AsyncClient], may_be_refused: bool = False) -> None:
        self.user = server.user("crowd")
        self.delivered: dict[str, bytes] = {}
        self.deleted: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.reads = self.deletions = 0
        self._server = server
        self._clients = clients
        self._refusals = {409} if may_be_refused else set()
        self._begun: set[str] = set()
        self._running = len(clients)
        self._due = asyncio.Semaphore(0)
        self._random = random.Random(1)
        server.seed(self.user, [(self._new(), (), None) for _ in range(SEEDED)])

    async def run(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver())
            for number in range(self._running):
                group.create_task(self._rounds(number))
        self.took = time.monotonic() - began

    def left(self) -> dict[str, bytes]:
        """What another program finds, by subject."""
        client = poplib.POP3(HOST, self._server.ports.pop3, timeout=30)
        client.user(self.user)
        client.pass_(PASSWORD)
        count, _ = client.stat()
        found = [b"\r\n".join(client.retr(number)[1]) + b"\r\n" for number in range(1, count + 1)]
        client.quit()
        assert len(found) == len({_subject(one) for one in found})
        return {_subject(one): one for one in found}

    @property
    def pop3_logins(self) -> int:
        """Mail comes in by IMAP."""
        return len(re.findall(rf"pop3-login: Info: Login: user=<{self.user}>", self._server.log))

    @property
    def locked_out(self) -> int:
        return len(re.findall(rf"pop3\({self.user}\).*Couldn't lock", self._server.log))

    def say(self) -> None:
        tail = quantiles(self.seconds, n=20)[-1]
        _log.info(
            "%.1f s: %d messages, %d read, %d deleted in %d requests, answers %s, %d POP3 logins, %d locked out,"
            " median %.0f ms, 95%% within %.0f ms, longest %.1f s",
            self.took, len(self.delivered), self.reads, len(self.deleted), self.deletions, dict(self.answers),
            self.pop3_logins, self.locked_out, 1000 * median(self.seconds), 1000 * tail, max(self.seconds),
        )  # fmt: skip

    def _new(self) -> bytes:
        number = len(self.delivered)
        body = self._random.randbytes(self._random.choice([10, 1000, 200_000])).hex("\n", 30).encode()
        source = mail(f"number {number}", b".\r\n" + body.replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        self.delivered[f"number {number}"] = source
        return source

    async def _deliver(self) -> None:
        """About as many as are deleted, until all have done their rounds."""
        while self._running:
            await self._due.acquire()
            await asyncio.to_thread(self._server.append, self.user, self._new())

    async def _rounds(self, me: int) -> None:
        for number in range(ROUNDS):
            rows = (await self._ask(me, "GET", f"{ME}/folders/inbox/messages?limit=200")).json()["items"]
            known = {row["subject"]: row["id"] for row in rows}
            for subject in self._random.sample(sorted(known), min(3, len(known))):
                await self._read(me, subject, known[subject])
            mine = [subject for subject in known if int(subject.split()[1]) % len(self._clients) == me]
            if number % 4 == me % 4:
                self._due.release()
            if mine and number % 8 == me and len(known) > SEEDED // 2:
                count = self._random.choice([1, 2])
                await self._delete(me, {subject: known[subject] for subject in mine[-count:]})
        self._running -= 1
        self._due.release()

    async def _read(self, me: int, subject: str, message: str) -> None:
        """As source, as a message, and as a piece of a part. It is gone only if a client deleted it."""
        source = await self._ask(me, "GET", f"{ME}/messages/{message}/source", {404})
        if source.status_code == 404:
            assert subject in self._begun
            return
        expected = self.delivered[subject]
        assert source.content == expected
        body = expected.partition(b"\r\n\r\n")[2]
        piece = await self._ask(me, "GET", f"{ME}/messages/{message}/parts/1", {404}, Range="bytes=3-9")
        assert (piece.status_code == 404 and subject in self._begun) or piece.content == body[3:10]
        self.reads += 1

    async def _delete(self, me: int, known: dict[str, str]) -> None:
        """One by itself, or two at once."""
        self._begun |= set(known)
        self.deletions += 1
        if len(known) == 1:
            [message] = known.values()
            await self._ask(me, "DELETE", f"{ME}/messages/{message}")
        else:
            body = {"ids": list(known.values()), "action": "delete"}
            answer = await self._ask(me, "POST", f"{ME}/messages/bulk", json=body)
            assert {one["status"] for one in answer.json()["results"]} == {200}, answer.text
        self.deleted |= set(known)

    async def _ask(
        self, me: int, method: str, path: str, also: set[int] | None = None, json: object = None, **headers: str
    ) -> httpx.Response:
        """Repeats the request if another client has locked the maildrop, and that may happen."""
        while True:
            began = time.monotonic()
            answer = await self._clients[me].request(
                method, path, auth=(self.user, PASSWORD), headers=headers, json=json
            )
            self.seconds.append(time.monotonic() - began)
            self.answers[answer.status_code] += 1
            if answer.status_code not in self._refusals:
                break
            assert answer.json()["type"] == "/problems/in-use"
            assert int(answer.headers["retry-after"]) == 5
        assert answer.status_code in {200, 204, 206} | (also or set()), answer.text
        return answer


def _subject(source: bytes) -> str:
    found = re.search(rb"^Subject: (.*)\r$", source, re.MULTILINE)
    assert found is not None
    return found[1].decode()


@asynccontextmanager
async def clients_of_an_app(server: Dovecot) -> AsyncIterator[list[httpx.AsyncClient]]:
    app = create_app(settings_for(server, access_log=False))
    async with app.router.lifespan_context(app), AsyncExitStack() as stack:
        transport = httpx.ASGITransport(app)
        yield [
            await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://casella", timeout=60, headers=HEADERS)
            )
            for _ in range(CLIENTS)
        ]


async def test_five_clients_in_one_maildrop(locking_dovecot: Dovecot) -> None:
    """R-POP-05, R-CONC-09: exact octets for each, exactly the deleted ones gone, and no more logins than deletions,
    which end a session, and sessions that grew old."""
    async with clients_of_an_app(locking_dovecot) as clients:
        crowd = Crowd(locking_dovecot, clients)
        await crowd.run()
    crowd.say()
    assert crowd.left() == {s: octets for s, octets in crowd.delivered.items() if s not in crowd.deleted}
    assert crowd.deleted
    assert crowd.reads > CLIENTS * ROUNDS
    assert set(crowd.answers) <= {200, 204, 206, 404}
    assert crowd.locked_out == 0
    assert crowd.pop3_logins - 1 <= 1 + crowd.deletions + crowd.took / SESSION  # one was ``left``'s


async def test_a_process_learns_that_another_one_has_the_maildrop(dovecot: Dovecot) -> None:
    """R-POP-05: 409 after some tries, on a server that refuses at once; a deletion by the one lets the other in."""
    server = Pop3Server(letters(2), is_locking=True)
    async with server.running() as endpoint:
        env = environment(dovecot, **pop3(endpoint.port, pop3_linger_seconds=60))
        async with Replica(env) as one, Replica(env) as other, AsyncExitStack() as stack:
            first, second = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=replica.url, timeout=60, headers=HEADERS, auth=(USER, SECRET))
                )
                for replica in (one, other)
            ]
            inbox = f"{ME}/folders/inbox/messages"
            newest, _ = (await first.get(inbox)).json()["items"]
            refused = await second.get(inbox)
            assert (refused.status_code, refused.headers["retry-after"]) == (409, "5")
            assert refused.json()["type"] == "/problems/in-use"
            assert refused.json()["retryable"]
            assert server.verbs.count("PASS") == 1 + 4
            assert (await first.delete(f"{ME}/messages/{newest['id']}")).status_code == 204
            assert (await second.get(inbox)).json()["total"] == 1
    assert server.most_inside == 1


def pop3(port: int, **more: object) -> dict[str, object]:
    return {
        "servers__home__pop3__host": HOST,
        "servers__home__pop3__port": port,
        "servers__home__pop3__security": "none",
        **more,
    }


async def test_five_clients_over_two_processes(locking_dovecot: Dovecot) -> None:
    """R-POP-05: the maildrop is one process's at a time; the other waits, or says 409 and is asked again."""
    env = environment(locking_dovecot, **pop3(locking_dovecot.ports.pop3, pop3_linger_seconds=0.2))
    async with Replica(env) as one, Replica(env) as other, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=replica.url, timeout=60, headers=HEADERS))
            for replica in (one, other, one, other, one)
        ]
        crowd = Crowd(locking_dovecot, clients, may_be_refused=True)
        await crowd.run()
    crowd.say()
    assert crowd.left() == {s: octets for s, octets in crowd.delivered.items() if s not in crowd.deleted}
    assert crowd.deleted
    assert crowd.reads > CLIENTS * ROUNDS
    assert set(crowd.answers) <= {200, 204, 206, 404, 409}
    assert crowd.pop3_logins - 1 <= 2 + crowd.deletions + crowd.took / 0.2 + 5 * crowd.answers[409]
