"""The service in front of each server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.api.served import listening
from tests.servers.debian import DebianServer
from tests.servers.dovecot import PASSWORD
from tests.servers.process import HOST

ME = "/v1/accounts/me"
SERVERS = ("cyrus", "cyrus_alt", "courier", "dovecot24")


@dataclass
class Client:
    """A user's requests."""

    user: str
    http: httpx.AsyncClient

    async def get(self, path: str, status: int = 200, /, **query: str) -> Any:
        answer = await self.http.get(ME + path, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: object, status: int = 200) -> Any:
        answer = await self.http.post(ME + path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def subjects(self, path: str = "/folders/inbox/messages", **query: str) -> set[str | None]:
        return {row["subject"] for row in (await self.get(path, **query))["items"]}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need `make servers`."""
    for item in items:
        if "tests/others/" in str(item.path):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> DebianServer:
    """Each of them, by IMAP."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, DebianServer)
    return found


@asynccontextmanager
async def serving(server: DebianServer, user: str, protocol: str = "imap") -> AsyncIterator[Client]:
    """The service in front of the server, for this user."""
    ports = {"imap": server.imap, "pop3": server.pop3}
    listener = {protocol: {"host": HOST, "port": ports[protocol], "security": "none"}}
    settings = Settings(servers={"home": listener}, default_server="home", secret_keys=token_urlsafe(32))
    app = create_app(settings)
    async with (
        listening(app) as port,
        httpx.AsyncClient(base_url=f"http://{HOST}:{port}", auth=(user, PASSWORD), timeout=60) as http,
    ):
        yield Client(user, http)


@pytest.fixture
async def client(server: DebianServer) -> AsyncIterator[Client]:
    """A user nobody had yet, with an empty mailbox."""
    async with serving(server, server.user()) as one:
        yield one
