"""Subscriptions in the mailbox's METADATA: what is kept, what is refused, and what becomes of it."""

import asyncio
import re
import subprocess
import sys
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
import standardwebhooks

from service.adapters.imap.settings import metadata
from service.push import subscribing
from service.push.server.hook import MAX_REPORT
from tests.push.conftest import HOOK, KEYS, SECRET, serving
from tests.push.test_deliveries import mail, subscribed
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.push import Phone, PushDouble, text
from tests.servers.reporting import ReportingDovecot

pytestmark = pytest.mark.dovecot
ENTRY = "/private/vendor/vendor.dovecot/http-notify"


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes here are in this one, which takes its turn sooner."""
    monkeypatch.setattr(metadata, "TAKING_SECONDS", 0.3)
    monkeypatch.setattr(metadata, "_WAIT_SECONDS", 0.4)


def stored(dovecot: Dovecot, user: str) -> str | None:
    """The entry, as another program reads it."""
    with dovecot.connect(user) as client:
        assert client.xatom("GETMETADATA", '""', ENTRY)[0] == "OK"
        pieces = client.response("METADATA")[1]
    octets = b"".join(b"".join(piece) if isinstance(piece, tuple) else piece or b"" for piece in pieces)
    found = re.search(rb'\(%b (?:\{\d+\}|")?(.*?)"?\)?$' % re.escape(ENTRY.encode()), octets, re.DOTALL)
    value = found[1].decode() if found else ""
    return None if value in {"", "NIL"} else value


def store(dovecot: Dovecot, user: str, value: str) -> None:
    with dovecot.connect(user) as client:
        assert client.xatom("SETMETADATA", '""', f'({ENTRY} "{value}")')[0] == "OK"


async def items(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/subscriptions")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def can_subscribe(client: httpx.AsyncClient) -> bool:
    """Whether the account says so, which a new session does too."""
    account = (await client.get("http://casella.example.org/v1/accounts/me")).json()
    signed_in = {"username": account["username"], "password": PASSWORD}
    session = (await client.post("http://casella.example.org/v1/sessions", json=signed_in)).json()
    assert session["account"]["capabilities"] == account["capabilities"]
    return "subscriptions" in account["capabilities"]


def invalid(answer: httpx.Response) -> str:
    """What value of the request is."""
    assert answer.status_code == 422, answer.text
    return str(answer.json()["errors"][0]["location"])


async def test_a_phone_subscribes_verifies_renews_and_leaves(
    reporting: ReportingDovecot, double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user) as client:
        push = (await client.get("http://casella.example.org/v1/push", auth=None)).json()
        assert push["kinds"] == ["webpush", "webhook"]
        assert await can_subscribe(client)
        made = await client.post("/subscriptions", json=phone.subscription)
        assert made.status_code == 201, made.text
        place = f"/subscriptions/{made.json()['id']}"
        assert made.headers["location"].endswith(place)
        code = (await phone.next())["verification"]["code"]
        assert invalid(await client.post(place, json={"code": "another"})) == "body.code"
        assert not (await items(client))[0]["isVerified"]
        monkeypatch.setattr(subscribing, "LIFE_SECONDS", 30 * 86400)
        verified = (await client.post(place, json={"code": code})).json()
        assert verified["isVerified"]
        assert verified["expiresAt"] > made.json()["expiresAt"]
        [listed] = await items(client)
        assert listed == verified
        assert (listed["kind"], listed["device"], listed["events"]) == ("webpush", phone.name, ["created"])
        assert listed["vapidKey"] == push["vapid"]["id"]
        assert listed.keys().isdisjoint({"endpoint", "keys", "code", "secret"})
        kept = stored(reporting, user) or ""
        assert kept.startswith("user=casella.")
        assert phone.name not in kept
        assert (await client.delete(place)).status_code == 204
        assert (await client.delete(place)).json()["what"] == "subscription"
        assert await items(client) == []
    assert stored(reporting, user) is None


async def test_a_device_has_one_subscription_of_a_kind(reporting: ReportingDovecot, double: PushDouble) -> None:
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user) as client:
        ids = [
            (await client.post("/subscriptions", json=phone.subscription | more)).json()["id"]
            for more in ({}, {"events": ["created", "updated"]}, {"kind": "webhook", "keys": None})
        ]
        assert {each["id"] for each in await items(client)} == set(ids[1:])


async def test_two_names_of_a_mailbox_share_the_entry(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble
) -> None:
    """By two servers of the table the same mailbox is two accounts. Neither silences the other's devices."""
    user, phone, tablet = reporting.user(), Phone(double), Phone(double)
    async with serving(reporting, user, port=hook_port) as client, serving(reporting, user) as other:
        other.headers["Casella-Server"] = "tls"
        await subscribed(client, phone)
        await subscribed(other, tablet)
        assert [each["device"] for each in await items(client)] == [phone.name]
        assert [each["device"] for each in await items(other)] == [tablet.name]
        await asyncio.to_thread(reporting.deliver, user, mail())
        accounts = [(await each.next())["account"] for each in (phone, tablet)]
        assert len(set(accounts)) == 2


