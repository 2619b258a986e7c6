"""Clients that disconnect, with the service as it is deployed and a slow mail server."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from service.adapters.imap.ids import Ids
from service.mail.ids import account_id
from tests.deploy.replica import Replica
from tests.servers.process import HOST
from tests.servers.scripted import Answers, Imap, ScriptedServer

USER, PASSWORD = "ann@example.org", "secret"
IDS = Ids(account_id("home", "imap", USER))
FIRST = IDS.message(b"INBOX", 7, 1)
ME = "/v1/accounts/me"
OK = b"{tag} OK done\r\n"
NOTHING = b" ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
CANARY = b'* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 1 ENVELOPE (NIL "canary" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n' + OK
RIGHT = CANARY.replace(b"canary", b"right")
AUTH = httpx.BasicAuth(USER, PASSWORD)


class Slow:
    """Delays its first answer until a test releases it; later answers come at once."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._answers = iter((first,))
        self._then = then

    async def __call__(self, _: bytes) -> bytes:
        answer = next(self._answers, None)
        if answer is None:
            return self._then
        self.asked.set()
        await self.go.wait()
        return answer


@asynccontextmanager
async def service(answers: Answers) -> AsyncIterator[tuple[ScriptedServer, Replica]]:
    imap = Imap(exists=1, uid_validity=7, uid_next=2, answers=answers)
    async with ScriptedServer([imap]) as server:
        env = {
            "CASELLA_DEFAULT_SERVER": "home",
            "CASELLA_SERVERS__HOME__IMAP__HOST": HOST,
            "CASELLA_SERVERS__HOME__IMAP__PORT": str(server.port),
            "CASELLA_SERVERS__HOME__IMAP__SECURITY": "none",
        }
        async with Replica(env) as replica:
            yield server, replica


async def call(replica: Replica, method: str, path: str) -> asyncio.StreamWriter:
    """A request on a separate connection whose answer is not read."""
    _, writer = await asyncio.open_connection(HOST, replica.port)
    token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    writer.write(
        f"{method} {ME}{path} HTTP/1.1\r\nHost: casella.example.org\r\nAuthorization: Basic {token}\r\n\r\n".encode()
    )
    await writer.drain()
    return writer


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


LIST = "/folders/inbox/messages"


@pytest.mark.parametrize(
    ("verb", "path"), [("FETCH", LIST), ("UID SEARCH", f"{LIST}?subject=x"), ("UID FETCH", f"/messages/{FIRST}")]
)
async def test_a_disconnect_before_the_answer_cancels_the_read(verb: str, path: str) -> None:
    """R-OPS-09: the mail server's connection is closed within a second, and the next answer has no octets of the old one."""
    slow = Slow(CANARY, b"* SEARCH\r\n" + OK if verb == "UID SEARCH" else RIGHT)
    async with service({"FETCH": RIGHT, verb: slow}) as (server, replica):
        caller = await call(replica, "GET", path)
        await slow.asked.wait()
        caller.close()
        await until(lambda: server.open == 0, seconds=1)
        slow.go.set()
        async with httpx.AsyncClient(base_url=replica.url, auth=AUTH) as client:
            answer = (await client.get(f"{ME}{LIST}")).json()
        assert [row["subject"] for row in answer["items"]] == ["right"]
        statuses = [json.loads(line).get("status") for line in replica.log.splitlines()]
        assert statuses.count(499) == 1
        assert "Traceback" not in replica.log


async def test_a_disconnect_during_a_download_cancels_it() -> None:
    """R-OPS-09: between two windows."""
    windows = iter(range(10))
    held = asyncio.Event()

    async def window(command: bytes) -> bytes:
        at = next(windows)
        if at:
            held.set()
            await asyncio.Event().wait()
        size = 256 << 10
        return b"* 1 FETCH (UID 1 RFC822.SIZE 9000000 BODY[]<0> {%d}\r\n%b)\r\n" % (size, b"x" * size) + OK

    async with service({"UID FETCH": window, "FETCH": RIGHT}) as (server, replica):
        caller = await call(replica, "GET", f"/messages/{FIRST}/source")
        await held.wait()
        caller.close()
        await until(lambda: server.open == 0, seconds=1.5)
        async with httpx.AsyncClient(base_url=replica.url, auth=AUTH) as client:
            answer = (await client.get(f"{ME}{LIST}")).json()
        assert [row["subject"] for row in answer["items"]] == ["right"]


async def test_a_write_continues_after_a_disconnect() -> None:
    """A phone that lost its network still wants the deletion."""
    slow = Slow(b"* 1 EXPUNGE\r\n" + OK, OK)
    answers: Answers = {
        "UID EXPUNGE": slow,
        "UID STORE": b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n" + OK,
        "FETCH": RIGHT,
        "UID SEARCH": b"* SEARCH 1\r\n" + OK,
    }
    async with service(answers) as (server, replica):
        caller = await call(replica, "DELETE", f"/messages/{FIRST}")
        await slow.asked.wait()
        caller.close()
        slow.go.set()
        await until(lambda: '"method":"DELETE"' in replica.log)
        assert server.open >= 1


async def test_a_slow_client_gets_the_whole_answer() -> None:
    slow = Slow(RIGHT, RIGHT)
    async with service({"FETCH": slow}) as (_, replica), httpx.AsyncClient(base_url=replica.url, auth=AUTH) as client:
        answer = asyncio.ensure_future(client.get(f"{ME}{LIST}"))
        await slow.asked.wait()
        await asyncio.sleep(0.5)  # past the moment from which the caller is watched
        slow.go.set()
        assert [row["subject"] for row in (await answer).json()["items"]] == ["right"]
        assert (await client.get(f"{ME}{LIST}")).status_code == 200
