"""Endpoints that are gone, wrong, slow, hostile, or lie where no push may go."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import standardwebhooks

from service.accounts.address_policy import AddressPolicy, OnlyNetworks
from service.push.model import Alert, Event, Kind, Notice, Outcome, SignInAgain, Verification
from service.push.sending import pusher, transport
from service.push.sending.exchange import Post, Unreachable
from service.push.sending.pusher import Sender
from service.push.sending.transport import HttpTransport
from service.push.sending.webpush import WebPush
from service.pushers import push_of
from service.settings.model import Settings
from tests.push.sending import made
from tests.push.sending.made import CHANGE, KEYS, NOW, of, sender
from tests.servers.push import Phone, PushDouble
from tests.servers.tls import make_certificate


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pusher, "WAITS", (0.0, 0.01, 0.02))


async def outcome(phone: Phone, sending: Sender | None = None) -> Outcome:
    sending = sending or sender()
    try:
        return await sending.push(of(phone), CHANGE)
    finally:
        await sending.aclose()


@pytest.mark.parametrize(
    ("kind", "expected", "tries"),
    [
        ("push", Outcome.DELIVERED, 1),
        ("410", Outcome.GONE, 1),
        ("404", Outcome.GONE, 1),
        ("400", Outcome.FAILED, 1),
        ("413", Outcome.FAILED, 1),
        ("503", Outcome.FAILED, 3),
        ("429", Outcome.FAILED, 3),
        ("redirect", Outcome.FAILED, 1),
        ("endless", Outcome.DELIVERED, 1),
    ],
)
async def test_what_an_answer_means(double: PushDouble, kind: str, expected: Outcome, tries: int) -> None:
    """R-HTTP-03: a redirect leads nowhere, and of an answer without end only the beginning is read."""
    phone = Phone(double, kind)
    assert await outcome(phone) is expected
    assert [received.path for received in double.received] == [phone.path] * tries


async def test_an_endpoint_that_hangs_ends_after_the_time(double: PushDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SECONDS", 0.2)
    began = asyncio.get_running_loop().time()
    assert await outcome(Phone(double, "hang")) is Outcome.FAILED
    assert asyncio.get_running_loop().time() - began < 5


async def test_what_was_taken_is_not_sent_again_because_its_answer_has_no_end(
    double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these would wake the phone once more."""
    monkeypatch.setattr(transport, "_CONTENT_SECONDS", 0.2)
    assert await outcome(Phone(double, "unfinished")) is Outcome.DELIVERED
    assert len(double.received) == 1


async def test_a_service_that_is_busy_gets_the_push_later(double: PushDouble) -> None:
    phone, answers = Phone(double), [(503, b""), (201, b"")]
    double.answer = lambda _: answers.pop(0)
    assert await outcome(phone) is Outcome.DELIVERED
    assert (await phone.next())["account"] == "account"
    assert (await phone.next())["account"] == "account"


