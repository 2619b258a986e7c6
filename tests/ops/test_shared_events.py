"""One stream for several accounts, of the service as it is deployed, on Dovecot."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_urlsafe

import httpx
import pytest

from tests.deploy.replica import Replica, environment
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.events import Event, Stream

pytestmark = pytest.mark.dovecot
MAIL = b"Subject: news\r\n\r\nx\r\n"


@pytest.fixture
def keys() -> str:
    return token_urlsafe(32)


@pytest.fixture
async def replica(dovecot: Dovecot, keys: str) -> AsyncIterator[Replica]:
    async with Replica(environment(dovecot, secret_keys=keys, drain_seconds=0)) as running:
        yield running


async def sign_in(client: httpx.AsyncClient, user: str, **more: str) -> tuple[str, str]:
    """The token, and the account's id."""
    made = await client.post("/v1/sessions", json={"username": user, "password": PASSWORD, **more})
    assert made.status_code == 201, made.text
    return made.json()["token"], made.json()["account"]["id"]


@asynccontextmanager
async def requests(replica: Replica) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=replica.url, timeout=30) as client:
        yield client


async def ticket(client: httpx.AsyncClient, tokens: Sequence[str]) -> str:
    made = await client.post("/v1/events/tickets", json={"tokens": tokens})
    assert made.status_code == 201, made.text
    return str(made.json()["ticket"])


@asynccontextmanager
async def listening(replica: Replica, permission: str, last: str | None = None, **query: str) -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last} if last else {}
    async with (
        requests(replica) as client,
        client.stream("GET", "/v1/events", params={"ticket": permission, **query}, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.aiter_lines(), last)


async def begun(stream: Stream, accounts: set[str]) -> list[Event]:
    """The first event of each account."""
    first: dict[str, Event] = {}
    while first.keys() != accounts:
        event = await stream.next()
        first.setdefault(event.data["accountId"], event)
    return list(first.values())


async def test_events_say_whose_they_are_and_resume_on_another_replica(
    dovecot: Dovecot, replica: Replica, keys: str
) -> None:
    """R-OPS-19: the id of the last event is the state of all accounts."""
    users = [dovecot.user() for _ in range(3)]
    async with requests(replica) as client:
        signed_in = [await sign_in(client, user) for user in users]
        permission = await ticket(client, [token for token, _ in signed_in])
    of = dict(zip(users, (account for _, account in signed_in), strict=True))
    async with listening(replica, permission) as stream:
        await begun(stream, {*of.values()})
        for user in users:
            dovecot.append(user, MAIL)
            change = await stream.next("change")
            assert change.data["accountId"] == of[user]
            assert len(change.data["created"]) == 1
        last = stream.id
    for user in users:
        dovecot.append(user, MAIL)
    replica.send(signal.SIGTERM)
    async with (
        Replica(environment(dovecot, secret_keys=keys)) as another,
        listening(another, permission, last) as stream,
    ):
        missed = [await stream.next("change", "resync") for _ in users]
    assert {event.data["accountId"] for event in missed} == {*of.values()}
    assert [len(event.data["created"]) for event in missed] == [1, 1, 1]


async def test_the_service_closes_it_with_a_time_to_reconnect(dovecot: Dovecot, replica: Replica) -> None:
    async with requests(replica) as client:
        token, account = await sign_in(client, dovecot.user())
        permission = await ticket(client, [token])
    async with listening(replica, permission) as stream:
        await begun(stream, {account})
        replica.send(signal.SIGTERM)
        while (await stream.next()).retry is None:
            pass
        with pytest.raises(StopAsyncIteration):
            await stream.next()
    assert await replica.ended(20) == 0


async def test_an_ended_session_ends_the_part_of_its_account_only(dovecot: Dovecot, replica: Replica) -> None:
    """R-HTTP-37."""
    users = [dovecot.user() for _ in range(2)]
    async with requests(replica) as client:
        (ended, gone), (token, stays) = [await sign_in(client, user) for user in users]
        permission = await ticket(client, [ended, token])
        async with listening(replica, permission) as stream:
            await begun(stream, {gone, stays})
            bearer = {"Authorization": f"Bearer {ended}"}
            assert (await client.delete("/v1/sessions/current", headers=bearer)).status_code == 204
            end = await stream.next("ended")
            assert end.data["accountId"] == gone
            assert end.data["problem"]["type"] == "/problems/unauthenticated"
            for user in users:
                dovecot.append(user, MAIL)
            assert (await stream.next("change")).data["accountId"] == stays
            last = stream.id
        async with listening(replica, permission, last) as stream:
            assert (await stream.next("ended")).data["accountId"] == gone
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.delete("/v1/sessions/current", headers=bearer)).status_code == 204
        answer = await client.get("/v1/events", params={"ticket": permission})
    assert answer.status_code == 401
    assert permission not in replica.log


