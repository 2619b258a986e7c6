"""A service with standing fetches, in this process, between a mailbox of Dovecot and old ones behind a proxy."""

import asyncio
import imaplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from service.accounts.credentials import Credentials
from service.app import create_app
from service.fetches.model import MOST
from service.fetches.tools import Tools
from service.mail.model import Protocol
from service.settings.model import Settings
from service.standing.credentials import write_credentials
from service.store.fetches import Login, Made
from tests.push.watch.site import KEYS, QUICK
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.mailutils import Mailutils
from tests.servers.process import HOST
from tests.servers.proxy import Proxy, passing

ME = "/v1/accounts/me"
SECONDS = 60.0
JSON = dict[str, Any]


def mail(number: int, words: str = "hello") -> bytes:
    return (
        f"From: Ann <ann@example.org>\r\nMessage-ID: <fetch{number}@example.org>\r\n"
        f"Subject: number {number}\r\n\r\n{words} {number}\r\n"
    ).encode()


def login(user: str, protocol: str = "pop3", password: str = PASSWORD) -> JSON:
    """Credentials of an old mailbox."""
    return {"username": user, "password": password, "server": "old", "protocol": protocol}


@dataclass
class Site:
    """A running service. ``old`` is between it and the POP3 of the source, ``imap`` before its IMAP."""

    app: FastAPI
    dovecot: Dovecot
    old: Proxy
    imap: Proxy

    @property
    def tools(self) -> Tools:
        tools: Tools = self.app.state.fetching._tools
        return tools

    def client(self, user: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://casella",
            auth=(user, PASSWORD),
            headers={"Casella-Server": "home", "Casella-Protocol": "imap"},
        )

    async def create(self, user: str, source: str, protocol: str = "pop3", **more: Any) -> JSON:
        """A fetch; returns when its first run has ended."""
        runs = {each["from"]["username"]: await self.runs(each["id"]) for each in await self.all(user)}
        async with self.client(user) as client:
            answer = await client.post(f"{ME}/fetches", json={"from": login(source, protocol), **more})
        assert answer.status_code == 201, answer.text
        fetch: str = answer.json()["id"]
        assert answer.headers["Location"] == f"{ME}/fetches/{fetch}"
        return await self.ran(user, fetch, runs.get(source, 0))

    async def all(self, user: str) -> list[JSON]:
        async with self.client(user) as client:
            answer = await client.get(f"{ME}/fetches")
        assert answer.status_code == 200, answer.text
        items: list[JSON] = answer.json()["items"]
        return items

    async def get(self, user: str, fetch: str) -> JSON:
        async with self.client(user) as client:
            answer = await client.get(f"{ME}/fetches/{fetch}")
        assert answer.status_code == 200, answer.text
        found: JSON = answer.json()
        return found

    async def again(self, user: str, fetch: str) -> JSON:
        """A run now: without it, the next one is a minute away at least."""
        runs = await self.runs(fetch)
        await self.execute("update casella_work set due_at = 0 where kind = 'fetch'")
        return await self.ran(user, fetch, runs)

    async def ran(self, user: str, fetch: str, runs: int) -> JSON:
        """When another run has ended after so many."""
        async with asyncio.timeout(SECONDS):
            while await self.runs(fetch) <= runs or (found := await self.get(user, fetch))["state"] == "running":
                await asyncio.sleep(0.02)
        return found

    async def runs(self, fetch: str) -> int:
        """How often it was claimed."""
        return int(await self.execute(f"select epoch from casella_work where id = '{fetch}'") or 0)

    async def beats(self, count: int) -> None:
        """When the worker has looked for what is due so often."""
        for _ in range(count):
            before = self.tools.lease._until
            async with asyncio.timeout(SECONDS):
                while self.tools.lease._until == before:
                    await asyncio.sleep(0.02)

    async def is_idle(self) -> None:
        """When nothing runs in this process."""
        while self.app.state.fetching._worker._runs:
            await asyncio.sleep(0.01)

    async def close_all(self) -> None:
        """The connections of this process: the next run signs in."""
        await self.tools.accounts.aclose()

    async def change_password(self, user: str, source: str, password: str) -> None:
        """What the store has, as if the mail server had another one now."""
        old = Credentials("old", Protocol.POP3, source, password)
        login = Login(old.account, write_credentials(old))
        owner = Credentials("home", Protocol.IMAP, user, PASSWORD)
        rows = self.tools.store.fetches
        [row] = await rows.all(owner.account)
        made = Made(Login(owner.account, row.content), row.mark)
        await rows.keep(login, MOST, lambda each: each.id == row.id, lambda _: made)

    async def execute(self, statement: str) -> Any:
        async with self.tools.store.database.begin() as connection:
            done = await connection.execute(text(statement))
            return done.scalar() if done.returns_rows else None


@asynccontextmanager
async def running(
    dovecot: Dovecot, url: str | None, source: Dovecot | Mailutils | None = None, **more: Any
) -> AsyncIterator[Site]:
    """``source`` is the server of the old mailboxes."""
    source = source or dovecot
    async with passing(source.ports.pop3) as old, passing(source.ports.imap) as imap:
        settings = settings_of(dovecot, url, old.port, imap.port, **more)
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            yield Site(app, dovecot, old, imap)


def settings_of(dovecot: Dovecot, url: str | None, pop3: int, imap: int, **more: Any) -> Settings:
    home = {"imap": _listener(dovecot.ports.imap)}
    servers = {"home": home, "old": {"pop3": _listener(pop3), "imap": _listener(imap)}}
    store = {"url": url, **QUICK} if url else {}
    return Settings(servers=servers, default_server="home", store=store, **{"secret_keys": KEYS[:1], **more})


def _listener(port: int) -> JSON:
    return {"host": HOST, "port": port, "security": "none"}


def subjects(dovecot: Dovecot, user: str, folder: str = "INBOX") -> list[str]:
    """Of the messages of a folder, by imaplib."""
    with dovecot.connect(user) as client:
        if client.select(f'"{folder}"', readonly=True)[0] != "OK":
            return []
        return sorted(_subject(client, number) for number in client.search(None, "ALL")[1][0].split())


def _subject(client: imaplib.IMAP4, number: bytes) -> str:
    [row, *_] = client.fetch(number.decode(), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    assert isinstance(row, tuple)
    return row[1].decode().partition(":")[2].strip()


def renumber(maildir: Path) -> None:
    """Dovecot gives all messages new UIDs, and so new unique-ids."""
    for file in (*maildir.glob("dovecot-uidlist*"), *maildir.glob("dovecot.index*")):
        file.unlink()
