"""The application behind its real listener, in this process, in front of a server that a test scripts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import uvicorn

from service.accounts.credentials import Credentials
from service.accounts.live import Accounts
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.ids import Ids
from service.app import create_app
from service.http.listener import uvicorn_config
from service.mail.model import Protocol
from service.settings.model import Settings
from tests.adapters.imap.conftest import TIMING
from tests.servers.process import HOST
from tests.servers.scripted import Imap, ScriptedServer

CANARY = "canary-2e9b-password"
ME = "/v1/accounts/me"
USER = Credentials("home", Protocol.IMAP, "user@example.org", CANARY)
FIRST = f"{ME}/messages/{Ids(USER.account).message(b'INBOX', 7, 1)}"
NEIGHBOUR = b"* 1 FETCH (UID 1 FLAGS (neighbour))\r\n{tag} OK done\r\n"


@dataclass
class Served:
    """Two accounts: one on the server that misbehaves, one on a server that does not."""

    client: httpx.AsyncClient
    port: int
    accounts: Accounts
    neighbour: str

    async def neighbour_is_served(self) -> None:
        """Requests of one account, while anything happens to the other."""
        answer = await self.client.get(self.neighbour, auth=("neighbour@example.org", "x"), timeout=2)
        assert answer.json() == {"flags": ["neighbour"]}


@asynccontextmanager
async def served(upstream: ScriptedServer, connections: int = 2) -> AsyncIterator[Served]:
    """Deadlines towards the mail servers are those of ``TIMING``."""
    good = Imap(exists=1, uid_validity=7, answers={"UID FETCH": NEIGHBOUR})
    async with ScriptedServer([good]) as other:

        def open_backend(credentials: Credentials) -> ImapBackend:
            server = other if credentials.username.startswith("neighbour") else upstream
            endpoint = Endpoint(HOST, server.port, Security.NONE)
            return ImapBackend(endpoint, credentials, credentials.account, connections=connections, timing=TIMING)

        app = create_app(Settings(servers={"home": {"imap": {"host": HOST, "port": 1, "security": "none"}}}))
        accounts = Accounts(open_backend)
        app.state.service = replace(app.state.service, accounts=accounts)
        async with listening(app) as port, httpx.AsyncClient(
            base_url=f"http://{HOST}:{port}", auth=(USER.username, CANARY), timeout=20
        ) as client:  # fmt: skip
            neighbour = Credentials("home", Protocol.IMAP, "neighbour@example.org", "x")
            place = Ids(neighbour.account).message(b"INBOX", 7, 1)
            yield Served(client, port, accounts, f"{ME}/messages/{place}/flags")


@asynccontextmanager
async def listening(app: object) -> AsyncIterator[int]:
    """The port."""
    config = uvicorn_config(app, HOST, 0, max_connections=1000, trusted_proxies=())  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        assert not running.done()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running
