"""The event source."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.api.served import listening
from tests.jmap.clients import Jmap
from tests.jmap.letters import plain
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

SECONDS = 60


@pytest.fixture
async def served(dovecot: Dovecot) -> AsyncIterator[Jmap]:
    """Behind a real listener: events are streamed."""
    place = {"host": HOST, "port": dovecot.ports.imap, "security": "none"}
    app = create_app(Settings(servers={"home": {"imap": place}}, default_server="home"))
    async with listening(app) as port:
        url = f"http://{HOST}:{port}"
        async with httpx.AsyncClient(base_url=url, auth=(dovecot.user("events"), PASSWORD), timeout=SECONDS) as http:
            yield await Jmap(http).begin()


async def _next(lines: AsyncIterator[str], event: str) -> str:
    """The data of the next event of that name."""
    name = ""
    async with asyncio.timeout(SECONDS):
        async for line in lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == event:
                return line.removeprefix("data: ")
    raise AssertionError("the stream ended")


async def _states(lines: AsyncIterator[str], account: str) -> set[str]:
    """The types of the next change."""
    return set(json.loads(await _next(lines, "state"))["changed"][account])


def _url(jmap: Jmap, types: str, closeafter: str, ping: int) -> str:
    url = str(jmap.session["eventSourceUrl"])
    return url.replace("{types}", types).replace("{closeafter}", closeafter).replace("{ping}", str(ping))


async def test_changes_are_reported_as_they_happen(served: Jmap) -> None:
    inbox = await served.inbox()
    async with served.http.stream("GET", _url(served, "*", "state", 0)) as stream:
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith(":")
        await served.imported(plain("new"), inbox)
        change = json.loads(await _next(lines, "state"))
        assert change["@type"] == "StateChange"
        changed = change["changed"][served.account]
        assert changed.keys() <= {"Email", "Mailbox", "Thread"}
        assert "Email" in changed
        async with asyncio.timeout(SECONDS):
            assert [line async for line in lines if line.startswith("event: state")] == []


async def test_pings_come_and_a_stream_that_resumes_is_told_at_once(served: Jmap) -> None:
    async with served.http.stream("GET", _url(served, "Mailbox", "no", 1)) as stream:
        lines = stream.aiter_lines()
        assert json.loads(await _next(lines, "ping")) == {"interval": 1}
    headers = {"Last-Event-ID": "older"}
    async with served.http.stream("GET", _url(served, "Mailbox", "state", 0), headers=headers) as stream:
        changed = json.loads(await _next(stream.aiter_lines(), "state"))["changed"][served.account]
    assert changed.keys() == {"Mailbox"}


async def test_a_stream_that_does_not_close_reports_each_change_of_its_types(served: Jmap) -> None:
    """With pings in between, which do not end it either."""
    inbox = await served.inbox()
    async with served.http.stream("GET", _url(served, "Thread,Other", "no", 1)) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith(":")
        for name in ("one", "two"):
            await served.imported(plain(name), inbox)
            assert await _states(lines, served.account) == {"Thread"}
            assert json.loads(await _next(lines, "ping")) == {"interval": 1}


async def test_the_state_of_an_event_leads_to_what_changed(served: Jmap) -> None:
    """It is the one that Email/changes continues from, and nothing has happened since."""
    record = {"blobId": await served.upload(plain("new")), "mailboxIds": {await served.inbox(): True}}
    since = (await served.call("Email/get", ids=[]))["state"]
    async with served.http.stream("GET", _url(served, "Email", "state", 0)) as stream:
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith(":")
        email = (await served.call("Email/import", emails={"new": record}))["created"]["new"]["id"]
        event = json.loads(await _next(lines, "state"))["changed"][served.account]["Email"]
    changes = await served.call("Email/changes", sinceState=since)
    assert changes["created"] == [email]
    after = await served.call("Email/changes", sinceState=event)
    assert after["created"] == []
