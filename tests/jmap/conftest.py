"""JMAP in process, in front of the run's Dovecot. ``jmap`` is a new account; ``open_jmap`` opens further replicas."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.jmap.clients import Jmap
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

KEY = token_urlsafe(32)
OpenJmap = Callable[..., AbstractAsyncContextManager[Jmap]]


@pytest.fixture
def open_jmap(dovecot: Dovecot) -> OpenJmap:
    """``async with open_jmap(user, protocol="imap") as jmap``: each has a process's memory of its own."""

    @asynccontextmanager
    async def opened(user: str, protocol: str = "imap", **more: Any) -> AsyncIterator[Jmap]:
        place = {"host": HOST, "port": getattr(dovecot.ports, protocol), "security": "none"}
        settings = Settings(servers={"home": {protocol: place, **more}}, default_server="home", secret_keys=KEY)
        async with signed_in(settings, user) as jmap:
            yield jmap

    return opened


@asynccontextmanager
async def signed_in(settings: Settings, user: str, password: str = PASSWORD) -> AsyncIterator[Jmap]:
    """An application of its own, and an account on it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    url = "http://casella.example.org"
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=url, auth=(user, password), timeout=60) as http,
    ):
        yield await Jmap(http).begin()


@pytest.fixture
async def jmap(dovecot: Dovecot, open_jmap: OpenJmap) -> AsyncIterator[Jmap]:
    async with open_jmap(dovecot.user("jmap")) as opened:
        yield opened
