"""A Dovecot that reports deliveries to an address that passes them to one of several replicas."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from service.app import create_app
from service.settings.model import RateSettings, Settings
from service.settings.push import PushSettings
from service.settings.store import StoreSettings
from tests.api.conftest import settings_for
from tests.api.served import listening
from tests.deploy.replica import environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.reporting import ReportingDovecot

SECRET = token_urlsafe(24)
KEYS = token_urlsafe(32)
HOOK = f"http://casella.example.org/v1/hooks/dovecot/{SECRET}"


@pytest.fixture(scope="session")
def hook_port() -> int:
    """Where Dovecot reports to. A test that wants reports listens there."""
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def reporting(hook_port: int) -> Iterator[ReportingDovecot]:
    with ReportingDovecot(f"http://{HOST}:{hook_port}", SECRET) as server:
        yield server


def push_environment(dovecot: ReportingDovecot, keys: str) -> dict[str, str]:
    """Replicas that wake devices on this machine."""
    env = environment(dovecot, secret_keys=keys, drain_seconds=0)
    return env | {"CASELLA_PUSH__DOVECOT__SECRETS": SECRET, "CASELLA_PUSH__NETWORKS": "127.0.0.0/8"}


class Balancer:
    """Passes each connection to the next of the ports."""

    def __init__(self, port: int, targets: list[int]) -> None:
        self._port, self._targets, self._count = port, targets, 0

    async def __aenter__(self) -> "Balancer":
        self._server = await asyncio.start_server(self._pass, HOST, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._targets[self._count % len(self._targets)]
        self._count += 1
        far_reader, far_writer = await asyncio.open_connection(HOST, target)
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def serving(
    server: Dovecot,
    user: str,
    *,
    keys: str = KEYS,
    port: int | None = None,
    rates: Mapping[str, str] | None = None,
    store: str | None = None,
    **push: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a replica in this process, which takes reports at ``port``."""
    given = {"dovecot": {"secrets": SECRET}, "networks": "127.0.0.0/8"} | push
    own = {
        "secret_keys": Settings(secret_keys=keys).secret_keys,
        "push": PushSettings(**given),
        "rates": RateSettings(**(rates or {})),
        "store": StoreSettings(url=SecretStr(store) if store else None, heartbeat_seconds=0.2, dead_seconds=1),
    }
    app = create_app(settings_for(server).model_copy(update=own))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with AsyncExitStack() as stack:
        if port is None:
            await stack.enter_async_context(app.router.lifespan_context(app))
        else:
            taken = await stack.enter_async_context(listening(app))
            await stack.enter_async_context(Balancer(port, [taken]))
        client = httpx.AsyncClient(
            transport=transport, base_url="http://casella.example.org/v1/accounts/me", auth=(user, PASSWORD), timeout=60
        )
        yield await stack.enter_async_context(client)