async def test_ten_devices_fit_and_no_more(reporting: ReportingDovecot, double: PushDouble) -> None:
    """Those that subscribe at the same time too."""
    user = reporting.user()
    async with serving(reporting, user) as client, serving(reporting, user) as other:

        async def subscribe(number: int) -> httpx.Response:
            wanted = Phone(double, name="n" * 50 + str(number)).subscription
            wanted["endpoint"] += "e" * 200
            return await (client if number % 2 else other).post("/subscriptions", json=wanted)

        answers = await asyncio.gather(*map(subscribe, range(10)))
        assert [answer.status_code for answer in answers] == [201] * 10, [answer.text for answer in answers]
        assert len(await items(client)) == 10
        assert invalid(await subscribe(10)) == "body.device"
        assert (await subscribe(3)).status_code == 201
    assert len(stored(reporting, user) or "") < 8000


async def test_what_is_too_long_for_the_entry_is_refused_with_what_to_do(
    reporting: ReportingDovecot, double: PushDouble
) -> None:
    user = reporting.user()
    async with serving(reporting, user) as client:

        async def subscribe() -> httpx.Response:
            phone = Phone(double)
            return await client.post(
                "/subscriptions",
                json=phone.subscription | {"endpoint": f"{double.url}/{token_urlsafe(700)[:900]}"},
            )

        answers = await asyncio.gather(*(subscribe() for _ in range(9)))
        refused = [answer for answer in answers if answer.status_code != 201]
        assert refused
        assert {invalid(answer) for answer in refused} == {"body.endpoint"}
        assert len(await items(client)) == 9 - len(refused)


async def test_other_programs_keep_what_is_theirs(reporting: ReportingDovecot, double: PushDouble) -> None:
    user, phone = reporting.user(), Phone(double)
    store(reporting, user, "folder=INBOX\tother=1")
    async with serving(reporting, user) as client:
        identity = (await client.post("/subscriptions", json=phone.subscription)).json()["id"]
        assert (stored(reporting, user) or "").startswith("folder=INBOX\tother=1\tuser=casella.")
        assert (await client.delete(f"/subscriptions/{identity}")).status_code == 204
        assert stored(reporting, user) == "folder=INBOX\tother=1"
        store(reporting, user, "user=4@7")
        refused = await client.post("/subscriptions", json=phone.subscription)
        assert (refused.status_code, refused.json()["capability"]) == (501, "subscriptions")
        assert "Another program" in refused.json()["detail"]
        assert await items(client) == []
    assert stored(reporting, user) == "user=4@7"


@pytest.mark.parametrize(
    ("more", "location"),
    [
        ({"kind": "fcm", "keys": None}, "body.kind"),
        ({"kind": "pigeon"}, "body.kind"),
        ({"endpoint": "https://127.0.0.1:25/"}, "body.endpoint"),
        ({"endpoint": "ftp://push.example.org/"}, "body.endpoint"),
        ({"keys": None}, "body.keys"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "body.keys"),
        ({"keys": {"p256dh": text(b"\4" + bytes(64)), "auth": text(bytes(16))}}, "body.keys"),
        ({"keys": {"p256dh": "ä", "auth": "ä"}}, "body.keys"),
        ({"kind": "webhook"}, "body.keys"),
        ({"kind": "webhook", "keys": None, "alert": True}, "body.alert"),
        ({"events": []}, "body.events"),
        ({"device": ""}, "body.device"),
    ],
)
async def test_what_is_wrong_is_named(
    reporting: ReportingDovecot, double: PushDouble, more: dict[str, Any], location: str
) -> None:
    async with serving(reporting, "ann@example.org") as client:
        assert invalid(await client.post("/subscriptions", json=Phone(double).subscription | more)).startswith(location)
        assert double.received == []


async def test_http_and_folders_that_do_not_exist_are_refused(reporting: ReportingDovecot, double: PushDouble) -> None:
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user, networks=()) as client:
        assert invalid(await client.post("/subscriptions", json=phone.subscription)) == "body.endpoint"
        secure = phone.subscription | {"endpoint": "https://push.example.org/"}
        answer = await client.post("/subscriptions", json=secure | {"folders": ["f_none"]})
        assert (answer.status_code, answer.json()["what"]) == (404, "folder")
        late = await client.post("/subscriptions", json=secure | {"events": ["updated"]})
        assert (late.status_code, late.json()["capability"]) == (501, "subscriptions")


