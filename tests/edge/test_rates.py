"""Rate limits, and limits on guessing passwords."""

import asyncio
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

import httpx
import pytest
from prometheus_client import REGISTRY

from service.accounts import rates as module
from service.accounts.address_policy import AddressPolicy
from service.accounts.credentials import Credentials
from service.accounts.rates import Bounds, Rates, network_of
from service.accounts.servers import Endpoint, MailServer, Security, ServerTable
from service.accounts.windows import Windows
from service.mail.errors import LoginRefused, TooManyRequests, UpstreamUnavailable
from service.mail.model import Protocol
from tests.deploy.replica import Replica, environment
from tests.edge.conftest import NOBODY
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST, free_ports
from tests.servers.redis import Redis

ME = "/v1/accounts/me"
BOUND = 5
BOUNDS = Bounds(address_failures="100/hour", account_failures=f"{BOUND}/hour", server_failures="1000/hour")


def somebody(name: str = "user@example.org", secret: str = "x", protocol: Protocol = Protocol.IMAP) -> Credentials:
    return Credentials("home", protocol, name, secret)


async def guess(rates: Rates, who: Credentials, address: str = "192.0.2.1") -> str:
    """One refused login: what came of it."""
    try:
        async with rates.login(address, who):
            await asyncio.sleep(0)
            raise LoginRefused
    except LoginRefused:
        return "tried"
    except TooManyRequests as refusal:
        return "held back" if 0 < (refusal.retry_after or 0) <= 3600 else "held back for no time"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def counting(bounds: Bounds = BOUNDS, url: str | None = None) -> AsyncIterator[Rates]:
    rates = Rates(bounds, url)
    try:
        yield rates
    finally:
        await rates.aclose()


async def test_guesses_at_once_are_held_back_as_those_in_turn() -> None:
    """R-HTTP-04: none slips through before the first is refused; others are not concerned."""
    async with counting() as rates:
        told = Counter(await asyncio.gather(*(guess(rates, somebody(secret=str(n))) for n in range(50))))
        assert told == {"tried": BOUND, "held back": 50 - BOUND}
        assert await guess(rates, somebody("other@example.org")) == "tried"


async def test_a_mailbox_is_the_same_however_it_is_named() -> None:
    """R-HTTP-04: by either protocol, in capitals, with spaces."""
    async with counting() as rates:
        names = ["user@example.org", "USER@example.org", " user@Example.org", "User@example.org "]
        ways = [somebody(name, protocol=protocol) for name in names for protocol in Protocol]
        told = [await guess(rates, who) for who in ways]
        assert told == ["tried"] * BOUND + ["held back"] * (len(ways) - BOUND)


async def test_what_succeeds_or_was_not_tried_is_given_back() -> None:
    """R-HTTP-04: and nothing of the failures of others."""
    async with counting() as rates:
        for _ in range(BOUND * 2):
            async with rates.login("192.0.2.1", somebody()):
                pass
            with pytest.raises(UpstreamUnavailable):
                async with rates.login("192.0.2.1", somebody()):
                    raise UpstreamUnavailable
        assert await guess(rates, somebody()) == "tried"
        for _ in range(BOUND * 2):
            async with rates.login("192.0.2.1", somebody()):
                pass
        told = [await guess(rates, somebody()) for _ in range(BOUND)]
        assert told == ["tried"] * (BOUND - 1) + ["held back"]


async def test_guessing_at_many_accounts_is_held_back_by_address_and_server() -> None:
    """R-HTTP-04: spraying one password over many names."""
    everyone = [somebody(f"user{n}@example.org") for n in range(10)]
    async with counting(Bounds(address_failures="3/hour")) as rates:
        told = [await guess(rates, who) for who in everyone]
        assert told == ["tried"] * 3 + ["held back"] * 7
        assert await guess(rates, everyone[0], "192.0.2.2") == "tried"
    async with counting(Bounds(server_failures="3/hour")) as rates:
        told = [await guess(rates, who, f"192.0.2.{n}") for n, who in enumerate(everyone)]
        assert told == ["tried"] * 3 + ["held back"] * 7


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("", ""), ("unix:", "unix:"),
    ],
)  # fmt: skip
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    """R-HTTP-04: a client with one IPv6 address has very many."""
    assert network_of(address) == network


