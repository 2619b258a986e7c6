"""Events and long polls: new mail is told within three seconds, or the account says how old news may be."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.others.conftest import ME, Client
from tests.servers.courier import Courier
from tests.servers.debian import DebianServer
from tests.servers.events import Stream

MAIL = (b"From: a@example.org\r\nSubject: news\r\n\r\nx\r\n", (), None)


@asynccontextmanager
async def events(client: Client) -> AsyncIterator[Stream]:
    async with client.http.stream("GET", f"{ME}/events") as answer:
        assert answer.status_code == 200
        stream = Stream(answer.aiter_lines())
        await stream.next()
        yield stream


async def watched(client: Client) -> dict[str, Any]:
    """The health of the watch, once it has a connection."""
    async with asyncio.timeout(10):
        while True:
            watch = (await client.get("")).get("watch")
            if watch and watch["mode"] != "down" and "inboxWithinSeconds" in watch:
                assert isinstance(watch, dict)
                return watch
            await asyncio.sleep(0.05)


async def test_new_mail_is_an_event_in_the_time_that_the_account_states(client: Client, server: DebianServer) -> None:
    """R-IMAP-64: three seconds, but on Courier, whose IDLE reports nothing by itself."""
    async with events(client) as stream:
        for _ in range(3):
            within = (await watched(client))["inboxWithinSeconds"]
            await asyncio.to_thread(server.seed, client.user, [MAIL])
            began = time.monotonic()
            event = await stream.next("change")
            took = time.monotonic() - began
            assert len(event.data["created"]) == 1
            assert took < (within + 2 if isinstance(server, Courier) else 3)
        watch = await watched(client)
        assert watch["losses"] == 0
        assert watch["mode"] == {"cyrus": "idle", "dovecot24": "notify", "courier": "poll"}[server.system]
        if server.system == "courier":
            assert watch["inboxWithinSeconds"] == 10


async def test_a_long_poll_ends_with_new_mail(client: Client, server: DebianServer) -> None:
    """R-IMAP-64."""
    token = (await client.get("/folders/inbox/changes"))["token"]
    whole = (await client.get("/changes"))["token"]
    polls = [
        asyncio.create_task(client.get(f"{path}/changes", since=since, wait="20"))
        for path, since in (("/folders/inbox", token), ("", whole))
    ]
    within = (await watched(client))["inboxWithinSeconds"]
    await asyncio.to_thread(server.seed, client.user, [MAIL])
    began = time.monotonic()
    one, all_folders = await asyncio.gather(*polls)
    assert time.monotonic() - began < (within + 2 if isinstance(server, Courier) else 3)
    assert len(one["created"]) == 1
    assert all_folders["folders"][0]["created"] == one["created"]
