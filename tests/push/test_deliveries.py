"""Mail arrives at a Dovecot that reports it, and phones that sleep are woken."""

import asyncio
import logging
import signal
import socket
import time
from contextlib import AsyncExitStack, nullcontext
from secrets import token_urlsafe
from statistics import median

import httpx
import pytest

from tests.deploy.replica import Replica
from tests.ops.sending import client_of
from tests.push.conftest import Balancer, push_environment, serving
from tests.servers.process import HOST
from tests.servers.push import Phone, PushDouble
from tests.servers.reporting import ReportingDovecot

pytestmark = pytest.mark.dovecot
MAIL = "From: Ann Exämple <ann@example.org>\r\nSubject: Lünch {}\r\n\r\nAt noon?\r\n"
DELIVERIES = 10
_log = logging.getLogger(__name__)


def mail(number: int = 0) -> bytes:
    return MAIL.format(number).encode()


async def subscribed(client: httpx.AsyncClient, phone: Phone, **more: object) -> str:
    """Subscribed and verified; the id."""
    answer = await client.post("/subscriptions", json=phone.subscription | more)
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert (created["isVerified"], created["source"]) == (False, "server")
    verification = (await phone.next())["verification"]
    assert verification["id"] == created["id"]
    verified = await client.post(f"/subscriptions/{created['id']}", json={"code": verification["code"]})
    assert verified.status_code == 200, verified.text
    assert verified.json()["isVerified"]
    return str(created["id"])


async def test_three_phones_are_woken_though_all_replicas_were_restarted_meanwhile(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble
) -> None:
    user, env = reporting.user(), push_environment(reporting, token_urlsafe(32))
    phones = [Phone(double) for _ in range(3)]
    seconds: list[float] = []
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(env)) for _ in range(3)]
        async with client_of(replicas[0].url, user) as client:
            await asyncio.gather(*(subscribed(client, phone, alert=phone is phones[0]) for phone in phones))
        for replica in replicas:
            replica.send(signal.SIGTERM)
        assert [await replica.ended(30) for replica in replicas] == [0, 0, 0]
        for replica in replicas:
            await replica.start()
        await stack.enter_async_context(Balancer(hook_port, [replica.port for replica in replicas]))
        async with client_of(replicas[0].url, user) as client:
            account = (await client.get(f"{replicas[0].url}/v1/accounts/me")).json()["id"]
            inbox = (await client.get("/folders/inbox")).json()["id"]
        for number in range(DELIVERIES):
            began = time.monotonic()
            await asyncio.to_thread(reporting.deliver, user, mail(number))
            pushes = [await phone.double.next(phone.path) for phone in phones]
            seconds += [push.at - began for push in pushes]
            first, *others = [phone.opened(push) for phone, push in zip(phones, pushes, strict=True)]
            for said in (first, *others):
                assert (said["account"], said["folders"]) == (account, [inbox])
            assert (first["from"], first["subject"]) == ("Ann Exämple", f"Lünch {number}")
            assert all(said.keys() == {"account", "folders", "at"} for said in others)
        assert all(replica.log.count("push") == 0 for replica in replicas)
    assert median(seconds) < 1, seconds
    _log.warning("woken: median %.0f ms, at most %.0f ms", median(seconds) * 1000, max(seconds) * 1000)


async def seconds_to_deliver(reporting: ReportingDovecot, user: str) -> float:
    began = time.monotonic()
    await asyncio.to_thread(reporting.deliver, user, mail())
    return time.monotonic() - began


def count(reporting: ReportingDovecot, user: str) -> int:
    with reporting.connect(user) as client:
        return int((client.select("INBOX")[1][0] or b"0").decode())


ENCODED = (
    b"From: =?utf-8?q?Ann_Ex=C3=A4mple?= <ann@example.org>\r\nSubject: =?utf-8?b?TMO8bmNoIPCfjbI=?=\r\n\r\nAt noon?\r\n",
    ("Ann Exämple", "Lünch 🍲"),
)
TO_MANY = (
    b"From: %b\r\nSubject: %b\r\n\r\n" % (b"ann@example.org,\r\n " * 4000 + b"bob@example.org", b"long " * 20_000),
    ("ann@example.org", ("long " * 40)[:199] + "…"),
)
BARE = (b"Date: Sat, 28 Nov 2026 12:00:00 +0000\r\n\r\nAt noon?\r\n", (None, None))
LATIN = (b"From: J\xf6rg <j@example.org>\r\nSubject: \x01 caf\xe9\r\n\r\n", ("J\ufffdrg", "caf\ufffd"))


@pytest.mark.parametrize(
    ("source", "shown"), [ENCODED, TO_MANY, BARE, LATIN], ids=["encoded", "to many", "bare", "latin"]
)
async def test_an_alert_says_what_the_list_of_messages_shows(
    reporting: ReportingDovecot,
    hook_port: int,
    double: PushDouble,
    source: bytes,
    shown: tuple[str | None, str | None],
) -> None:
    """Dovecot reports header fields as they are in the message, however long. It replaces octets that are no UTF-8."""
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user, port=hook_port) as client:
        await subscribed(client, phone, alert=True)
        await asyncio.to_thread(reporting.deliver, user, source)
        said = await phone.next()
        assert (said.get("from") or None, said.get("subject") or None) == shown


@pytest.mark.parametrize("is_there", [False, True], ids=["nobody answers", "it hangs"])
async def test_a_hook_that_does_not_answer_holds_no_mail(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble, is_there: bool
) -> None:
    """Dovecot's own bound: two tries of two seconds, after the message is in the mailbox."""
    user = reporting.user()
    async with serving(reporting, user) as client:
        await subscribed(client, Phone(double))
    with socket.create_server((HOST, hook_port)) if is_there else nullcontext():  # it accepts, and says nothing
        seconds = await seconds_to_deliver(reporting, user)
    assert seconds < (8 if is_there else 2), seconds
    assert count(reporting, user) == 1


async def test_the_hook_answers_before_it_pushes(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble
) -> None:
    """A push service that hangs holds no delivery, and no other phone."""
    user, slow, phone = reporting.user(), Phone(double), Phone(double)
    async with serving(reporting, user, port=hook_port) as client:
        await asyncio.gather(subscribed(client, slow), subscribed(client, phone))
        never = asyncio.Event()
        double.hold[slow.path] = never
        already = reporting.log
        for _ in range(3):
            await seconds_to_deliver(reporting, user)
            assert (await phone.next()).keys() == {"account", "folders", "at"}
        never.set()
        await slow.next()
        merged = await slow.next()
        assert merged["folders"]
        assert "rror" not in reporting.log.removeprefix(already)
        assert double.waiting(slow.path) == 0


async def test_a_mailbox_without_a_subscription_causes_no_request(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble
) -> None:
    asked: list[object] = []
    server = await asyncio.start_server(lambda *connection: asked.append(connection), HOST, hook_port)
    async with server:
        await seconds_to_deliver(reporting, reporting.user())
    assert asked == []
