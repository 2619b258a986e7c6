"""The brake on guessing, in front of mail servers that take their time to say no."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe

import httpx
import pytest

from service.api.deps import Service
from service.app import create_app
from service.settings.model import Settings
from tests.adapters.pop3.server import Pop3Server, letters
from tests.api.test_problems import is_problem
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

ME = "/v1/accounts/me"
SESSIONS = "/v1/sessions"
USER = "ann@example.org"
PASSWORD = "canary-brake-password"
GUESSES = 300
BOUND = 20
Ask = Callable[[httpx.AsyncClient, str, str], Awaitable[httpx.Response]]


@dataclass
class Sluggish:
    """Answers a login when ``gate`` is open. ``password`` is the correct one for all users."""

    password: str = PASSWORD
    logins: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def login(self, command: bytes) -> bytes:
        self.logins += 1
        await self.gate.wait()
        return b"{tag} OK in\r\n" if self.password.encode() in command else b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"


@dataclass
class Stage:
    """The service with one server, and clients of any address."""

    service: Service
    clients: Callable[[str], httpx.AsyncClient]

    async def close_all(self) -> None:
        """As after some minutes without a request: the next request has to log in."""
        await self.service.accounts.aclose()


@asynccontextmanager
async def staged(port: int, protocol: str = "imap", **rates: str) -> AsyncIterator[Stage]:
    place = {"host": HOST, "port": port, "security": "none"}
    app = create_app(Settings(servers={"home": {protocol: place}}, rates=rates, secret_keys=token_urlsafe(32)))

    def client(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://casella.example.org", timeout=60)

    async with app.router.lifespan_context(app):
        yield Stage(app.state.service, client)


@asynccontextmanager
async def sluggish(**rates: str) -> AsyncIterator[tuple[Sluggish, Stage]]:
    door = Sluggish()
    async with ScriptedServer([Imap(answers={"LOGIN": door.login})]) as server, staged(server.port, **rates) as stage:
        yield door, stage


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def basic(client: httpx.AsyncClient, user: str, password: str) -> httpx.Response:
    return await client.get(ME, auth=(user, password))


async def sign_in(client: httpx.AsyncClient, user: str, password: str) -> httpx.Response:
    return await client.post(SESSIONS, json={"username": user, "password": password})


async def sign_out(client: httpx.AsyncClient, user: str, password: str) -> httpx.Response:
    return await client.delete(f"{SESSIONS}/current", auth=(user, password))


async def write(client: httpx.AsyncClient, user: str, password: str) -> httpx.Response:
    return await client.post(f"{ME}/folders", json={"name": "x"}, auth=(user, password))


@pytest.mark.parametrize("ask", [basic, sign_in, sign_out, write])
async def test_guesses_at_once_from_one_address_do_not_pass_its_bound(ask: Ask) -> None:
    """R-HTTP-26: at a server that takes its time to say no, by every way to bring a password, for as many mailboxes."""
    async with sluggish(address_failures=f"{BOUND}/hour") as (door, stage), stage.clients("192.0.2.1") as client:
        guesses = [asyncio.ensure_future(ask(client, f"user{n}@example.org", "wrong")) for n in range(GUESSES)]
        await until(lambda: door.logins == BOUND // 2)
        door.gate.set()
        answers = await asyncio.gather(*guesses)
        assert Counter(answer.status_code for answer in answers) == {401: BOUND, 429: GUESSES - BOUND}
        assert all(0 < int(one.headers["retry-after"]) <= 3600 for one in answers if one.status_code == 429)
        assert door.logins == BOUND
        assert len(stage.service.accounts) == 0
        async with stage.clients("192.0.2.2") as elsewhere:
            assert (await basic(elsewhere, USER, PASSWORD)).status_code == 200


async def test_guesses_at_once_by_pop3_do_not_pass_the_bound_either() -> None:
    """R-HTTP-26: the neighbour."""
    drop = Pop3Server(letters(1))
    async with (
        drop.running() as endpoint,
        staged(endpoint.port, "pop3", address_failures=f"{BOUND}/hour") as stage,
        stage.clients("192.0.2.1") as client,
    ):
        answers = await asyncio.gather(*(basic(client, f"user{n}", "wrong") for n in range(GUESSES)))
        assert Counter(answer.status_code for answer in answers) == {401: BOUND, 429: GUESSES - BOUND}
        assert drop.verbs.count("PASS") == BOUND


async def test_right_passwords_at_once_from_one_address_are_not_guesses() -> None:
    """R-HTTP-27: an application in front of very many mailboxes starts, and all of them log in: in turn, and all of
    them. What one of them got wrong does not matter."""
    async with sluggish(address_failures=f"{BOUND}/hour") as (door, stage), stage.clients("192.0.2.1") as client:
        door.gate.set()
        assert (await basic(client, USER, "wrong")).status_code == 401
        answers = await asyncio.gather(*(basic(client, f"user{n}@example.org", PASSWORD) for n in range(GUESSES)))
        assert Counter(answer.status_code for answer in answers) == {200: GUESSES}


async def test_a_sealed_token_is_not_held_up_by_the_guesses_of_others() -> None:
    """R-HTTP-29: the owner of a token cannot be locked out. A token in the header does not make a guess in the body valid."""
    async with sluggish(account_failures="3/hour", address_failures="3/hour") as (door, stage):
        door.gate.set()
        async with stage.clients("192.0.2.1") as owner, stage.clients("192.0.2.2") as stranger:
            token = (await sign_in(owner, USER, PASSWORD)).json()["token"]
            bearer = {"Authorization": f"Bearer {token}"}
            told = [(await basic(stranger, USER, f"wrong {n}")).status_code for n in range(5)]
            assert told == [401] * 3 + [429] * 2
            await stage.close_all()
            assert (await basic(owner, USER, PASSWORD)).status_code == 429
            for client in (owner, stranger):
                assert (await client.get(ME, headers=bearer)).status_code == 200
                new = {"username": USER, "password": "wrong once more"}
                is_problem(await client.post(SESSIONS, json=new, headers=bearer), 429, "too-many-requests")
                await stage.close_all()


async def test_a_token_whose_password_changed_is_tried_once() -> None:
    """R-HTTP-29: however often it is sent, concurrently or in sequence, the mail server gets it once a minute.
    Signing in again ends that."""
    async with sluggish(account_failures="3/hour") as (door, stage), stage.clients("192.0.2.1") as client:
        door.gate.set()
        token = (await sign_in(client, USER, PASSWORD)).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        door.password = "another"
        await stage.close_all()
        before = door.logins
        at_once = await asyncio.gather(*(client.get(ME, headers=bearer) for _ in range(50)))
        in_turn = [await client.get(ME, headers=bearer) for _ in range(20)]
        for answer in (*at_once, *in_turn):
            is_problem(answer, 401, "login-refused")
        assert door.logins == before + 1
        assert len(stage.service.accounts) == 0
        door.password = PASSWORD
        is_problem(await client.get(ME, headers=bearer), 401, "login-refused")
        assert (await sign_in(client, USER, PASSWORD)).status_code == 201
        await stage.close_all()
        assert (await client.get(ME, headers=bearer)).status_code == 200


async def test_refusals_after_a_lost_connection_count_too() -> None:
    """R-HTTP-26: a server that drops the first connection of each request is asked again, and that is a guess."""
    door = Imap(answers={"LOGIN": b"{tag} NO no\r\n"})
    script: Callable[[int], list[Imap]] = lambda number: [door] if number % 2 else []  # noqa: E731
    async with (
        ScriptedServer(script) as server,
        staged(server.port, account_failures="3/hour") as stage,
        stage.clients("192.0.2.1") as client,
    ):
        told = [(await client.get(f"{ME}/folders", auth=(USER, f"wrong {n}"))).status_code for n in range(12)]
        assert 429 in told
        assert told.count(401) <= 4
