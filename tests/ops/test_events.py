"""Long polls and event streams of the service as it is deployed, on Dovecot."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_urlsafe

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.events import Stream

pytestmark = pytest.mark.dovecot
ME = "/v1/accounts/me"
MAIL = b"Subject: news\r\n\r\nx\r\n"
LEAVINGS = int(os.environ.get("CASELLA_LEAVINGS", "15"))
"""How often a listener leaves and comes back; a hundred for the long run."""


@asynccontextmanager
async def listening(replica: Replica, user: str, last: str | None = None, **query: str) -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last} if last else {}
    async with (
        httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD), timeout=30) as client,
        client.stream("GET", f"{ME}/events", headers=headers, params=query) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.aiter_lines())


@pytest.fixture
async def keys() -> str:
    return token_urlsafe(32)


@pytest.fixture
async def replica(dovecot: Dovecot, keys: str) -> AsyncIterator[Replica]:
    async with Replica(environment(dovecot, secret_keys=keys, drain_seconds=0)) as running:
        yield running


async def test_a_change_by_another_client_is_an_event(dovecot: Dovecot, replica: Replica) -> None:
    """One stream covers the inbox and every other folder."""
    user = dovecot.user()
    dovecot.seed(user, [(MAIL, (), None)] * 3)
    async with listening(replica, user) as stream:
        assert (await stream.next()).name == "ping"
        with dovecot.connect(user) as client:
            client.append("Archive", "", "", MAIL)
            archived = await stream.next("change")
            client.select()
            client.store("2", "+FLAGS", "(\\Seen)")
            flagged = await stream.next("change")
            client.store("1", "+FLAGS", "(\\Deleted)")
            marked = await stream.next("change")
            client.expunge()
            expunged = await stream.next("change")
            client.create("Neu")
            created = await stream.next("folders")
        assert len(archived.data["created"]) == 1
        assert len(flagged.data["updated"]) == 1
        assert archived.data["folderId"] != flagged.data["folderId"]
        assert marked.data["updated"] or marked.data["destroyed"]
        assert expunged.data["folderId"] == flagged.data["folderId"]
        assert len(created.data["created"]) == 1


async def test_no_event_is_missed_or_repeated(dovecot: Dovecot, replica: Replica, keys: str) -> None:
    """R-OPS-19: a listener disconnects and resumes, on the same replica and on another, while mail arrives."""
    user = dovecot.user()
    reported: list[str] = []
    last: str | None = None
    async with Replica(environment(dovecot, secret_keys=keys)) as another:
        for number in range(LEAVINGS):
            dovecot.append(user, MAIL)
            async with listening((replica, another)[number % 2], user, last) as stream:
                if not number:
                    await stream.next()
                    dovecot.append(user, MAIL)
                while len(reported) < number + 1:
                    reported += (await stream.next("change")).data["created"]
                last = stream.id
        async with httpx.AsyncClient(base_url=another.url, auth=(user, PASSWORD)) as client:
            page = (await client.get(f"{ME}/folders/inbox/messages", params={"limit": 200})).json()
    there = [row["id"] for row in page["items"]]
    assert len(reported) == len(set(reported)) == LEAVINGS
    assert set(reported) == set(there[: len(reported)])


async def test_a_restart_loses_nothing_and_closes_politely(dovecot: Dovecot, replica: Replica) -> None:
    """R-OPS-19: the service closes its streams itself, with a time to reconnect, and a stream resumes without a gap."""
    user = dovecot.user()
    async with listening(replica, user) as stream:
        await stream.next("ping")
        replica.send(signal.SIGTERM)
        event = await stream.next()
        while event.retry is None:
            event = await stream.next()
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        last = stream.id
    assert await replica.ended(20) == 0
    dovecot.append(user, MAIL)
    await replica.start()
    async with listening(replica, user, last) as stream:
        assert len((await stream.next("change")).data["created"]) == 1


async def test_only_some_folders(dovecot: Dovecot, replica: Replica) -> None:
    user = dovecot.user()
    async with listening(replica, user, folders="inbox") as stream:
        await stream.next("ping")
        with dovecot.connect(user) as client:
            client.append("Archive", "", "", MAIL)
            client.append("INBOX", "", "", MAIL)
        change = await stream.next("change")
        async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client:
            inbox = (await client.get(f"{ME}/folders/inbox")).json()["id"]
            wrong = await client.get(f"{ME}/events", params={"folders": "nowhere"})
        assert change.data["folderId"] == inbox
        assert wrong.status_code == 422


async def test_an_unusable_token_gets_a_resync(dovecot: Dovecot, replica: Replica) -> None:
    """R-CONC-08: a token sealed by another key, and text that is not a token."""
    user = dovecot.user()
    stranger = Replica(environment(dovecot, secret_keys=token_urlsafe(32)))
    async with stranger, listening(stranger, user) as stream:
        foreign = (await stream.next()).id
    for token in (foreign, "nonsense"):
        async with listening(replica, user, token) as stream:
            assert (await stream.next()).name == "resync"


async def test_a_request_is_held_until_something_changes(dovecot: Dovecot, replica: Replica) -> None:
    """Long polls of a folder and of the account."""
    user = dovecot.user()
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD), timeout=40) as client:
        for path in (f"{ME}/folders/inbox/changes", f"{ME}/changes"):
            token = (await client.get(path)).json()["token"]
            empty = (await client.get(path, params={"since": token})).json()
            assert not empty.get("created") and not empty.get("folders")  # noqa: PT018
            assert (await client.get(path, params={"since": token, "wait": 0.2})).status_code == 200
            held = asyncio.create_task(client.get(path, params={"since": token, "wait": 30}))
            await asyncio.sleep(0.3)
            assert not held.done()
            dovecot.append(user, MAIL)
            answer = (await held).json()
            reported = answer if "folder" in path else answer["folders"][0]
            assert len(reported["created"]) == 1
            assert answer["token"] != token
        stale = await client.get(f"{ME}/folders/inbox/changes", params={"since": token})  # the account's
        assert (stale.status_code, stale.json()["type"]) == (410, "/problems/stale-token")


async def test_a_disconnected_listener_is_dropped(dovecot: Dovecot, replica: Replica) -> None:
    """R-OPS-09: the watch ends with the last listener."""
    user = dovecot.user()
    async with listening(replica, user) as stream:
        await stream.next("ping")
    async with asyncio.timeout(5):
        while '"route":"/v1/accounts/{account}/events"' not in replica.log:
            await asyncio.sleep(0.02)
    assert "Traceback" not in replica.log


async def test_the_health_of_a_watch_is_shown(dovecot: Dovecot, replica: Replica) -> None:
    """A stalled watch is visible in the account and in the metrics."""
    user = dovecot.user()
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, PASSWORD)) as client:
        assert "watch" not in (await client.get(ME)).json()
        async with listening(replica, user) as stream:
            await stream.next("ping")
            async with asyncio.timeout(5):
                while (watch := (await client.get(ME)).json()["watch"])["mode"] != "notify":
                    await asyncio.sleep(0.02)
            assert watch["losses"] == 0
            assert watch["heardSecondsAgo"] < 60
            metrics = (await client.get(replica.metrics_url)).text
        assert 'casella_watches{mode="notify"} 1.0' in metrics
        assert 'casella_requests_total{method="GET",route="/v1/accounts/{account}",status="200"}' in metrics
        assert re.search(
            r'casella_upstream_seconds_count{outcome="ok",protocol="imap",server="\w+",verb="LIST"}', metrics
        )
        assert user not in metrics
        assert "casella_loop_lag_seconds" in metrics


async def test_an_error_is_answered_before_the_stream_begins(dovecot: Dovecot, replica: Replica) -> None:
    user = dovecot.user()
    async with httpx.AsyncClient(base_url=replica.url, auth=(user, "wrong")) as client:
        assert (await client.get(f"{ME}/events")).status_code == 401