async def test_without_metadata_or_without_settings_it_is_501(
    dovecot: Dovecot, reporting: ReportingDovecot, double: PushDouble
) -> None:
    wanted = Phone(double).subscription
    async with serving(dovecot, dovecot.user()) as client:
        answers = [await client.post("/subscriptions", json=wanted), await client.get("/subscriptions")]
        answers.append(await client.get("/subscriptions", headers={"Casella-Protocol": "pop3"}))
        assert [answer.status_code for answer in answers] == [501] * 3
        assert not await can_subscribe(client)
    async with serving(reporting, reporting.user(), dovecot={"secrets": SECRET, "servers": ["tls"]}) as client:
        assert (await client.post("/subscriptions", json=wanted)).status_code == 501
    async with serving(reporting, reporting.user(), dovecot=None) as client:
        answer = await client.post("/subscriptions", json=wanted)
        assert (answer.status_code, answer.json()["capability"]) == (501, "subscriptions")
        assert not await can_subscribe(client)
        push = (await client.get("http://casella.example.org/v1/push")).json()
        assert push["kinds"] == []
        assert len(push["vapid"]["publicKey"]) == 87


async def test_a_subscription_of_another_account_is_unknown(reporting: ReportingDovecot, double: PushDouble) -> None:
    """R-HTTP-40: its id, its code and its value in another mailbox are of no use."""
    ann, ben, phone = reporting.user("ann"), reporting.user("ben"), Phone(double)
    async with serving(reporting, ann) as client:
        made = (await client.post("/subscriptions", json=phone.subscription)).json()["id"]
        code = (await phone.next())["verification"]["code"]
        theirs = httpx.BasicAuth(ben, PASSWORD)
        for answer in (
            await client.post(f"/subscriptions/{made}", json={"code": code}, auth=theirs),
            await client.delete(f"/subscriptions/{made}", auth=theirs),
        ):
            assert (answer.status_code, answer.json()["what"]) == (404, "subscription")
        account = (await client.get("http://casella.example.org/v1/accounts/me")).json()["id"]
        foreign = await client.get(f"http://casella.example.org/v1/accounts/{account}/subscriptions", auth=theirs)
        assert foreign.status_code == 404
        store(reporting, ben, stored(reporting, ann) or "")
        assert (await client.get("/subscriptions", auth=theirs)).json() == {"items": []}
        assert len(await items(client)) == 1


async def test_a_back_end_gets_its_secret_once_and_verifies_by_it(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble
) -> None:
    user = reporting.user()
    async with serving(reporting, user, port=hook_port) as client:
        wanted = {"kind": "webhook", "endpoint": f"{double.url}/hook", "device": "back end"}
        key = {"Idempotency-Key": "one"}
        made = [await client.post("/subscriptions", json=wanted, headers=key) for _ in range(2)]
        assert made[0].json() == made[1].json()
        verifier = standardwebhooks.Webhook(made[0].json()["secret"])
        received = await double.next("/hook")
        said = verifier.verify(received.body, dict(received.headers))
        assert double.waiting("/hook") == 0
        place = f"/subscriptions/{said['verification']['id']}"
        verified = await client.post(place, json={"code": said["verification"]["code"]})
        assert "secret" not in verified.json()
        await asyncio.to_thread(reporting.deliver, user, mail())
        received = await double.next("/hook")
        assert verifier.verify(received.body, dict(received.headers)).keys() == {"account", "folders", "at"}