async def test_an_account_without_push_does_not_affect_the_others(dovecot: Dovecot, replica: Replica) -> None:
    user = dovecot.user()
    async with requests(replica) as client:
        (token, watched), (pop3, polled) = [await sign_in(client, user, protocol=each) for each in ("imap", "pop3")]
        permission = await ticket(client, [token, pop3])
    async with listening(replica, permission) as stream:
        end = await stream.next("ended")
        assert (end.data["accountId"], end.data["problem"]["capability"]) == (polled, "push")
        await begun(stream, {watched})
        dovecot.append(user, MAIL)
        assert (await stream.next("change")).data["accountId"] == watched


async def test_an_account_that_cannot_be_reached_comes_back(dovecot: Dovecot, keys: str) -> None:
    """One mail server is down when the stream begins; the other account's events come all the same."""
    with Dovecot() as other:
        place = {"HOST": "127.0.0.1", "PORT": str(other.ports.imap), "SECURITY": "none"}
        env = {f"CASELLA_SERVERS__OTHER__IMAP__{name}": value for name, value in place.items()}
        async with (
            Replica(environment(dovecot, secret_keys=keys, drain_seconds=0) | env) as replica,
            requests(replica) as client,
        ):
            user, guest = dovecot.user(), other.user()
            token, here = await sign_in(client, user)
            foreign, there = await sign_in(client, guest, server="other")
            permission = await ticket(client, [foreign, token])
            other.go_down()
            replica.send(signal.SIGTERM)
            assert await replica.ended(30) == 0
            await replica.start()
            async with listening(replica, permission) as stream:
                first = await begun(stream, {here, there})
                assert [each.data["mode"] for each in first if each.data["accountId"] == there] == ["down"]
                dovecot.append(user, MAIL)
                assert (await stream.next("change")).data["accountId"] == here
                other.come_back()
                async with asyncio.timeout(60):
                    while (event := await stream.next("ping")).data.get("accountId") != there or event.id is None:
                        pass
                other.append(guest, MAIL)
                assert (await stream.next("change")).data["accountId"] == there


async def test_what_cannot_be_read_is_a_resync_of_each_account(dovecot: Dovecot, replica: Replica) -> None:
    """R-CONC-08."""
    users = [dovecot.user() for _ in range(2)]
    async with requests(replica) as client:
        signed_in = [await sign_in(client, user) for user in users]
        permission = await ticket(client, [token for token, _ in signed_in])
    accounts = {account for _, account in signed_in}
    async with listening(replica, permission, "nonsense") as stream:
        first = await begun(stream, accounts)
        assert {event.name for event in first} == {"resync"}
        last = stream.id
    async with requests(replica) as client:
        token, stranger = await sign_in(client, dovecot.user())
        foreign = await ticket(client, [token])
    async with listening(replica, foreign, last) as stream:  # R-HTTP-40: of other accounts, so it says nothing
        assert [(event.name, event.data) for event in await begun(stream, {stranger})] == [
            ("ping", {"accountId": stranger})
        ]


async def test_only_some_folders(dovecot: Dovecot, replica: Replica) -> None:
    user = dovecot.user()
    async with requests(replica) as client:
        token, account = await sign_in(client, user)
        permission = await ticket(client, [token])
        bearer = {"Authorization": f"Bearer {token}"}
        inbox = (await client.get("/v1/accounts/me/folders/inbox", headers=bearer)).json()["id"]
    async with listening(replica, permission, folders="inbox") as stream:
        await begun(stream, {account})
        with dovecot.connect(user) as imap:
            imap.append("Archive", "", "", MAIL)
            imap.append("INBOX", "", "", MAIL)
        assert (await stream.next("change")).data["folderId"] == inbox


async def test_a_ticket_is_for_the_stream_and_names_tokens_that_are_not_valid(
    dovecot: Dovecot, replica: Replica
) -> None:
    async with requests(replica) as client:
        token, account = await sign_in(client, dovecot.user())
        made = (await client.post("/v1/events/tickets", json={"tokens": ["nonsense", token, token]})).json()
        problem, *accounts = made["accounts"]
        assert problem["problem"]["type"] == "/problems/unauthenticated"
        assert [each["accountId"] for each in accounts] == [account, account]
        bearer = {"Authorization": f"Bearer {made['ticket']}"}
        assert (await client.get("/v1/accounts/me", headers=bearer)).status_code == 401
        for wrong in ("nonsense", token):
            assert (await client.get("/v1/events", params={"ticket": wrong})).status_code == 401
        assert (await client.post("/v1/events/tickets", json={"tokens": ["nonsense"]})).status_code == 401
        wrong_bodies: list[dict[str, object]] = [{}, {"tokens": []}, {"tokens": [token] * 51}, {"tokens": token}]
        for wrong_body in wrong_bodies:
            answer = await client.post("/v1/events/tickets", json=wrong_body)
            assert answer.status_code == 422
            assert token not in answer.text
