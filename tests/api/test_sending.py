"""Drafts and sending over HTTP, with Dovecot and its submission service behind."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from secrets import token_hex, token_urlsafe
from typing import Any, cast

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.servers.dovecot import PASSWORD
from tests.servers.process import HOST
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot

KEY = token_urlsafe(32)
Open = Callable[..., Any]


def settings_for(server: SendingDovecot, protocol: str = "imap", **more: Any) -> Settings:
    ports = server.ports
    home = {
        protocol: {"host": HOST, "port": getattr(ports, protocol), "security": "none"},
        "smtp": {"host": HOST, "port": server.submission, "security": "none"} | more.pop("smtp", {}),
    }
    return Settings(servers={"home": home}, default_server="home", secret_keys=KEY, **more)


@asynccontextmanager
async def signed_in(settings: Settings, user: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    url = "http://casella.example.org/v1/accounts/me"
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=url, auth=(user, PASSWORD), timeout=60) as client,
    ):
        yield client


def recipient() -> str:
    """Nobody else's."""
    return f"{token_hex(8)}@example.net"


def parsed(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=default)


@pytest.fixture
def user(submission: SendingDovecot) -> str:
    return submission.user()


@pytest.fixture
async def client(submission: SendingDovecot, user: str) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(settings_for(submission, smtp={"files_sent": False}), user) as opened:
        yield opened


async def ok(request: Any) -> dict[str, Any]:
    response = await request
    assert response.is_success, response.text
    return cast("dict[str, Any]", response.json())


async def rows(client: httpx.AsyncClient, folder: str) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", (await ok(client.get(f"/folders/{folder}/messages")))["items"])


async def test_a_draft_is_written_changed_and_sent(client: httpx.AsyncClient, user: str, sink: Sink) -> None:
    """The client may send one request for each."""
    to, hidden = recipient(), recipient()
    assert "send" in (await ok(client.get("http://casella.example.org/v1/accounts/me")))["capabilities"]
    draft = {
        "to": [{"name": "Bob, the Builder", "email": to}],
        "bcc": [{"email": hidden}],
        "subject": "Grüße",
        "text": "one",
    }
    created = await client.post("/drafts", json=draft)
    assert created.status_code == 201
    first = created.json()
    assert created.headers["location"].endswith(first["id"])
    [row] = await rows(client, "drafts")
    assert (row["id"], row["messageId"], row["flags"]) == (first["id"], first["messageId"], ["$seen", "$draft"])
    second = await ok(client.patch(f"/drafts/{first['id']}", json={"text": "two"}))
    assert second["messageId"] == first["messageId"]
    assert (await client.get(f"/drafts/{first['id']}")).status_code == 404
    stored = await ok(client.get(f"/drafts/{second['id']}"))
    assert (stored["subject"], stored["text"].rstrip(), stored["to"]) == ("Grüße", "two", draft["to"])
    sent = await ok(client.post(f"/drafts/{second['id']}/send"))
    assert (sent["from"], sorted(sent["accepted"]), sent["messageId"]) == (
        user,
        sorted([to, hidden]),
        first["messageId"],
    )
    assert await rows(client, "drafts") == []
    [copy] = await rows(client, "sent")
    assert (copy["id"], copy["flags"]) == (sent["sent"], ["$seen", "$submitted"])
    message = parsed(sink.wait_for(to).octets)
    assert (message["subject"], message["to"].addresses[0].display_name) == ("Grüße", "Bob, the Builder")
    assert message["bcc"] is None
    assert hidden.encode() not in sink.wait_for(hidden).octets
    assert message.get_content().strip() == "two"


async def test_files_are_attached_streamed_and_removed(client: httpx.AsyncClient, sink: Sink) -> None:
    to, octets = recipient(), bytes(range(256)) * 10_000
    draft = await ok(client.post("/drafts", json={"to": [{"email": to}], "html": '<p>Hi <img src="cid:a1"></p>'}))
    picture = await client.post(
        f"/drafts/{draft['id']}/attachments?name=a.png&disposition=inline&cid=a1",
        content=b"\x89PNG",
        headers={"content-type": "image/png"},
    )
    assert picture.status_code == 201
    file = await ok(client.post(f"/drafts/{picture.json()['id']}/attachments?name=Übung.bin", content=octets))
    small = {"content": b64encode(b"x").decode(), "name": "x.txt", "type": "text/plain"}
    stored = await ok(client.get(f"/drafts/{file['id']}"))
    third = await ok(client.patch(f"/drafts/{file['id']}", json={"attachments": [*stored["attachments"], small]}))
    stored = await ok(client.get(f"/drafts/{third['id']}"))
    assert [each["name"] for each in stored["attachments"]] == ["a.png", "Übung.bin", "x.txt"]
    gone = await ok(client.delete(f"/drafts/{third['id']}/attachments/{stored['attachments'][2]['partId']}"))
    await ok(client.post(f"/drafts/{gone['id']}/send"))
    message = parsed(sink.wait_for(to).octets)
    named = {part.get_filename(): part.get_payload(decode=True) for part in message.walk() if part.get_filename()}
    assert named == {"a.png": b"\x89PNG", "Übung.bin": octets}


