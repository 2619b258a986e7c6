"""What a page costs in round trips, and that a page which costs none of its own is true."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from service.settings.model import Settings
from tests.jmap.clients import Jmap
from tests.jmap.conftest import KEY, signed_in
from tests.jmap.letters import plain
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import Proxy, passing

NEWEST = [{"property": "receivedAt", "isAscending": False}]


@dataclass
class Way:
    """An account with 20 messages, and the way to it."""

    jmap: Jmap
    proxy: Proxy
    inbox: str

    async def page(self, **more: Any) -> list[dict[str, Any]]:
        """The newest ten Emails."""
        asked = {"filter": {"inMailbox": self.inbox}, "limit": 10, **more}
        ids = {"resultOf": "0", "name": "Email/query", "path": "/ids"}
        names = ["subject", "keywords", "mailboxIds"]
        _, (_, found) = await self.jmap.run(("Email/query", asked), ("Email/get", {"#ids": ids, "properties": names}))
        return list(found["list"])

    async def cost(self, **more: Any) -> int:
        before = self.proxy.round_trips
        assert len(await self.page(**more)) == 10
        return self.proxy.round_trips - before

    async def rows(self) -> list[dict[str, Any]]:
        """The same page of the API."""
        answer = await self.jmap.http.get("/v1/accounts/me/folders/inbox/messages", params={"limit": 10})
        return list(answer.json()["items"])


@pytest.fixture
async def way(dovecot: Dovecot) -> AsyncIterator[Way]:
    user = dovecot.user("trips")
    dovecot.seed(user, [(plain(f"m{number}"), (), None) for number in range(20)])
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(passing(dovecot.ports.imap))
        place = {"host": HOST, "port": proxy.port, "security": "none"}
        settings = Settings(servers={"home": {"imap": place}}, default_server="home", secret_keys=KEY)
        jmap = await stack.enter_async_context(signed_in(settings, user))
        yield Way(jmap, proxy, await jmap.inbox())


@pytest.mark.parametrize("sort", [None, NEWEST])
async def test_a_page_that_is_known_costs_the_round_trip_of_its_state(way: Way, sort: Any) -> None:
    await way.cost(sort=sort)
    await way.cost(sort=sort)
    assert await way.cost(sort=sort) == 1


async def test_news_of_another_folder_are_read_once(way: Way, dovecot: Dovecot) -> None:
    """What changed, which folder is selected for, and the page, for which the inbox is selected again."""
    other = await way.jmap.create_mailbox("Other")
    await way.jmap.imported(plain("x"), other)
    for _ in range(3):
        await way.cost()
    user = way.jmap.session["username"]
    await asyncio.to_thread(_store, dovecot, user, "Other", "1", "+FLAGS", "\\Flagged")
    assert 2 <= await way.cost() <= 6
    assert await way.cost() == 1


async def test_what_another_program_changes_is_in_the_next_page(way: Way, dovecot: Dovecot) -> None:
    """Each change once, after pages that are known."""
    user = way.jmap.session["username"]
    await way.page()
    for change in (
        lambda: _store(dovecot, user, "INBOX", "20", "+FLAGS", "\\Seen"),
        lambda: _store(dovecot, user, "INBOX", "19", "+FLAGS", "one"),
        lambda: _store(dovecot, user, "INBOX", "20", "-FLAGS", "\\Seen"),
        lambda: dovecot.append(user, plain("new")),
        lambda: _store(dovecot, user, "INBOX", "18", "+FLAGS", "\\Deleted"),
        lambda: _expunge(dovecot, user),
    ):
        known = await way.page()
        assert await way.page() == known
        await asyncio.to_thread(change)
        now, rows = await way.page(), await way.rows()
        shown = [row for row in rows if "$deleted" not in row["flags"]]
        assert [(each["subject"], set(each["keywords"])) for each in now][: len(shown)] == [
            (row["subject"], set(row["flags"])) for row in shown
        ]


async def test_what_is_written_is_in_the_next_page(way: Way) -> None:
    first, second, *_ = await way.page()
    await way.jmap.call("Email/set", update={first["id"]: {"keywords/$flagged": True}}, destroy=[second["id"]])
    now = await way.page()
    assert now[0]["keywords"] == {"$flagged": True}
    assert second["id"] not in [each["id"] for each in now]


def _store(dovecot: Dovecot, user: str, folder: str, number: str, change: str, flag: str) -> None:
    with dovecot.connect(user) as client:
        client.select(folder)
        assert client.store(number, change, flag)[0] == "OK"


def _expunge(dovecot: Dovecot, user: str) -> None:
    with dovecot.connect(user) as client:
        client.select("INBOX")
        assert client.expunge()[0] == "OK"
