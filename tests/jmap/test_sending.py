"""EmailSubmission, with Dovecot's submission service behind."""

from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import pytest

from service.settings.model import Settings
from tests.jmap.clients import Jmap
from tests.jmap.conftest import signed_in
from tests.servers.process import HOST
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot


@pytest.fixture
async def sender(submission: SendingDovecot) -> AsyncIterator[Jmap]:
    imap = {"host": HOST, "port": submission.ports.imap, "security": "none"}
    home = {"imap": imap, "smtp": {"host": HOST, "port": submission.submission, "security": "none"}}
    settings = Settings(servers={"home": home}, default_server="home")
    async with signed_in(settings, submission.user()) as jmap:
        yield jmap


async def _draft(jmap: Jmap, **more: Any) -> str:
    drafts = next(each["id"] for each in (await jmap.mailboxes()).values() if each["role"] == "drafts")
    record = {
        "mailboxIds": {drafts: True},
        "keywords": {"$draft": True},
        "subject": "by JMAP",
        "textBody": [{"partId": "t"}],
        "bodyValues": {"t": {"value": "hello"}},
        **more,
    }
    return str((await jmap.call("Email/set", create={"new": record}))["created"]["new"]["id"])


async def test_a_draft_is_sent_and_moved(sender: Jmap, sink: Sink) -> None:
    """Blind copies are not in what leaves, and the Email is changed only after it was sent."""
    to, blind = f"{token_hex(8)}@example.net", f"{token_hex(8)}@example.net"
    email = await _draft(sender, to=[{"email": to}], bcc=[{"email": blind}])
    [identity] = (await sender.call("Identity/get", ids=None))["list"]
    sent = next(each["id"] for each in (await sender.mailboxes()).values() if each["role"] == "sent")
    (name, answer), (implied, update) = await sender.run(
        (
            "EmailSubmission/set",
            {
                "create": {"s": {"emailId": email, "identityId": identity["id"]}},
                "onSuccessUpdateEmail": {"#s": {"mailboxIds": {sent: True}, "keywords/$draft": None}},
            },
        )
    )
    assert (name, implied) == ("EmailSubmission/set", "Email/set")
    assert answer["created"]["s"]["undoStatus"] == "final"
    assert update["updated"] == {email: None}
    assert await sender.email(email, "mailboxIds", "keywords") == {
        "id": email,
        "mailboxIds": {sent: True},
        "keywords": {},
    }
    delivered = sink.wait_for(to)
    assert blind in sink.wait_for(blind).recipients
    assert b"by JMAP" in delivered.octets
    assert blind.encode() not in delivered.octets


async def test_what_a_submission_implies_needs_no_capability(sender: Jmap) -> None:
    email = await _draft(sender, to=[{"email": f"{token_hex(8)}@example.net"}])
    [identity] = (await sender.call("Identity/get", ids=None))["list"]
    arguments = {
        "accountId": sender.account,
        "create": {"s": {"emailId": email, "identityId": identity["id"]}},
        "onSuccessDestroyEmail": ["#s"],
    }
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:submission"]
    body = {"using": using, "methodCalls": [["EmailSubmission/set", arguments, "0"]]}
    answers = (await sender.http.post("/jmap", json=body)).json()["methodResponses"]
    assert [(name, call) for name, _, call in answers] == [("EmailSubmission/set", "0"), ("Email/set", "0")]
    assert answers[1][1]["destroyed"] == [email]


async def test_what_cannot_be_sent_says_why(sender: Jmap) -> None:
    [identity] = (await sender.call("Identity/get", ids=None))["list"]
    good = {"emailId": await _draft(sender, to=[{"email": "a@example.net"}]), "identityId": identity["id"]}
    nobody = {"emailId": await _draft(sender), "identityId": identity["id"]}
    envelope = {"mailFrom": {"email": identity["email"]}, "rcptTo": [{"email": "x\r\nRCPT TO:<y@example.net>"}]}
    later = {"email": identity["email"], "parameters": {"HOLDFOR": "100"}}
    silent = {"email": "a@example.net", "parameters": {"NOTIFY": "NEVER"}}
    wrong = {
        "nobody": nobody,
        "identity": {**good, "identityId": "x"},
        "email": {**good, "emailId": "x"},
        "property": {**good, "sendAt": "x"},
        "injected": {**good, "envelope": envelope},
        "empty": {**good, "envelope": {**envelope, "rcptTo": []}},
        "sender": {**good, "envelope": {**envelope, "mailFrom": {"email": "x\r\nRCPT TO:<y@example.net>"}}},
        "many": {**good, "envelope": {**envelope, "rcptTo": [{"email": "a@example.net"}] * 1001}},
        "later": {**good, "envelope": {"mailFrom": later, "rcptTo": [{"email": "a@example.net"}]}},
        "silent": {**good, "envelope": {"mailFrom": {"email": identity["email"]}, "rcptTo": [silent]}},
    }
    answer = await sender.call("EmailSubmission/set", create=wrong, onSuccessDestroyEmail=[f"#{key}" for key in wrong])
    assert {key: each["type"] for key, each in answer["notCreated"].items()} == {
        "nobody": "noRecipients",
        "identity": "invalidProperties",
        "email": "invalidProperties",
        "property": "invalidProperties",
        "injected": "invalidRecipients",
        "empty": "noRecipients",
        "sender": "invalidProperties",
        "many": "tooManyRecipients",
        "later": "invalidProperties",
        "silent": "invalidProperties",
    }
    assert len(await sender.query()) == 2


async def test_a_new_identity_sends_at_once(sender: Jmap, sink: Sink) -> None:
    """In the request that makes it, by its creation id."""
    to = f"{token_hex(8)}@example.net"
    email = await _draft(sender, to=[{"email": to}])
    (_, made), (_, answer) = await sender.run(
        ("Identity/set", {"create": {"new": {"email": "other@example.org", "name": "Other"}}}),
        ("EmailSubmission/set", {"create": {"s": {"emailId": email, "identityId": "#new"}}}),
    )
    assert made["notCreated"] is None
    assert answer["notCreated"] is None
    assert sink.wait_for(to)
