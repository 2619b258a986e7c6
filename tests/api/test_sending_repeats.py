"""Messages whose Message-ID is there already: in a draft, in Sent, in an earlier request. A scripted server takes what is
sent, and stands behind a mailbox on Dovecot; another app on the same mailbox is another replica."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import httpx
import pytest

from service.submission import claims, copies
from tests.api.test_sending_phases import OTHER, TO, Sent, opened
from tests.servers.dovecot import Dovecot
from tests.servers.scripted import Answer, Connection
from tests.servers.smtp import Smtp

pytestmark = pytest.mark.dovecot
RAW = {"Content-Type": "message/rfc822"}
Opened = Callable[..., AbstractAsyncContextManager[Sent]]
DATE = "Tue, 1 Sep 2026 08:00:00 +0000"


def letter(text: str, *fields: str) -> bytes:
    head = ["From: ann@example.org", f"To: {TO}", "Message-ID: <same@example.org>", *fields]
    return "\r\n".join([*head, "", text, ""]).encode()


async def submit(sent: Sent, message: bytes, key: str | None = None, query: str = "") -> httpx.Response:
    headers = RAW | ({"Idempotency-Key": key} if key else {})
    return await sent.client.post(f"/submissions{query}", content=message, headers=headers)


async def append(sent: Sent, folder: str, message: bytes, flags: str = "$seen") -> str:
    """Into a folder of this role, which the mailbox has once something was sent."""
    answer = await sent.client.post(f"/folders/{folder}/messages?flags={flags}", content=message, headers=RAW)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.user()


@pytest.fixture
def replica(dovecot: Dovecot, user: str) -> Opened:
    return partial(opened, dovecot, user=user)


async def test_a_kept_draft_is_not_sent_in_place_of_the_message(replica: Opened) -> None:
    """R-SEND-23: the app had kept an older version of the message in Drafts."""
    smtp = Smtp()
    async with replica(smtp) as sent:
        draft = await append(sent, "drafts", letter("old"), "$draft")
        for _ in range(2):
            assert (await submit(sent, letter("final"), "one")).status_code == 201
        assert [each.endswith(b"\r\n\r\nfinal\r\n") for each in smtp.messages] == [True]
        assert b"x-casella" not in smtp.messages[0].lower()
        assert [row["id"] for row in await sent.rows("drafts")] == [draft]
        assert len(await sent.rows("sent")) == 1


async def test_another_key_is_another_message(replica: Opened) -> None:
    """R-SEND-23: although Sent has one with the same Message-ID. The same request leaves once, to any replica."""
    smtp, other = Smtp(), Smtp()
    async with replica(smtp) as sent, replica(other) as elsewhere:
        first = await submit(sent, letter("one"), "one")
        assert (await submit(sent, letter("two"), "two")).status_code == 201
        again = await submit(elsewhere, letter("one"), "one")
        assert again.json()["sent"] == first.json()["sent"]
        assert [each.split(b"\r\n\r\n")[1] for each in smtp.messages] == [b"one\r\n", b"two\r\n"]
        assert other.messages == []
        assert len(await sent.rows("sent")) == 2


async def test_the_same_key_for_another_message_is_refused_by_every_replica(replica: Opened) -> None:
    """R-SEND-23, R-CONC-05: it would seem sent."""
    other = Smtp()
    draft = {"to": [{"email": TO}], "subject": "a", "text": "one"}
    async with replica(Smtp()) as sent, replica(other) as elsewhere:
        assert (await submit(sent, letter("one"), "raw")).status_code == 201
        await sent.client.post("/submissions", json=draft, headers={"Idempotency-Key": "json"})
        for answer in (
            await submit(elsewhere, letter("two"), "raw"),
            await elsewhere.client.post(
                "/submissions", json=draft | {"text": "two"}, headers={"Idempotency-Key": "json"}
            ),
        ):
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
        again = await elsewhere.client.post("/submissions", json=draft, headers={"Idempotency-Key": "json"})
        assert again.status_code == 201
        assert other.messages == []


@pytest.mark.parametrize(
    "field", ["", " nonsense", " <a b@example.org>", " <a@example.org> <b@example.org>", "\r\n <a@b>"]
)
async def test_a_message_with_an_odd_message_id_leaves_once(replica: Opened, field: str) -> None:
    """R-SEND-23: servers do not find it by that, or read another one."""
    smtp, other = Smtp(), Smtp()
    odd = f"From: ann@example.org\r\nTo: {TO}\r\nMessage-ID:{field}\r\n\r\ntext\r\n".encode()
    async with replica(smtp) as sent, replica(other) as elsewhere:
        first = await submit(sent, odd, "one")
        again = await submit(elsewhere, odd, "one")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json()["sent"] == first.json()["sent"]
        assert (len(smtp.messages), other.messages) == (1, [])


async def test_what_cannot_be_sent_is_not_stored(replica: Opened) -> None:
    """Each repeated request would leave another draft."""
    async with replica(Smtp()) as sent:
        for message in (b"\r\nno header\r\n", b"From: ann@example.org\r\nTo: a@example.net b@example.net\r\n\r\n"):
            assert (await submit(sent, message)).status_code == 422
        assert (await sent.client.post("/submissions", json={"text": "to nobody"})).status_code == 422
        assert await sent.rows("drafts") == []


class Files:
    """A provider that files its own copy, rewritten, before it answers."""

    def __init__(self, names: bytes = b"same") -> None:
        self.smtp = Smtp(answers={"END": self.end})
        self.sent: Sent | None = None
        self.names = names

    async def end(self, _: bytes) -> Answer:
        assert self.sent is not None
        octets = self.smtp.messages[-1].replace(b"<same@", b"<%b@" % self.names)
        await append(self.sent, "sent", b"X-Filed: here\r\n" + octets)
        return b"250 2.0.0 queued\r\n"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "WAIT", 0.05)


async def test_an_older_message_in_sent_is_not_the_copy(replica: Opened) -> None:
    """R-SEND-24: the draft is the only copy there is, unless the provider has filed one of this message."""
    async with replica(Smtp(), files_sent=None) as sent:
        await sent.client.post("/folders", json={"name": "Sent"})
        old = await append(sent, "sent", letter("old"))
        new = (await submit(sent, letter("new"))).json()["sent"]
        assert new != old
        assert {row["id"] for row in await sent.rows("sent")} == {old, new}
        assert await sent.rows("drafts") == []


async def test_the_copy_of_the_provider_is_the_newer_one(replica: Opened) -> None:
    """R-SEND-24."""
    provider = Files()
    async with replica(provider.smtp, files_sent=None) as sent:
        provider.sent = sent
        await sent.client.post("/folders", json={"name": "Sent"})
        old = await append(sent, "sent", letter("old"))
        new = (await submit(sent, letter("new"))).json()["sent"]
        assert [row["id"] for row in await sent.rows("sent")] == [new, old]
        assert await sent.rows("drafts") == []


@pytest.mark.parametrize("files_sent", [None, True])
async def test_a_copy_with_another_message_id_is_known(replica: Opened, files_sent: bool | None) -> None:
    """R-SEND-24: Outlook.com replaces it. Others with the same subject and recipients are not the copy."""
    provider = Files(b"another")
    async with replica(provider.smtp, files_sent=files_sent) as sent:
        provider.sent = sent
        await sent.client.post("/folders", json={"name": "Sent"})
        old = await append(sent, "sent", letter("old", "Subject: a", f"Date: {DATE.replace('08', '07')}"))
        message = letter("new", "Subject: a", f"Date: {DATE}")
        new = [(await submit(sent, message)).json()["sent"] for _ in range(2)]
        assert [row["id"] for row in await sent.rows("sent")] == [new[1], new[0], old]
        assert {row["messageId"] for row in await sent.rows("sent")} == {"another@example.org", "same@example.org"}
        assert await sent.rows("drafts") == []


async def test_the_same_message_sent_twice_has_two_copies(replica: Opened) -> None:
    """R-SEND-24: the first one's copy is not the second one's, although all but the Message-ID is the same."""
    message = letter("text", "Subject: a", f"Date: {DATE}").replace(b"Message-ID: <same@example.org>\r\n", b"")
    async with replica(Smtp(), files_sent=True) as sent:
        copies_of = {(await submit(sent, message)).json()["sent"] for _ in range(2)}
        assert {row["id"] for row in await sent.rows("sent")} == copies_of
        assert len(copies_of) == 2


@pytest.mark.parametrize("fields", [("Subject: a",), ("Subject: b", f"Date: {DATE}")], ids=["subject", "date"])
async def test_the_copy_of_the_provider_is_known_by_another_replica(replica: Opened, fields: tuple[str, ...]) -> None:
    """R-SEND-23: it has no mark. Another message with the same Message-ID is sent."""
    provider, other = Files(), Smtp()
    async with replica(provider.smtp, files_sent=None) as sent, replica(other, files_sent=None) as elsewhere:
        provider.sent = sent
        await sent.client.post("/folders", json={"name": "Sent"})
        first = await submit(sent, letter("one", *fields), "one")
        again = await submit(elsewhere, letter("one", *fields), "one")
        assert first.json()["sent"] == again.json()["sent"]
        assert other.messages == []
        for each in (f"Date: {DATE.replace('08', '09')}", "Subject: another"):
            assert (await submit(elsewhere, letter("two", each), each)).status_code == 201
        assert len(other.messages) == 2


class Waits:
    """Holds the answer to the end back until ``goes_on``."""

    def __init__(self) -> None:
        self.has_message, self.goes_on = asyncio.Event(), asyncio.Event()

    async def play(self, connection: Connection) -> None:
        self.has_message.set()
        await self.goes_on.wait()
        await connection.send(b"250 2.0.0 queued\r\n")


async def test_a_draft_is_not_changed_while_it_is_sent(replica: Opened) -> None:
    """R-SEND-25: else the message is sent, and a draft of it is there as if it were not."""
    wait = Waits()
    smtp = Smtp(answers={"END": [wait]})
    async with replica(smtp) as sent:
        draft = (await sent.client.post("/drafts", json={"to": [{"email": TO}], "text": "one"})).json()["id"]
        sending = asyncio.ensure_future(sent.client.post(f"/drafts/{draft}/send"))
        await wait.has_message.wait()
        changed = await sent.client.patch(f"/drafts/{draft}", json={"to": [{"email": OTHER}]})
        assert (changed.status_code, changed.json()["type"]) == (409, "/problems/in-use")
        wait.goes_on.set()
        assert (await sending).json()["warnings"] == []
        assert await sent.rows("drafts") == []
        assert len(await sent.rows("sent")) == len(smtp.messages) == 1


async def test_a_draft_that_is_deleted_while_another_process_has_it_is_not_sent(
    replica: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-SEND-25: that process had died. It is not reported as sent."""
    smtp, waits = Smtp(), asyncio.Event()

    def must_wait(*_: object) -> bool:
        waits.set()
        return True

    monkeypatch.setattr(claims._Attempt, "_must_wait", must_wait)
    async with replica(smtp) as sent:
        draft = (await sent.client.post("/drafts", json={"to": [{"email": TO}], "text": "one"})).json()["id"]
        sending = asyncio.ensure_future(sent.client.post(f"/drafts/{draft}/send"))
        await waits.wait()
        assert (await sent.client.delete(f"/messages/{draft}")).status_code == 204
        answer = await sending
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
        assert smtp.messages == []


async def test_of_sending_and_changing_at_once_one_is_done(replica: Opened) -> None:
    """R-SEND-25: by two replicas. Either the message leaves and no draft of it is left, or a changed draft is."""
    smtps = Smtp(), Smtp()
    async with replica(smtps[0]) as one, replica(smtps[1]) as other:
        for number in range(6):
            draft = {"to": [{"email": TO}], "subject": str(number), "text": "one"}
            made = (await one.client.post("/drafts", json=draft)).json()
            path = f"/drafts/{made['id']}"
            answers = await asyncio.gather(
                *(each.client.post(f"{path}/send") for each in (one, other)),
                *(each.client.patch(path, json={"text": "two"}) for each in (other, one)),
            )
            left = [row["id"] for row in await one.rows("drafts")]
            sent = [row for row in await one.rows("sent") if row["subject"] == str(number)]
            left_service = sum(made["messageId"].encode() in each for smtp in smtps for each in smtp.messages)
            changed = [each.json()["id"] for each in answers[2:] if each.status_code == 200]
            if changed:
                assert (sent, left_service, left) == ([], 0, changed)
                await one.client.delete(f"/messages/{changed[0]}")
            else:
                assert (len(sent), left_service, left) == (1, 1, [])
