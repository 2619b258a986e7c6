"""An issuer, a Dovecot that asks it about tokens, and replicas that have nothing in common but their settings."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings.model import Settings
from tests.servers.issuer import CLIENT, SCOPE, SECRET, Issuer, TokenDovecot
from tests.servers.process import HOST
from tests.servers.sink import Sink

ME = "/v1/accounts/me"
Serve = Callable[..., AbstractAsyncContextManager[list["Replica"]]]


class Replica(httpx.AsyncClient):
    """A client of one replica."""

    def __init__(self, app: FastAPI) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url="http://casella.example.org", timeout=30)
        self.app = app


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        yield server


@pytest.fixture(scope="module")
def token_dovecot(issuer: Issuer, sink: Sink) -> Iterator[TokenDovecot]:
    with TokenDovecot(issuer, sink) as server:
        yield server


@pytest.fixture(autouse=True)
def _usual(issuer: Issuer) -> None:
    """What a test changes is changed for itself alone."""
    issuer.seconds, issuer.rotates, issuer.grace, issuer.delay, issuer.most_at_once = 3600, True, 0, 0, 0
    issuer.asked.clear()


def settings_for(issuer: Issuer, dovecot: TokenDovecot, **more: Any) -> Settings:
    """One server by all protocols, whose tokens come from the issuer."""
    ports = {"imap": dovecot.ports.imap, "pop3": dovecot.ports.pop3, "smtp": dovecot.submission}
    listeners = {name: {"host": HOST, "port": port, "security": "none"} for name, port in ports.items()}
    client = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET, "scopes": [SCOPE]}
    values = {
        "servers": {"home": {"domains": ["example.org"], "oauth": "fake", **listeners}},
        "oauth": {"fake": client},
        "secret_keys": token_urlsafe(32),
        "access_log": False,
        "rates": {"account_messages": "off", "account_recipients": "off"},
    }
    return Settings(**{**values, **more})


@pytest.fixture
def serve(issuer: Issuer, token_dovecot: TokenDovecot) -> Serve:
    """``async with serve(2) as [one, other]``"""

    @asynccontextmanager
    async def replicas(count: int = 1, settings: Settings | None = None) -> AsyncIterator[list[Replica]]:
        settings = settings or settings_for(issuer, token_dovecot)
        async with AsyncExitStack() as stack:
            clients = []
            for _ in range(count):
                app = create_app(settings)
                await stack.enter_async_context(app.router.lifespan_context(app))
                clients.append(await stack.enter_async_context(Replica(app)))
            yield clients

    return replicas


class Device:
    """An app on a phone: it has a session, and goes on with a new token whenever a response brings one."""

    def __init__(self, session: dict[str, Any]) -> None:
        self.token: str = session["token"]
        self.renewals = 0

    @classmethod
    async def signed_in(cls, replica: Replica, username: str, **secret: str) -> "Device":
        return cls(await sign_in(replica, username, **secret))

    async def request(
        self, replica: Replica, method: str, path: str, media: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **({"Content-Type": media} if media else {})}
        response = await replica.request(method, path, headers=headers, **more)
        if (token := response.headers.get("Casella-Token")) is not None:
            self.token, self.renewals = token, self.renewals + 1
        return response

    async def get(self, replica: Replica, path: str = ME, **more: Any) -> httpx.Response:
        return await self.request(replica, "GET", path, **more)


async def sign_in(replica: Replica, username: str, **secret: str) -> dict[str, Any]:
    response = await replica.post("/v1/sessions", json={"username": username, **secret})
    assert response.status_code == 201, response.text
    session: dict[str, Any] = response.json()
    return session