async def test_a_connection_that_was_closed_meanwhile_loses_no_push(double: PushDouble) -> None:
    phone, sending = Phone(double), sender()
    assert await sending.push(of(phone), CHANGE) is Outcome.DELIVERED
    for writer in [*double._open]:
        writer.transport.abort()
    assert await sending.push(of(phone), CHANGE) is Outcome.DELIVERED
    await sending.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://[::1]:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://[fe80::1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
    ],
)
async def test_no_push_goes_to_this_machine_or_to_a_network_inside(
    double: PushDouble, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-HTTP-03: nothing is even connected to."""
    asked: list[str] = []

    async def connect(_: object, address: str, *__: object) -> None:
        asked.append(address)
        raise OSError

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", connect)
    carrier = HttpTransport(AddressPolicy())
    sending = sender(carrier)
    assert await sending.push(made.at(url.format(port=double.port)), CHANGE) is Outcome.FAILED
    await sending.aclose()
    assert asked == []
    assert double.received == []


async def test_http_goes_to_the_operators_networks_alone(double: PushDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def connect(_: object, address: str, *__: object) -> None:
        asked.append(address)
        raise OSError

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", connect)
    networks = [ip_network("10.1.0.0/16")]
    sending = sender(HttpTransport(AddressPolicy(networks), OnlyNetworks(networks)))
    for url in ("http://8.8.8.8/", "http://10.2.0.1/", "http://10.1.0.1/", "https://9.9.9.9/"):
        assert await sending.push(made.at(url), CHANGE) is Outcome.FAILED
    assert set(asked) == {"10.1.0.1", "9.9.9.9"}
    assert asked.count("9.9.9.9") == asked.count("10.1.0.1")
    await sending.aclose()


async def test_a_name_that_changes_its_address_leads_nowhere_else(double: PushDouble) -> None:
    """R-HTTP-03: each connection goes to an address that was checked for it."""
    answers: list[Collection[str]] = [["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254", "127.0.0.2"], ["127.0.0.1"]]

    async def resolve(_: str) -> Collection[str]:
        return answers.pop(0)

    networks = [ip_network("127.0.0.1/32")]
    carrier = HttpTransport(AddressPolicy(networks, resolve), OnlyNetworks(networks, resolve))
    request = Post(f"http://push.example.org:{double.port}/push/a", {"Connection": "close"}, b"x")
    assert (await carrier.post(request)).status == 201
    await _closed(double)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await carrier.post(request)
    assert (await carrier.post(request)).status == 201
    assert [received.headers["host"] for received in double.received] == [f"push.example.org:{double.port}"] * 2
    await carrier.aclose()


async def test_names_that_others_make_slow_to_resolve_delay_no_push(
    double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that have not signed in can name domains too: by discovery, and as mail servers."""
    answer = threading.Event()

    def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if name.startswith("slow"):
            answer.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    others = [asyncio.create_task(AddressPolicy().addresses(f"slow{number}.example.org")) for number in range(20)]
    settings = Settings(push={"dovecot": {"secrets": "s" * 24}, "networks": "127.0.0.0/8"})
    push = push_of(settings, [bytes(32)])
    assert push.pusher is not None
    webhook = made.at(f"http://push.example.org:{double.port}/hook")
    try:
        assert await push.pusher.push(webhook, CHANGE) is Outcome.DELIVERED
    finally:
        answer.set()
        await push.aclose()
        await asyncio.gather(*others, return_exceptions=True)


async def _closed(double: PushDouble) -> None:
    for writer in [*double._open]:
        writer.transport.abort()
    async with asyncio.timeout(10):
        while double._open:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0)


async def test_the_certificate_has_to_be_the_names(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)

    async def resolve(_: str) -> Collection[str]:
        return ["127.0.0.1"]

    policy = AddressPolicy([ip_network("127.0.0.1/32")], resolve)
    carrier = HttpTransport(policy, context=ssl.create_default_context(cafile=certificate.ca_file))
    async with PushDouble(certificate.server_context()) as double:
        right, wrong = (f"https://{name}:{double.port}/push/a" for name in ("localhost", "push.example.org"))
        assert (await carrier.post(Post(right, {}, b"x"))).status == 201
        with pytest.raises(Unreachable):
            await carrier.post(Post(wrong, {}, b"x"))
        with pytest.raises(Unreachable):
            await HttpTransport(policy).post(Post(right, {}, b"x"))
    await carrier.aclose()


async def test_what_a_push_service_is_told(double: PushDouble) -> None:
    """RFC 8030, 5: how long, how urgent, and what it replaces."""
    phone, sending = Phone(double), sender()
    plain, alert = of(phone), Alert("Ann", "Lunch")
    flags = replace(CHANGE, events=frozenset({Event.UPDATED}))
    notices: list[Notice] = [
        CHANGE,
        flags,
        replace(CHANGE, alert=alert),
        Verification("p_1", "code"),
        SignInAgain("account", NOW),
    ]
    for notice in notices:
        assert await sending.push(plain, notice) is Outcome.DELIVERED
    heads = [received.headers for received in double.received]
    assert [head["urgency"] for head in heads] == ["high", "normal", "high", "high", "high"]
    assert heads[0]["topic"] == heads[1]["topic"] != heads[4]["topic"]
    assert [("topic" in head) for head in heads] == [True, True, False, False, True]
    week, day = 7 * 86400, 86400
    assert [week - int(head["ttl"]) < 3600 for head in heads] == [True, True, False, False, True]
    assert [int(head["ttl"]) for head in heads[2:4]] == [day, day]
    said = [phone.opened(received) for received in double.received]
    assert said[2]["from"] == "Ann"
    assert said[3] == {"verification": {"id": "p_1", "code": "code"}}
    assert said[4]["signInAgain"] is True
    await sending.aclose()


