"""Session tokens that are taken back: here, in every replica, and while what replicas share is down."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from pydantic import SecretBytes

from service.accounts import revocation
from service.accounts.credentials import Credentials
from service.accounts.revocation import KEPT, Revocations, TokenId
from service.accounts.tokens import Sessions
from service.api.events import account
from service.app import create_app
from service.mail.errors import StoreUnavailable, Unauthenticated
from service.mail.model import Protocol
from service.settings.model import KEY_OCTETS, Settings
from tests.api.served import listening
from tests.api.test_problems import is_problem
from tests.deploy.replica import Replica
from tests.edge.conftest import NOBODY
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.events import Stream
from tests.servers.process import HOST
from tests.servers.proxy import passing
from tests.servers.redis import Redis
from tests.servers.scripted import Imap, ScriptedServer

ME, CURRENT = "/v1/accounts/me", "/v1/sessions/current"
KEY = token_bytes(KEY_OCTETS)
USER = Credentials("home", Protocol.IMAP, "ann", "canary-20b1-password")
WITHIN = 5.0
LATER = int(time.time()) + 3600


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@dataclass
class One:
    """A replica in this process."""

    client: httpx.AsyncClient
    sessions: Sessions

    async def sign_in(self) -> dict[str, str]:
        made = await self.client.post("/v1/sessions", json={"username": USER.username, "password": USER.secret})
        assert made.status_code == 201, made.text
        return {"Authorization": f"Bearer {made.json()['token']}"}

    async def reads(self, bearer: dict[str, str]) -> int:
        return (await self.client.get(ME, headers=bearer)).status_code

    async def writes(self, bearer: dict[str, str]) -> int:
        """404 if it is let through: there is no such message."""
        return (await self.client.delete(f"{ME}/messages/m_none", headers=bearer)).status_code

    async def end(self, bearer: dict[str, str]) -> httpx.Response:
        return await self.client.delete(CURRENT, headers=bearer)


Start = Callable[..., Awaitable[One]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Makes replicas with one key, in front of one mail server."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer([Imap()]))

        async def one(redis: Redis | None = None, **more: Any) -> One:
            home = {"imap": {"host": HOST, "port": server.port, "security": "none"}}
            if redis:
                more["rates"] = {"url": redis.url}
            app = create_app(Settings(servers={"home": home}, secret_keys=(SecretBytes(KEY),), **more))
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://casella.example.org")
            await stack.enter_async_context(client)
            return One(client, app.state.service.sessions)

        yield one


async def until(look: Callable[[], Awaitable[bool]], seconds: float = WITHIN) -> None:
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.sleep(0.05)


async def test_a_token_that_is_taken_back_is_refused_at_once(start: Start) -> None:
    """R-HTTP-37: by every route, in the process that answered, with or without a shared store; others go on."""
    one = await start()
    bearer, other = await one.sign_in(), await one.sign_in()
    assert await one.reads(bearer) == 200
    assert (await one.end(bearer)).status_code == 204
    for method, path, body in (
        ("GET", ME, None), ("GET", f"{ME}/folders", None), ("GET", f"{ME}/messages/m_none", None), ("DELETE", CURRENT, None),
        ("DELETE", f"{ME}/messages/m_none", None), ("GET", f"{ME}/messages/m_none/parts/1", None), ("GET", f"{ME}/events", None),
        ("GET", f"{ME}/messages/m_none/source", None), ("GET", f"{ME}/changes", None), ("POST", f"{ME}/folders", {"name": "x"}),
        ("POST", f"{ME}/search", {}), ("PUT", f"{ME}/messages/m_none/flags", {"flags": []}),
    ):  # fmt: skip
        answer = await one.client.request(method, path, headers=bearer, json=body)
        assert "ended" in is_problem(answer, 401, "unauthenticated")["detail"], path  # type: ignore[operator]
        assert "www-authenticate" in answer.headers
    assert await one.reads(other) == 200
    assert (await one.client.get(ME, auth=(USER.username, USER.secret))).status_code == 200


async def test_every_replica_refuses_it(start: Start, redis: Redis) -> None:
    """R-HTTP-37: within five seconds, also those that have just taken it; and one that starts later."""
    replicas = [await start(redis) for _ in range(3)]
    bearer, other = [await replicas[0].sign_in() for _ in range(2)]
    assert [await one.reads(bearer) for one in replicas] == [200] * 3
    assert (await replicas[1].end(bearer)).status_code == 204
    for one in replicas:
        await until(lambda one=one: _is(one.reads(bearer), 401))  # type: ignore[misc]
    assert await (await start(redis)).reads(bearer) == 401
    for one in replicas:
        assert await one.reads(other) == 200
        assert (await one.end(bearer)).status_code == 401


async def test_without_a_shared_store_others_take_it_until_it_expires(start: Start) -> None:
    """R-HTTP-37: as the contract says."""
    one, two = await start(), await start()
    bearer = await one.sign_in()
    assert (await one.end(bearer)).status_code == 204
    assert (await one.reads(bearer), await two.reads(bearer)) == (401, 200)
    text = (await one.client.get("/openapi.json")).json()["paths"][CURRENT]["delete"]["description"]
    assert "until it expires" in text


async def test_the_store_keeps_it_until_it_expires(start: Start, redis: Redis) -> None:
    """R-HTTP-37: no longer, and nothing of whose it is."""
    from redis import Redis as Client

    one = await start(redis, session_seconds=1000)
    await one.end(await one.sign_in())
    with Client.from_url(redis.url, decode_responses=True) as client:
        [name] = [str(name) for name in client.scan_iter("casella:ended:*")]
        assert 900 < int(client.ttl(name)) <= 1000
        assert client.get(name) == "1"
    assert USER.username not in name


async def test_replicas_as_processes_refuse_it(redis: Redis) -> None:
    """R-HTTP-37: over HTTP, each with its own memory."""
    from base64 import urlsafe_b64encode

    async with ScriptedServer([Imap()]) as server, AsyncExitStack() as stack:
        env = NOBODY | {
            "CASELLA_SERVERS__HOME__IMAP__PORT": str(server.port), "CASELLA_RATES__URL": redis.url,
            "CASELLA_SECRET_KEYS": urlsafe_b64encode(KEY).decode(),
        }  # fmt: skip
        replicas = [await stack.enter_async_context(Replica(env)) for _ in range(2)]
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        made = await client.post(f"{replicas[0].url}/v1/sessions", json={"username": "ann", "password": "x"})
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        for replica in replicas:
            assert (await client.get(replica.url + ME, headers=bearer)).status_code == 200
        assert (await client.delete(replicas[0].url + CURRENT, headers=bearer)).status_code == 204
        for replica in replicas:
            await until(lambda replica=replica: _is_status(client.get(replica.url + ME, headers=bearer), 401))  # type: ignore[misc]


async def test_a_ticket_ends_with_its_token(start: Start, redis: Redis) -> None:
    """R-HTTP-37: a link made by a token; one made by Basic has no token that could end."""
    replicas = [await start(redis) for _ in range(2)]
    one = replicas[0]
    bearer = await one.sign_in()
    session = one.sessions.session_of(bearer["Authorization"].removeprefix("Bearer "))
    assert session is not None
    made = one.sessions.seal_part_link(USER, "m_none", "1", of=session)
    basic = one.sessions.seal_part_link(USER, "m_none", "1")

    async def opened(by: One, ticket: str) -> bool:
        answer = await by.client.get(f"{ME}/messages/m_none/parts/1", params={"ticket": ticket})
        assert answer.status_code in {401, 404}
        return answer.status_code == 404

    assert [await opened(by, ticket) for by in replicas for ticket in (made, basic)] == [True] * 4
    assert (await one.end(bearer)).status_code == 204
    for by in replicas:
        await until(lambda by=by: _not(opened(by, made)))  # type: ignore[misc]
        assert await opened(by, basic)


def test_a_ticket_does_not_outlive_its_token() -> None:
    """R-HTTP-37: or a token that was taken back would be forgotten before it."""
    sessions = Sessions([KEY], 60)
    token, expires = sessions.seal(USER, now=1000)
    session = sessions.session_of(token)
    assert session == (session and session.value, expires)
    ticket = sessions.seal_part_link(USER, "m", "1", now=1000, of=session)
    assert sessions.open_part_link(ticket, "m", "1", now=expires - 1) == USER
    with pytest.raises(Unauthenticated):
        sessions.open_part_link(ticket, "m", "1", now=expires)


async def test_tokens_from_before_they_had_a_name_open_and_can_be_taken_back(start: Start) -> None:
    """R-HTTP-37: sealed by an older release."""
    one = await start()
    newer = await one.sign_in()
    claims = {"v": "home", "p": "imap", "u": USER.username, "s": USER.secret, "k": "password", "exp": LATER}
    kid = json.loads(_decoded(newer["Authorization"].split()[1].split(".")[0]))["kid"]
    header = {"alg": "dir", "enc": "A256GCM", "kid": kid}
    old, another = (
        {"Authorization": f"Bearer {jwe.encrypt_compact(header, json.dumps(claims), OctKey.import_key(KEY))}"}
        for _ in range(2)
    )
    assert await one.reads(old) == 200
    assert (await one.end(old)).status_code == 204
    assert (await one.reads(old), await one.reads(another), await one.reads(newer)) == (401, 200, 200)


@pytest.mark.dovecot
@pytest.mark.parametrize("delay", [0.0, 0.1])
async def test_an_open_stream_ends(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    """R-HTTP-37: a stream of events that was open, and a long poll that waits. On a slow way the session ends while the
    news are on theirs."""
    monkeypatch.setattr(account, "PING_SECONDS", 0.2)
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: x\r\n\r\nx\r\n", (), None)])
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(passing(dovecot.ports.imap, delay))
        home = {"imap": {"host": HOST, "port": proxy.port, "security": "none"}}
        settings = Settings(servers={"home": home}, secret_keys=(SecretBytes(KEY),))
        port = await stack.enter_async_context(listening(create_app(settings)))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=30))
        made = await client.post("/v1/sessions", json={"username": user, "password": PASSWORD})
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        since = (await client.get(f"{ME}/changes", headers=bearer)).json()["token"]
        poll = asyncio.create_task(client.get(f"{ME}/changes", params={"since": since, "wait": 3}, headers=bearer))
        answer = await stack.enter_async_context(client.stream("GET", f"{ME}/events", headers=bearer))
        lines = answer.aiter_lines()
        assert (await Stream(lines).next()).name == "ping"
        assert (await client.delete(CURRENT, headers=bearer)).status_code == 204
        dovecot.append(user, b"Subject: secret news\r\n\r\nx\r\n")
        async with asyncio.timeout(30):
            left = [line async for line in lines]
        assert "change" not in str(left)
        assert (await poll).status_code == 401


async def test_while_the_store_is_down_reads_go_on(start: Start, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-38, R-OPS-05: writes go on with tokens that were just seen to be good, and others are answered 503."""
    monkeypatch.setattr(revocation, "RETREAT", 0.05)
    monkeypatch.setattr(revocation, "FRESH", 0.0)
    one = await start(redis)
    seen, unseen, ended = [await one.sign_in() for _ in range(3)]
    assert await one.reads(seen) == 200
    redis.stop()
    search = f"{ME}/search"
    assert [await one.reads(bearer) for bearer in (seen, unseen, ended)] == [200] * 3
    found = await one.client.post(search, json={"filter": {"folder": "inbox"}}, headers=unseen)
    assert found.status_code in {200, 422, 501}, found.text
    tokens = [bearer["Authorization"].split()[1] for bearer in (seen, unseen)]
    ticket = await one.client.post("/v1/events/tickets", json={"tokens": tokens})
    assert [each.get("problem") for each in ticket.json()["accounts"]] == [None, None], ticket.text
    assert (await one.writes(seen), await one.writes(unseen)) == (404, 503)
    refused = await one.client.delete(f"{ME}/messages/m_none", headers=unseen)
    assert is_problem(refused, 503, "store-unavailable")["retryable"] is True
    assert int(refused.headers["retry-after"]) > 0
    is_problem(await one.end(ended), 503, "store-unavailable")
    assert await one.reads(ended) == 401
    redis.start()
    await until(lambda: _is(one.writes(unseen), 404), 10)
    two = await start(redis)
    assert (await two.reads(ended), await two.reads(seen)) == (401, 200)