async def test_too_many_subscriptions_an_hour_are_429(reporting: ReportingDovecot, double: PushDouble) -> None:
    """Each sends a push to an address that the app names."""
    async with serving(reporting, reporting.user(), rates={"account_subscriptions": "2/hour"}) as client:
        answers = [await client.post("/subscriptions", json=Phone(double).subscription) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert int(answers[-1].headers["retry-after"]) <= 3600


@pytest.mark.parametrize("kind", ["410", "404"])
async def test_a_phone_that_is_gone_is_removed_at_the_next_request_of_its_account(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble, kind: str
) -> None:
    user, phone, gone = reporting.user(), Phone(double), Phone(double)
    async with serving(reporting, user, port=hook_port) as client:
        await asyncio.gather(subscribed(client, phone), subscribed(client, gone))
        double.answer = lambda received: (int(kind) if received.path == gone.path else 201, b"")
        before = len(stored(reporting, user) or "")
        await asyncio.to_thread(reporting.deliver, user, mail())
        await asyncio.gather(double.next(gone.path), double.next(phone.path))
        await asyncio.to_thread(reporting.deliver, user, mail())
        await double.next(phone.path)
        assert double.waiting(gone.path) == 0
        async with asyncio.timeout(20):
            while len(stored(reporting, user) or "") >= before:
                assert (await client.get("/folders/inbox")).status_code == 200
                await asyncio.sleep(0.05)
        assert [each["device"] for each in await items(client)] == [phone.name]


async def test_a_device_that_was_removed_gets_nothing_that_was_under_way(
    reporting: ReportingDovecot, double: PushDouble
) -> None:
    user, phone, other = reporting.user(), Phone(double), Phone(double)
    async with serving(reporting, user) as client:
        removed = await subscribed(client, phone)
        await subscribed(client, other)
        note = (stored(reporting, user) or "").removeprefix("user=")
        report = {"user": note, "event": "messageNew", "folder": "INBOX"}
        answer = double.hold[phone.path] = asyncio.Event()
        await client.put(HOOK, json=report)
        await phone.next()
        await client.put(HOOK, json=report)
        assert (await client.delete(f"/subscriptions/{removed}")).status_code == 204
        while double.waiting(other.path):
            await other.next()
        answer.set()
        left = report | {"user": (stored(reporting, user) or "").removeprefix("user=")}
        for _ in range(5):
            await client.put(HOOK, json=left)
            await other.next()
        assert double.waiting(phone.path) == 0


async def test_a_phone_that_nobody_renews_is_dropped(
    reporting: ReportingDovecot, hook_port: int, double: PushDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "LIFE_SECONDS", 5)
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user, port=hook_port) as client:
        await subscribed(client, phone)
        async with asyncio.timeout(20):
            while await items(client):
                await asyncio.sleep(0.1)
            await asyncio.to_thread(reporting.deliver, user, mail())
            while stored(reporting, user):
                assert (await client.get("/folders/inbox")).status_code == 200
                await asyncio.sleep(0.05)
        assert double.waiting(phone.path) == 0


async def test_new_keys_end_no_subscription(reporting: ReportingDovecot, hook_port: int, double: PushDouble) -> None:
    """The old key opens what is in the mailbox, and signs for the phones that know it."""
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user) as client:
        await subscribed(client, phone)
        key = double.received[-1].headers["authorization"].split("k=")[1]
    async with serving(reporting, user, keys=f"{token_urlsafe(32)},{KEYS}", port=hook_port) as client:
        push = (await client.get("http://casella.example.org/v1/push")).json()
        assert push["vapid"]["publicKey"] != key
        await asyncio.to_thread(reporting.deliver, user, mail())
        received = await double.next(phone.path)
        assert received.headers["authorization"].split("k=")[1] == key
        assert len(await items(client)) == 1


async def test_a_hook_says_nothing_to_those_who_do_not_know_its_address(
    reporting: ReportingDovecot, double: PushDouble
) -> None:
    user, phone = reporting.user(), Phone(double)
    async with serving(reporting, user) as client:
        await subscribed(client, phone)
        note = (stored(reporting, user) or "").removeprefix("user=")
        report = {"user": note, "event": "messageNew", "folder": "INBOX", "from": "Ann", "subject": "Lunch"}
        for secret in ("", "x" * 32, SECRET[:-1], SECRET + "x"):
            answer = await client.put(f"http://casella.example.org/v1/hooks/dovecot/{secret}", json=report)
            assert answer.status_code == 404
        for body in (
            b"",
            b"{",
            b"[]",
            b'{"user": 1}',
            b"\xff" * 1000,
            b'{"user":"casella.%b","event":"messageNew"}' % (b"A" * 9000),
        ):
            assert (await client.put(HOOK, content=body)).status_code == 200
        forged = note[:-8] + ("AAAAAAAA" if note[-8:] != "AAAAAAAA" else "BBBBBBBB")
        for wrong in ({"event": "flagsSet"}, {"user": forged}, {"user": "somebody"}, {"user": "casella."}):
            assert (await client.put(HOOK, json=report | wrong)).status_code == 200
        assert (await client.put(HOOK, content=b"x" * (MAX_REPORT + 1))).status_code == 413
        assert (await client.put(HOOK, json=report)).status_code == 200
        assert (await phone.next()).keys() == {"account", "folders", "at"}
        assert double.waiting(phone.path) == 0


def test_without_push_and_store_nothing_of_their_libraries_is_imported() -> None:
    """Start-up and memory are as before."""
    code = (
        "import sys; from service.app import create_app; from service.settings.model import Settings;"
        "create_app(Settings(servers={'home': {'imap': {'host': 'localhost', 'port': 1, 'security': 'none'}}}));"
        "print(sorted({'httpcore2', 'httpx2', 'h2', 'sqlalchemy', 'alembic', 'asyncpg', 'aiosqlite', 'service.store'}"
        " & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
