"""A mailbox at one of the providers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.wire.commands import Timing
from tests.adapters.imap.conftest import CREDENTIALS
from tests.servers.providers.server import Provider
from tests.servers.scripted import ScriptedServer

TIMING = Timing(connect=5, greeting=5, login=5, progress=5, command=10, patience=5)
At = Callable[..., AbstractAsyncContextManager[tuple[ScriptedServer, ImapBackend]]]


@pytest.fixture
def at() -> At:
    """``async with at(lambda: Gmail(mailbox)) as (server, backend)``: a server for each connection."""

    @asynccontextmanager
    async def run(
        make: Callable[[], Provider], *, connections: int = 3, timing: Timing = TIMING
    ) -> AsyncIterator[tuple[ScriptedServer, ImapBackend]]:
        async with ScriptedServer(lambda _: [make()]) as server:
            endpoint = Endpoint(server.host, server.port, Security.NONE)
            backend = ImapBackend(endpoint, CREDENTIALS, connections=connections, timing=timing)
            try:
                yield server, backend
            finally:
                await backend.aclose()

    return run


def searches(server: ScriptedServer) -> list[str]:
    """What the server was asked to search for."""
    found = (command for command in server.commands if command.startswith(b"UID SEARCH "))
    return [command.removeprefix(b"UID SEARCH ").removeprefix(b"RETURN (ALL) ").decode() for command in found]