async def test_ending_a_session_can_be_repeated_until_all_know(start: Start, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """R-HTTP-38: 503 until the store has it, then 204, and 401 from then on."""
    monkeypatch.setattr(revocation, "RETREAT", 0.05)
    one = await start(redis)
    bearer = await one.sign_in()
    redis.stop()
    assert (await one.end(bearer)).status_code == 503
    redis.start()
    await until(lambda: _is_status(one.end(bearer), 204), 10)
    assert (await one.end(bearer)).status_code == 401


@dataclass
class Kept:
    """A store in this process."""

    names: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    is_down: bool = False
    hangs: bool = False

    async def add(self, until: Mapping[str, int]) -> None:
        await self._answer()
        self.names.update(until)

    async def has(self, name: str) -> bool:
        await self._answer()
        return name in self.names

    async def aclose(self) -> None:
        pass

    async def _answer(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_down:
            raise OSError("down")


async def test_not_every_request_asks_the_store() -> None:
    """R-HTTP-37: one round trip, whether requests come one by one or at once."""
    store = Kept()
    found = Revocations(store)
    token = TokenId("a", LATER)
    await asyncio.gather(*(found.require_live(token, is_read=False) for _ in range(100)))
    for _ in range(100):
        await found.require_live(token, is_read=False)
    assert store.asked <= revocation._AT_ONCE
    before = store.asked
    await found.revoke(token)
    for _ in range(100):
        with pytest.raises(Unauthenticated):
            await found.require_live(token, is_read=True)
    assert store.asked == before + 2


@pytest.mark.parametrize("fault", ["is_down", "hangs"])
async def test_a_store_that_fails_is_left_alone_for_a_while(fault: str) -> None:
    """R-HTTP-38: so that it delays no request, however many there are."""
    store = Kept()
    found = Revocations(store)
    setattr(store, fault, True)
    await asyncio.gather(*(found.require_live(TokenId(str(n), LATER), is_read=True) for n in range(500)))
    assert store.asked <= revocation._AT_ONCE
    with pytest.raises(StoreUnavailable):
        await found.require_live(TokenId("0", LATER), is_read=False)


async def test_a_store_that_comes_back_empty_is_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-38: by a replica that has the missing tokens."""
    monkeypatch.setattr(revocation, "RETREAT", 0.0)
    store = Kept()
    found = Revocations(store)
    for number in range(1200):
        await found.revoke(TokenId(str(number), LATER))
    store.is_down = True
    await found.require_live(TokenId("good", LATER), is_read=True)
    store.names.clear()
    store.is_down = False
    for number in range(10):
        await found.require_live(TokenId(f"good {number}", LATER), is_read=True)
    assert len(store.names) == 1200


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-37, R-HTTP-38: of revoked tokens, of valid ones, and of those not yet sent to the store. Expired ones are dropped first."""
    monkeypatch.setattr(revocation, "KEPT", 100)
    monkeypatch.setattr(revocation, "SEEN", 50)
    assert KEPT >= 10_000
    for store in (None, Kept(), Kept(is_down=True)):
        found = Revocations(store)
        for number in range(500):
            try:
                await found.revoke(TokenId(f"ended {number}", LATER))
            except StoreUnavailable:
                assert store
            await found.require_live(TokenId(f"good {number}", LATER), is_read=True)
        assert len(found._ended) <= 100
        assert len(found._confirmed) <= 50
        assert len(found._unsent) <= 101
        with pytest.raises(Unauthenticated):
            await found.require_live(TokenId("ended 499", LATER), is_read=True)
    found = Revocations()
    await found.revoke(TokenId("expired", int(time.time()) - 1))
    assert len(found._ended) == 0


async def _is(status: Awaitable[int], wanted: int) -> bool:
    return await status == wanted


async def _is_status(answer: Awaitable[httpx.Response], wanted: int) -> bool:
    return (await answer).status_code == wanted


async def _not(found: Awaitable[bool]) -> bool:
    return not await found


def _decoded(text: str) -> bytes:
    from joserfc.util import urlsafe_b64decode

    return urlsafe_b64decode(text.encode())
