"""Blobs uploaded, downloaded, put together and parsed."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tests.jmap.clients import Jmap
from tests.jmap.conftest import OpenJmap
from tests.jmap.letters import MIXED, plain
from tests.servers.dovecot import Dovecot

OCTETS = bytes(range(256)) * 5000


async def test_what_one_replica_took_another_gives(jmap: Jmap, open_jmap: OpenJmap) -> None:
    blob = await jmap.upload(OCTETS, "image/png")
    async with open_jmap(jmap.session["username"]) as replica:
        whole = await replica.download(blob, "image/png", "ä b.png")
        assert whole.content == OCTETS
        assert whole.headers["content-type"] == "image/png"
        assert "filename*=UTF-8''%C3%A4%20b.png" in whole.headers["content-disposition"]
        part = await replica.download(blob, Range="bytes=1000-1009")
        assert (part.status_code, part.content) == (206, OCTETS[1000:1010])
    for unknown in ("u-nothing", "b-nothing", "p-1-nothing", "x", "p--"):
        assert (await jmap.download(unknown)).status_code == 404
    assert (await jmap.download(blob, "text/html")).headers["content-type"] == "application/octet-stream"


async def test_blobs_are_put_together_and_read(jmap: Jmap) -> None:
    blob = await jmap.upload(b"hello world")
    source = {"blobId": blob, "offset": 0, "length": 5}
    created = await jmap.call(
        "Blob/upload",
        create={
            "new": {
                "data": [source, {"data:asText": " ä "}, {"data:asBase64": b64encode(b"\xff").decode()}],
                "type": "a/b",
            },
            "far": {"data": [{**source, "length": 99}]},
            "none": {"data": []},
            "missing": {"data": [{"blobId": "u-x"}]},
        },
    )
    assert created["created"]["new"]["size"] == 10
    assert {key: each["type"] for key, each in created["notCreated"].items()} == {
        "far": "invalidProperties", "none": "invalidProperties", "missing": "blobNotFound",
    }  # fmt: skip
    new = created["created"]["new"]["id"]
    asked = {"ids": [new, "u-x"], "properties": ["data", "size", "digest:sha-256"]}
    answer = await jmap.call("Blob/get", **asked)
    octets = "hello ä ".encode() + b"\xff"
    assert answer["list"] == [
        {
            "id": new,
            "data:asBase64": b64encode(octets).decode(),
            "size": len(octets),
            "digest:sha-256": b64encode(sha256(octets).digest()).decode(),
            "isEncodingProblem": True,
        }
    ]
    assert answer["notFound"] == ["u-x"]
    assert await jmap.error("Blob/get", ids=[new], properties=["digest:md5"]) == "invalidArguments"


async def test_blobs_know_who_holds_them(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    email = await jmap.imported(MIXED, inbox)
    read = await jmap.email(email, "blobId", "threadId", "attachments")
    answer = await jmap.call(
        "Blob/lookup", ids=[read["attachments"][0]["blobId"]], typeNames=["Email", "Thread", "Mailbox"]
    )
    matched = {"Email": [email], "Thread": [read["threadId"]], "Mailbox": [inbox]}
    assert answer["list"][0]["matchedIds"] == matched
    assert (await jmap.download(read["blobId"])).content == MIXED
    assert await jmap.error("Blob/lookup", ids=[], typeNames=["Other"]) == "unknownDataType"


async def test_parts_of_attached_messages_are_blobs_too(jmap: Jmap, open_jmap: OpenJmap) -> None:
    """On any replica; of messages within messages, up to four levels."""
    mailboxes = {"mailboxIds": {await jmap.inbox(): True}}
    blob = await jmap.upload(MIXED, "message/rfc822")
    record = {**mailboxes, "attachments": [{"blobId": blob, "type": "message/rfc822"}]}
    created = (await jmap.call("Email/set", create={"new": record}))["created"]["new"]
    [outer] = (await jmap.email(created["id"], "attachments"))["attachments"]
    parsed = (await jmap.call("Email/parse", blobIds=[outer["blobId"]]))["parsed"][outer["blobId"]]
    [plan] = parsed["attachments"]
    assert (plan["name"], plan["size"]) == ("plan.pdf", 9)
    async with open_jmap(jmap.session["username"]) as replica:
        read = await replica.download(plan["blobId"], "application/pdf", "plan.pdf")
        assert (read.content, read.headers["content-type"]) == (b"%PDF-1.4\n", "application/pdf")
        ranged = await replica.download(plan["blobId"], Range="bytes=1-3")
        assert (ranged.status_code, ranged.content) == (206, b"PDF")
        assert (await replica.download(plan["blobId"].replace("n-2-", "n-7-"))).status_code == 404
    copied = {**mailboxes, "attachments": [{"blobId": plan["blobId"], "type": "application/pdf", "name": "again.pdf"}]}
    again = (await jmap.call("Email/set", create={"new": copied}))["created"]["new"]["id"]
    [attached] = (await jmap.email(again, "attachments"))["attachments"]
    assert (await jmap.download(attached["blobId"])).content == b"%PDF-1.4\n"
    held = await jmap.call("Blob/lookup", ids=[plan["blobId"]], typeNames=["Email"])
    assert held["list"][0]["matchedIds"]["Email"] == [created["id"]]
    assert (await jmap.download("n-1-" * 5 + blob)).status_code == 404
    assert (await jmap.download("n-1-" * 200 + blob)).status_code == 404


async def test_attached_messages_are_parsed(jmap: Jmap) -> None:
    inner = await jmap.upload(plain("inner", text="within"), "message/rfc822")
    record = {
        "mailboxIds": {await jmap.inbox(): True},
        "attachments": [{"blobId": inner, "type": "message/rfc822"}],
        "textBody": [{"partId": "t"}],
        "bodyValues": {"t": {"value": "see below"}},
    }
    created = (await jmap.call("Email/set", create={"new": record}))["created"]["new"]
    [attached] = (await jmap.email(created["id"], "attachments"))["attachments"]
    assert attached["type"] == "message/rfc822"
    answer = await jmap.call(
        "Email/parse", blobIds=[attached["blobId"], "b-x", await jmap.upload(b"no message")], fetchTextBodyValues=True
    )
    parsed = answer["parsed"][attached["blobId"]]
    assert (parsed["subject"], parsed["messageId"]) == ("inner", ["inner@example.org"])
    assert [each["value"] for each in parsed["bodyValues"].values()] == ["within\n"]
    assert answer["notFound"] == ["b-x"]
    assert len(answer["notParsable"]) == 1


@pytest.mark.parametrize("octets", [b"", b"\0"])
async def test_what_is_not_a_message_is_not_imported(jmap: Jmap, octets: bytes) -> None:
    blob = await jmap.upload(octets)
    answer = await jmap.call("Email/import", emails={"new": {"blobId": blob, "mailboxIds": {await jmap.inbox(): True}}})
    assert answer["notCreated"]["new"]["type"] in {"invalidEmail", "invalidProperties"}


async def test_only_uploads_are_removed_after_a_day(jmap: Jmap, dovecot: Dovecot) -> None:
    """The folder is one like others for other programs: what they put there stays."""
    old = datetime.now(UTC) - timedelta(days=4)
    own = plain("own").replace(b"<own@example.org>", b"<own@uploads.casella>")
    dovecot.seed(jmap.session["username"], [(own, (), old), (plain("other"), (), old)], "Casella uploads")
    await jmap.upload(b"x")
    folders = (await jmap.http.get("/v1/accounts/me/folders")).json()["items"]
    [uploads] = [each["id"] for each in folders if each["name"] == "Casella uploads"]
    rows = (await jmap.http.get(f"/v1/accounts/me/folders/{uploads}/messages")).json()["items"]
    assert len(rows) == 2
    assert "other@example.org" in {row["messageId"] for row in rows}