async def test_what_is_too_long_is_left_out(double: PushDouble) -> None:
    phone, sending = Phone(double), sender()
    large = replace(
        CHANGE, token="t" * 5000, folders=tuple(f"f_{n}" for n in range(100)), alert=Alert("Ä" * 5000, "\ud800ü" * 5000)
    )
    assert await sending.push(of(phone), large) is Outcome.DELIVERED
    said = await phone.next()
    assert said.keys() == {"account", "at", "from", "subject"}
    assert len(said["subject"]) == len(said["from"]) == 200
    many = replace(CHANGE, token="t" * 1500, folders=tuple("f" * 500 for _ in range(20)))
    assert await sending.push(of(phone), many) is Outcome.DELIVERED
    assert (await phone.next()).keys() == {"account", "at", "token"}
    for char in ("\U0001f600", "\x01"):  # four octets as UTF-8, six as JSON
        wordy = replace(many, folders=("f" * 1300,), alert=Alert(char * 200, char * 200))
        assert await sending.push(of(phone), wordy) is Outcome.DELIVERED
        assert (await phone.next())["subject"] == char * 200
    await sending.aclose()


async def test_what_has_ended_gets_no_request(double: PushDouble) -> None:
    phone, sending = Phone(double), sender()
    for over in (
        replace(of(phone), expires_at=NOW - timedelta(seconds=1)),
        replace(of(phone), vapid_key="unknown"),
        replace(of(phone), kind=Kind.APNS),
    ):
        assert await sending.push(over, CHANGE) is Outcome.GONE
    assert double.received == []
    await sending.aclose()


async def test_a_back_end_verifies_a_webhook_and_sees_no_mail(double: PushDouble) -> None:
    subscription, sending = made.at(f"{double.url}/hook"), sender()
    assert await sending.push(subscription, replace(CHANGE, alert=Alert("Ann", "Lunch"))) is Outcome.DELIVERED
    [received] = double.received
    verifier = standardwebhooks.Webhook(subscription.secret)
    said = verifier.verify(received.body, dict(received.headers))
    assert said == {"account": "account", "token": "token", "folders": ["f_1"], "at": said["at"]}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(received.body + b" ", dict(received.headers))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(made.at("").secret).verify(received.body, dict(received.headers))
    await sending.aclose()


async def test_a_host_that_hangs_takes_its_own_turns_and_no_others(
    double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of the pushes to it no more than a bound wait."""
    monkeypatch.setattr(pusher, "HOST_WAITING", 40)
    monkeypatch.setattr(pusher, "AT_ONCE", pusher.HOST_AT_ONCE + 1)
    async with PushDouble() as other:
        sending = Sender({Kind.WEB_PUSH: WebPush(made.transport(), KEYS)})
        hanging = [asyncio.create_task(sending.push(of(Phone(double, "hang")), CHANGE)) for _ in range(60)]
        async with asyncio.timeout(20):
            while len(double.received) < pusher.HOST_AT_ONCE or sum(task.done() for task in hanging) < 20:
                await asyncio.sleep(0.005)
            assert await sending.push(of(Phone(other)), CHANGE) is Outcome.DELIVERED
        assert len(double.received) == pusher.HOST_AT_ONCE
        assert [task.result() for task in hanging if task.done()] == [Outcome.FAILED] * 20
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await sending.aclose()