@pytest.mark.parametrize("kind", ["address_failures", "server_failures"])
@pytest.mark.parametrize("is_shared", [False, True])
async def test_what_is_under_way_counts_for_address_and_server(kind: str, is_shared: bool) -> None:
    """R-HTTP-26: as many mailboxes guess at once at a server that takes its time; in memory and in Redis alike."""
    with Redis() if is_shared else nullcontext() as store:
        async with counting(Bounds(**{kind: "20/hour"}), store.url if store else None) as rates:
            answer = asyncio.Event()
            tried = 0

            async def slow(number: int) -> str:
                nonlocal tried
                address = "192.0.2.1" if kind == "address_failures" else f"192.0.2.{number % 200}"
                try:
                    async with rates.login(address, somebody(f"user{number}@example.org")):
                        tried += 1
                        await answer.wait()
                        raise LoginRefused
                except (LoginRefused, TooManyRequests) as refusal:
                    return type(refusal).__name__

            guesses = [asyncio.ensure_future(slow(number)) for number in range(300)]
            await until(lambda: tried == 10)
            answer.set()
            assert Counter(await asyncio.gather(*guesses)) == {"LoginRefused": 20, "TooManyRequests": 280}
            assert tried == 20
            assert not rates._turns


async def test_right_logins_at_once_all_come_in(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-27: more than the limit, in turn. A request that waits too long is rejected, and nothing is counted."""
    monkeypatch.setattr("service.accounts.rates.PATIENCE", 10.0)  # a machine that is busy is no store that fails
    for url in (None, redis.url):
        async with counting(Bounds(address_failures="20/hour"), url) as rates:

            async def come_in(number: int) -> None:
                async with rates.login("192.0.2.1", somebody(f"user{number}@example.org")):
                    await asyncio.sleep(0)

            assert await guess(rates, somebody("mistaken@example.org")) == "tried"
            await asyncio.gather(*(come_in(number) for number in range(300)))
            told = [await guess(rates, somebody(f"user{n}@example.org")) for n in range(20)]
            assert told == ["tried"] * 19 + ["held back"]


async def test_a_count_is_given_back_before_the_next_has_its_turn(redis: Redis) -> None:
    """R-HTTP-27: even if only one failure is allowed."""
    for url in (None, redis.url):
        async with counting(Bounds(address_failures="1/hour"), url) as rates:

            async def come_in(number: int) -> None:
                async with rates.login("192.0.2.1", somebody(f"user{number}@example.org")):
                    await asyncio.sleep(0)

            await asyncio.gather(*(come_in(number) for number in range(30)))


async def test_who_leaves_before_the_answer_has_guessed_and_who_leaves_the_queue_has_not() -> None:
    """R-HTTP-26: a guess whose caller hangs up stays counted; one that was never sent does not."""
    async with counting(Bounds(address_failures="4/hour")) as rates:
        gate = asyncio.Event()
        inside = 0

        async def wait(number: int) -> None:
            nonlocal inside
            async with rates.login("192.0.2.1", somebody(f"user{number}@example.org")):
                inside += 1
                await gate.wait()

        tasks = [asyncio.ensure_future(wait(number)) for number in range(10)]
        await until(lambda: inside == 2)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert inside == 2
        told = [await guess(rates, somebody(f"user{n}@example.org")) for n in range(3)]
        assert told == ["tried"] * 2 + ["held back"]


async def test_a_request_whose_turn_never_comes_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-HTTP-27: and leaves no count behind."""
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    async with counting(Bounds(address_failures="2/hour")) as rates:
        async with rates.login("192.0.2.1", somebody()):
            assert await guess(rates, somebody("other@example.org")) == "held back"
        told = [await guess(rates, somebody(f"user{n}@example.org")) for n in range(3)]
        assert told == ["tried"] * 2 + ["held back"]


async def test_a_count_given_back_after_its_window_gives_no_more_guesses(redis: Redis) -> None:
    """R-HTTP-26: logins that begin in one window and end in the next, in memory and in Redis."""
    for url in (None, redis.url):
        async with counting(Bounds(account_failures="2/second"), url) as rates:
            async with rates.login("192.0.2.1", somebody()):
                storage = (rates._shared or rates._own).storage
                key = rates._bounds["account_failures"].key_for(
                    "account_failures", module._mailbox("home", "user@example.org")
                )
                await storage.clear(key)  # as its end does
            assert await storage.get(key) == 0


async def test_one_host_has_one_brake_under_all_its_names() -> None:
    """R-HTTP-31: with and without a port, in capitals, by the names of the operator's table, by either protocol; and a
    domain whose every host is the same one."""
    rows = {
        "home": MailServer("home", imap=Endpoint("imap.example.org", 993, Security.TLS)),
        "again": MailServer("again", pop3=Endpoint("IMAP.Example.org.", 995, Security.TLS)),
    }
    table = ServerTable(rows, address_policy=AddressPolicy())
    named = [
        "home",
        "again",
        "imap.example.org",
        "IMAP.example.org:993",
        "imap.example.org:143",
        "imap.example.org:110",
    ]
    wild = [
        "mail.example.net",
        "MAIL.example.net:993",
        "a.example.net",
        "b.example.net:143",
        "c.example.net:995",
        "d.example.net",
    ]
    for names in (named, wild):
        rates = Rates(Bounds(account_failures="3/hour"), key_of=table.key_of)
        ways = [Credentials(table.named(name).name, Protocol.IMAP, "ann", "x") for name in names]
        assert [await guess(rates, who) for who in ways] == ["tried"] * 3 + ["held back"] * 3
    rates = Rates(Bounds(server_failures="3/hour"), key_of=table.key_of)
    ways = [Credentials(table.named(name).name, Protocol.IMAP, f"user{n}", "x") for n, name in enumerate(named)]
    assert [await guess(rates, who) for who in ways] == ["tried"] * 3 + ["held back"] * 3


async def test_what_is_counted_is_bounded_and_forgotten() -> None:
    """R-HTTP-32: released keys leave nothing behind, and the number of those that stay is limited."""
    async with counting(BOUNDS) as rates:
        for number in range(500):
            with pytest.raises(UpstreamUnavailable):
                async with rates.login("192.0.2.1", Credentials(f"m{number}.example", Protocol.IMAP, "ann", "x")):
                    raise UpstreamUnavailable
        windows = rates._own.storage
        assert isinstance(windows, Windows)
        assert len(windows) == 0
        assert not rates._turns
    windows = Windows(max_keys=100)
    for number in range(1000):
        assert await windows.incr(f"k{number}", 60) == 1
        assert await windows.incr("in use", 60) == number + 1
        assert len(windows) <= 100
    assert await windows.get("k0") == 0
    ends = await windows.get_expiry("in use")
    assert ends > await windows.get_expiry("k0")
    assert await windows.incr("short", 0) == 1
    assert await windows.get("short") == 0
    await windows.clear("in use")
    assert await windows.get("in use") == 0
    assert await windows.reset() > 0
    assert len(windows) == 0


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


async def test_replicas_that_share_a_store_count_together(redis: Redis) -> None:
    """R-HTTP-04: and give back together."""
    async with counting(url=redis.url) as one, counting(url=redis.url) as two:
        async with one.login("192.0.2.1", somebody()):
            pass
        told = [await guess(rates, somebody()) for rates in (one, two) * BOUND]
        assert told == ["tried"] * BOUND + ["held back"] * BOUND


async def test_a_store_that_is_gone_is_done_without_and_taken_up_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-OPS-05: each replica counts for itself, and no request waits."""
    monkeypatch.setattr(module, "RETREAT", 0.05)
    async with counting(url=redis.url) as one, counting(url=redis.url) as two:
        assert await guess(one, somebody()) == "tried"
        redis.stop()
        told = [await guess(rates, somebody()) for rates in (one, two) for _ in range(BOUND + 1)]
        assert told == (["tried"] * BOUND + ["held back"]) * 2
        redis.start()
        async with asyncio.timeout(10):
            while await guess(one, somebody()) != "tried":
                await asyncio.sleep(0.05)
        assert await guess(two, somebody()) == "tried"


async def test_three_replicas_let_through_what_one_would(redis: Redis, dovecot: Dovecot) -> None:
    """R-HTTP-04: as processes, in front of a mail server."""
    user = dovecot.user()
    env = environment(dovecot, rates__url=redis.url, rates__account_failures=f"{BOUND}/hour", drain_seconds=0)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(env)) for _ in range(3)]
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        for replica in replicas:  # what a first login costs is over, connecting to the store included
            assert (await client.get(replica.url + ME, auth=(user, PASSWORD))).status_code == 200
        asked = [client.get(replicas[n % 3].url + ME, auth=(user, f"wrong {n}")) for n in range(30)]
        told = Counter(answer.status_code for answer in await asyncio.gather(*asked))
    assert told == {401: BOUND, 429: 30 - BOUND}


@pytest.mark.parametrize(("proxies", "allowed"), [("[]", 3), ('["127.0.0.0/8"]', 10)])
async def test_only_trusted_proxies_name_the_client(proxies: str, allowed: int) -> None:
    """R-HTTP-16, R-HTTP-04: a client that forges X-Forwarded-For stays who it is; probes are never held back."""
    env = NOBODY | {"CASELLA_RATES__ADDRESS": "3/hour", "CASELLA_TRUSTED_PROXIES": proxies}
    async with Replica(env) as replica, httpx.AsyncClient(base_url=replica.url) as client:
        names: Callable[[int], dict[str, str]] = lambda n: {"X-Forwarded-For": f"192.0.2.{n}"}  # noqa: E731
        told = [(await client.get("/v1/servers", headers=names(n))).status_code for n in range(10)]
        assert told == [200] * allowed + [429] * (10 - allowed)
        assert (await client.get("/healthz")).status_code == 200


async def gauge(client: httpx.AsyncClient, replica: Replica) -> float:
    """Whether the replica counts alone, as its metrics say."""
    found = re.search(r"^casella_rates_fallback (\S+)$", (await client.get(replica.metrics_url)).text, re.MULTILINE)
    assert found is not None
    return float(found[1])


async def test_the_metrics_show_a_shared_store_that_is_gone_and_its_return(redis: Redis) -> None:
    """R-OPS-26: even without a sign-in meanwhile."""
    short = (
        sys.executable,
        "-c",
        "from service import cli; from service.accounts import rates; rates.RETREAT = 0.1; cli.run()",
    )
    env = NOBODY | {"CASELLA_RATES__URL": redis.url}
    async with Replica(env, short) as replica, httpx.AsyncClient() as client:

        async def until(value: float) -> None:
            async with asyncio.timeout(20):
                while await gauge(client, replica) != value:
                    await asyncio.sleep(0.05)

        await until(0)
        redis.stop()
        await until(1)
        redis.start()
        await until(0)
        replica.send(signal.SIGTERM)
        assert await replica.ended(20) == 0


async def test_the_metrics_show_a_shared_store_that_is_not_there_at_the_start() -> None:
    """R-OPS-26: a wrong address, or a policy of the network that lets nothing out."""
    [port] = free_ports(1)
    async with (
        Replica(NOBODY | {"CASELLA_RATES__URL": f"redis://{HOST}:{port}"}) as replica,
        httpx.AsyncClient() as client,
        asyncio.timeout(20),
    ):
        while await gauge(client, replica) != 1:
            await asyncio.sleep(0.05)


async def test_a_full_shared_store_counts_as_unavailable(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-OPS-26: it answers, and counts nothing."""
    monkeypatch.setattr(module, "RETREAT", 0.05)
    with redis.client() as client:
        client.config_set("maxmemory", "1")
    async with counting(url=redis.url) as rates:
        watching = asyncio.create_task(rates.watch())
        async with asyncio.timeout(20):
            while REGISTRY.get_sample_value("casella_rates_fallback") != 1:
                await asyncio.sleep(0.02)
        with redis.client() as client:
            client.config_set("maxmemory", "0")
        async with asyncio.timeout(20):
            while REGISTRY.get_sample_value("casella_rates_fallback") != 0:
                await asyncio.sleep(0.02)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