async def test_attachments_by_reference_are_bounded_together(
    client: httpx.AsyncClient, submission: SendingDovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request of some KiB must not fill a disk; nothing is stored."""
    monkeypatch.setattr("service.submission.assembly.MAX_OCTETS", 1 << 20)
    submission.append(user, b"Subject: a\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 76 * 4000 + b"\r\n")
    [message] = (await ok(client.get("/folders/inbox/messages")))["items"]
    files = [{"messageId": message["id"]}] * 4
    assert (await client.post("/drafts", json={"attachments": files[:3]})).status_code == 201
    answer = await client.post("/drafts", json={"attachments": files})
    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]
    assert len(await rows(client, "drafts")) == 1


async def test_a_reply_and_a_forward_are_made_by_the_service(
    client: httpx.AsyncClient, submission: SendingDovecot, user: str, sink: Sink
) -> None:
    """The original gets its flags once they are sent; its attachment never passes through the client."""
    author, other = recipient(), recipient()
    attachment = b64encode(bytes(range(256)) * 4000)
    source = (
        (
            f"From: Ann <{author}>\r\nTo: {user}, {other}\r\nSubject: Re: lunch\r\nMessage-ID: <o1@example.net>\r\n"
            "References: <o0@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: text/plain\r\n\r\nAt noon?\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        ).encode()
        + attachment.replace(b"=", b"")
        + b"\r\n--b--\r\n"
    )
    submission.seed(user, [(source, (), None)])
    [original] = await rows(client, "inbox")
    reply = await ok(client.post(f"/messages/{original['id']}/reply", json={"all": True}))
    await ok(client.post(f"/drafts/{reply['id']}/send"))
    answer = parsed(sink.wait_for(author).octets)
    assert (answer["subject"], answer["in-reply-to"]) == ("Re: lunch", "<o1@example.net>")
    assert answer["references"].split() == ["<o0@example.net>", "<o1@example.net>"]
    assert {*sink.wait_for(author).recipients} == {author, other}
    to = recipient()
    forward = await ok(client.post(f"/messages/{original['id']}/forward", json={"to": [{"email": to}]}))
    await ok(client.post(f"/drafts/{forward['id']}/send"))
    message = parsed(sink.wait_for(to).octets)
    [part] = message.iter_attachments()
    assert part.get_payload(decode=True) == bytes(range(256)) * 4000
    assert message["subject"] == "Fwd: lunch"
    [original] = await rows(client, "inbox")
    assert {"$answered", "$forwarded"} <= set(original["flags"])


async def test_one_request_writes_and_sends(client: httpx.AsyncClient, sink: Sink, user: str) -> None:
    to = recipient()
    dry = await client.post("/submissions?dryRun=true", json={"to": [{"email": to}], "text": "hi"})
    assert (dry.status_code, dry.json()["accepted"], dry.json()["size"] > 100) == (201, [to], True)
    assert await rows(client, "drafts") == await rows(client, "sent") == []
    sent = await client.post("/submissions", json={"to": [{"email": to}], "text": "hi"})
    assert (sent.status_code, sent.json()["accepted"]) == (201, [to])
    assert [row["id"] for row in await rows(client, "sent")] == [sent.json()["sent"]]
    raw = recipient()
    source = f"From: {user}\r\nTo: {raw}\r\nBcc: {to}\r\nSubject: raw\r\n\r\n.dot\nbare\r\n".encode()
    await ok(client.post("/submissions", content=source, headers={"content-type": "message/rfc822"}))
    octets = sink.wait_for(raw).octets
    assert b"Bcc" not in octets
    assert octets.endswith(b"\r\n.dot\r\nbare\r\n")
    assert b"Message-ID: <" in octets
    assert len(sink.delivered_to(to)) == 2


async def test_a_body_of_another_type_is_not_sent(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/submissions", content=b"To: to@example.net\r\n\r\n", headers={"content-type": "text/plain"}
    )
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert await rows(client, "drafts") == await rows(client, "sent") == []


@pytest.mark.parametrize("kind", ["submission", "draft"])
async def test_the_same_request_to_two_replicas_leaves_once(
    submission: SendingDovecot, user: str, sink: Sink, kind: str
) -> None:
    """R-SEND-10: at the same instant, and once more afterwards."""
    settings = settings_for(submission, smtp={"files_sent": False})
    async with signed_in(settings, user) as one, signed_in(settings, user) as two:
        await asyncio.gather(*(each.get("http://casella.example.org/v1/accounts/me") for each in (one, two)))
        for number in range(10):
            to, headers = recipient(), {"Idempotency-Key": f"key {number}"}
            body = {"to": [{"email": to}], "subject": str(number), "text": "hi"}
            if kind == "draft":
                draft = await ok(one.post("/drafts", json=body))
                path, body = f"/drafts/{draft['id']}/send", {}
            else:
                path = "/submissions"
            answers = await asyncio.gather(*(each.post(path, json=body, headers=headers) for each in (one, two)))
            taken = [answer for answer in answers if answer.is_success]
            late = [answer for answer in answers if not answer.is_success]  # the draft had left before it was read
            assert taken, [answer.text for answer in answers]
            assert all(kind == "draft" and answer.status_code == 404 for answer in late), [each.text for each in late]
            assert len({answer.json()["messageId"] for answer in taken}) == 1
            again = await two.post(path, json=body, headers=headers)
            assert again.is_success or late, again.text
            assert len(sink.delivered_to(to)) == 1
            assert await rows(one, "drafts") == []
            assert len([row for row in await rows(one, "sent") if row["subject"] == str(number)]) == 1


async def test_a_message_that_is_no_draft_is_not_sent(
    client: httpx.AsyncClient, submission: SendingDovecot, user: str
) -> None:
    """R-SEND-11: nor changed, nor removed."""
    submission.seed(user, [(b"From: ann@example.net\r\nTo: ben@example.net\r\nSubject: x\r\n\r\nx\r\n", (), None)])
    [row] = await rows(client, "inbox")
    for request in (
        client.post(f"/drafts/{row['id']}/send"),
        client.patch(f"/drafts/{row['id']}", json={"subject": "y"}),
        client.post(f"/drafts/{row['id']}/attachments", content=b"x"),
    ):
        assert (await request).json()["type"] == "/problems/invalid-request"
    assert len(await rows(client, "inbox")) == 1


async def test_a_pop3_account_sends_straight(submission: SendingDovecot, user: str, sink: Sink) -> None:
    to = recipient()
    async with signed_in(settings_for(submission, "pop3"), user) as client:
        sent = await ok(client.post("/submissions", json={"to": [{"email": to}], "text": "hi"}))
        assert sent["warnings"] == ["no-sent-copy"]
        assert (await client.post("/drafts", json={})).status_code == 501
    assert parsed(sink.wait_for(to).octets).get_content().strip() == "hi"


async def test_bounds_hold_back_a_stolen_token(submission: SendingDovecot, user: str, sink: Sink) -> None:
    """R-SEND-12: recipients of a message, messages and recipients of an account."""
    rates = {"account_messages": "2/day", "account_recipients": "3/day"}
    async with signed_in(settings_for(submission, max_recipients=2, rates=rates), user) as client:

        async def send(count: int) -> int:
            to = [{"email": recipient()} for _ in range(count)]
            return (await client.post("/submissions", json={"to": to, "text": "hi"})).status_code

        assert [await send(count) for count in (3, 1, 2, 1)] == [422, 201, 201, 429]


async def test_an_account_without_smtp_cannot_send(submission: SendingDovecot, user: str) -> None:
    settings = settings_for(submission)
    settings.servers["home"].smtp = None
    async with signed_in(settings, user) as client:
        assert "send" not in (await ok(client.get("http://casella.example.org/v1/accounts/me")))["capabilities"]
        answer = await client.post("/submissions", json={"to": [{"email": recipient()}], "text": "hi"})
        assert (answer.status_code, answer.json()["capability"]) == (501, "send")


async def test_nothing_of_another_account_is_written_or_sent(submission: SendingDovecot, sink: Sink) -> None:
    """R-HTTP-40: ids of drafts, messages and parts, and keys of another account, by every operation that writes."""
    mine, theirs = submission.user(), submission.user()
    canary = token_hex(8)
    settings = settings_for(submission, smtp={"files_sent": False})
    async with signed_in(settings, mine) as me, signed_in(settings, theirs) as they:
        to = recipient()
        submission.seed(theirs, [(f"From: a@example.net\r\nSubject: {canary}\r\n\r\n{canary}\r\n".encode(), (), None)])
        draft = (await ok(they.post("/drafts", json={"to": [{"email": to}], "text": canary})))["id"]
        [message] = await rows(they, "inbox")
        reference = {"messageId": message["id"], "partId": "1"}
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", f"/drafts/{draft}", {}),
            ("PATCH", f"/drafts/{draft}", {"json": {"subject": "x"}}),
            ("POST", f"/drafts/{draft}/attachments", {"content": b"x"}),
            ("DELETE", f"/drafts/{draft}/attachments/1", {}),
            ("POST", f"/drafts/{draft}/send", {}),
            ("POST", f"/messages/{message['id']}/reply", {"json": {}}),
            ("POST", f"/messages/{message['id']}/forward", {"json": {}}),
            ("POST", "/drafts", {"json": {"inReplyTo": message["id"]}}),
            ("POST", "/drafts", {"json": {"attachments": [reference]}}),
            ("POST", "/drafts", {"json": {"attachments": [{"messageId": message["id"]}]}}),
            ("POST", "/submissions", {"json": {"to": [{"email": to}], "attachments": [reference]}}),
        ]
        for method, path, body in requests:
            answer = await me.request(method, path, **body)
            assert answer.status_code in {404, 410, 422}, (method, path, answer.text)
            assert canary not in answer.text
        await ok(
            they.post("/submissions", json={"to": [{"email": to}], "text": canary}, headers={"Idempotency-Key": "k"})
        )
        own = recipient()
        await ok(
            me.post("/submissions", json={"to": [{"email": own}], "text": "own"}, headers={"Idempotency-Key": "k"})
        )
        assert canary.encode() not in sink.wait_for(own).octets
        assert len(sink.delivered_to(to)) == 1
        assert [row["id"] for row in await rows(they, "drafts")] == [draft]
        assert (await ok(me.get("/identities")))["items"] == [{"id": "login", "email": mine}]


FOREIGN = "From: ann@example.org\r\nTo: bob@example.net\r\nMessage-ID: <foreign@example.org>\r\n"


@pytest.mark.parametrize(
    ("header", "given", "status"),
    [
        (FOREIGN.replace("bob@", ", ".join(f"u{n}@" for n in range(2)).replace("@,", "@example.net,")), {}, 200),
        (FOREIGN.replace("bob@example.net", ",\r\n ".join(f"u{n}@example.net" for n in range(1001))), {}, 413),
        (FOREIGN.replace("bob@example.net", "bob@example.net cy@example.net"), {}, 422),
        (
            FOREIGN.replace("bob@example.net", "bob@example.net cy@example.net"),
            {"to": [{"email": "cy@example.net"}]},
            200,
        ),
        (FOREIGN + "To: cy@example.net\r\n", {}, 422),
        (FOREIGN.replace("ann@", "ann@example.org, cy@"), {}, 413),
        (FOREIGN + "".join(f"X-Field-{n}: {n}\r\n" for n in range(51)), {}, 413),
        (FOREIGN + "".join(f"X-Field-{n}: {n}\r\n" for n in range(51)), {"headers": []}, 200),
        (FOREIGN + "Subject: " + "words " * 700 + "\r\n", {}, 413),
    ],
    ids=["two", "1001 recipients", "no comma", "given", "twice", "authors", "fields", "fields given", "subject"],
)
async def test_a_change_of_a_foreign_draft_loses_nothing(
    client: httpx.AsyncClient, header: str, given: dict[str, Any], status: int
) -> None:
    """R-SEND-26: what a draft here cannot hold is refused, unless the change gives it."""
    raw = {"content-type": "message/rfc822"}
    message = f"{header}\r\ntext\r\n".encode()
    draft = await ok(client.post("/folders/drafts/messages?flags=$draft", content=message, headers=raw))
    changed = await client.patch(f"/drafts/{draft['id']}", json={"text": "other", **given})
    assert changed.status_code == status, changed.text
    if not given:
        present = changed.json()["id"] if status == 200 else draft["id"]
        attached = await client.post(f"/drafts/{present}/attachments", content=b"x")
        assert attached.status_code == (201 if status == 200 else status)
    if status == 200 and not given:
        [row] = await rows(client, "drafts")
        assert [each["email"] for each in row["to"]] == ["u0@example.net", "u1@example.net"]
