"""To which mail server a password goes, seen on the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.adapters.pop3.server import Pop3Server
from tests.api.test_problems import is_problem
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

ME = "/v1/accounts/me"
STRANGERS = [
    "ann@gmail.example",
    "ann",
    "example.org",
    "ann@sub.example.org",
    "ann@org",
    "ann@",
    "ann@example.org.evil.example",
]
SECRET = "canary-51c7-password"


def row(port: int, *domains: str) -> dict[str, Any]:
    return {"domains": domains, "imap": {"host": HOST, "port": port, "security": "none"}}


@asynccontextmanager
async def asking(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(**settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org") as client,
    ):
        yield client


@pytest.mark.parametrize("username", STRANGERS)
async def test_a_strangers_password_is_sent_nowhere(username: str) -> None:
    """R-HTTP-33: the only server states its domains. A username of another domain is rejected without a connection."""
    async with ScriptedServer([Imap()]) as server, asking(servers={"home": row(server.port, "example.org")}) as client:
        given = {"username": username, "password": SECRET}
        for answer in (
            await client.get(ME, auth=(username, SECRET)),
            await client.get(f"{ME}/folders", auth=(username, SECRET)),
            await client.delete("/v1/sessions/current", auth=(username, SECRET)),
            await client.post("/v1/sessions", json=given),
            await client.post("/v1/sessions", json={"username": username, "accessToken": SECRET}),
        ):
            is_problem(answer, 404, "not-found")
            assert answer.json()["what"] == "server"
        assert server.connections == 0
        assert (await client.get(ME, auth=("ann@EXAMPLE.org.", SECRET))).status_code == 200
        assert (await client.get(ME, auth=(username, SECRET), headers={"Casella-Server": "home"})).status_code == 200
        assert len(logins(server)) == 2


@pytest.mark.parametrize("username", STRANGERS)
async def test_a_strangers_password_goes_to_the_default_alone(username: str) -> None:
    """R-HTTP-33: the operator names one."""
    async with ScriptedServer([Imap()]) as home, ScriptedServer([Imap()]) as other:
        servers = {"other": row(other.port, "example.org"), "home": row(home.port, "example.net")}
        async with asking(servers=servers, default_server="home") as client:
            assert (await client.get(ME, auth=(username, SECRET))).status_code == 200
            assert (len(logins(home)), other.connections) == (1, 0)


@pytest.mark.parametrize("username", STRANGERS)
async def test_of_two_servers_neither_gets_a_strangers_password(username: str) -> None:
    """R-HTTP-33: even if one of them states no domains."""
    async with ScriptedServer([Imap()]) as home, ScriptedServer([Imap()]) as other:
        async with asking(servers={"home": row(home.port, "example.org"), "other": row(other.port)}) as client:
            is_problem(await client.get(ME, auth=(username, SECRET)), 404, "not-found")
        assert home.connections == other.connections == 0


async def test_the_only_server_takes_every_username_if_it_states_no_domains() -> None:
    """R-HTTP-33."""
    async with ScriptedServer([Imap()]) as server, asking(servers={"home": row(server.port)}) as client:
        for username in STRANGERS:
            assert (await client.get(ME, auth=(username, SECRET))).status_code == 200
        assert len(logins(server)) == len(STRANGERS)


async def test_a_strangers_password_is_sent_nowhere_by_pop3() -> None:
    """R-HTTP-33."""
    server = Pop3Server()
    async with server.running() as endpoint:
        home = {"domains": ["example.org"], "pop3": {"host": HOST, "port": endpoint.port, "security": "none"}}
        async with asking(servers={"home": home}) as client:
            is_problem(await client.get(ME, auth=("ann@gmail.example", SECRET)), 404, "not-found")
        assert server.connections == 0


def logins(server: ScriptedServer) -> list[str]:
    return [verb for verb in server.verbs if verb in {"LOGIN", "AUTHENTICATE"}]
