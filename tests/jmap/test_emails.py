"""Emails read, found, changed and removed."""

from tests.jmap.clients import Jmap
from tests.jmap.conftest import OpenJmap
from tests.jmap.letters import MIXED, plain, received
from tests.servers.dovecot import Dovecot


async def test_headers_have_all_their_forms(jmap: Jmap) -> None:
    email = await jmap.imported(MIXED, await jmap.inbox())
    read = await jmap.email(
        email,
        *("header:Subject:asText", "header:Subject", "header:From:asGroupedAddresses", "header:from:asAddresses"),
        *("header:References:asMessageIds", "header:Date:asDate", "header:List-Unsubscribe:asURLs"),
        *("header:X-Twice:all", "header:X-Twice:asText", "header:X-None", "header:X-None:all"),
    )
    assert read["header:Subject:asText"] == "Grüße"
    assert read["header:Subject"] == " =?utf-8?q?Gr=C3=BC=C3=9Fe?="
    assert read["header:From:asGroupedAddresses"] == [
        {"name": None, "addresses": [{"name": "Jürg", "email": "jurg@example.org"}]},
        {
            "name": "Group",
            "addresses": [{"name": None, "email": "a@example.org"}, {"name": "Bea", "email": "b@example.org"}],
        },
    ]
    assert [each["email"] for each in read["header:from:asAddresses"]] == [
        f"{name}@example.org" for name in ("jurg", "a", "b")
    ]
    assert read["header:References:asMessageIds"] == ["first@example.org", "second@example.org"]
    assert read["header:Date:asDate"] == "2026-03-01T13:00:00+01:00"
    assert read["header:List-Unsubscribe:asURLs"] == ["https://example.org/u", "mailto:u@example.org"]
    assert read["header:X-Twice:all"] == [" one", " two"]
    assert read["header:X-Twice:asText"] == "two"
    assert read["header:X-None"] is None
    assert read["header:X-None:all"] == []
    assert await jmap.error("Email/get", ids=[email], properties=["header:From:asDate"]) == "invalidArguments"
    assert await jmap.error("Email/get", ids=[email], properties=["nothing"]) == "invalidArguments"


async def test_bodies_are_trees_lists_and_values(jmap: Jmap) -> None:
    email = await jmap.imported(MIXED, await jmap.inbox())
    read = await jmap.email(
        email,
        *("bodyStructure", "textBody", "htmlBody", "attachments", "bodyValues", "hasAttachment", "preview"),
        fetchTextBodyValues=True,
        fetchHTMLBodyValues=True,
        bodyProperties=["partId", "type", "size", "name", "cid", "blobId", "disposition"],
    )
    assert [each["type"] for each in read["bodyStructure"]["subParts"]] == ["multipart/alternative", "application/pdf"]
    assert [each["partId"] for each in read["textBody"]] == ["1.1"]
    assert [each["partId"] for each in read["htmlBody"]] == ["1.2"]
    [attached] = read["attachments"]
    assert {**attached, "blobId": ""} == {
        "partId": "2", "type": "application/pdf", "size": 9, "name": "plan.pdf", "cid": "plan@example.org", "blobId": "",
        "disposition": "attachment",
    }  # fmt: skip
    assert (await jmap.download(attached["blobId"])).content == b"%PDF-1.4\n"
    text = {"value": "Der Zug fährt um acht.\n", "isEncodingProblem": False, "isTruncated": False}
    assert read["bodyValues"]["1.1"] == text
    assert read["hasAttachment"] is True
    assert read["preview"].startswith("Der Zug fährt")
    cut = await jmap.email(email, "bodyValues", fetchTextBodyValues=True, maxBodyValueBytes=10)
    assert cut["bodyValues"]["1.1"] == {"value": "Der Zug f", "isEncodingProblem": False, "isTruncated": True}


async def test_windows_of_a_query(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    ids = [await jmap.imported(plain(f"m{number}"), inbox, receivedAt=received(number)) for number in range(6)]
    sort = [{"property": "receivedAt", "isAscending": True}]

    async def window(**more: object) -> tuple[list[int], int | None, int]:
        answer = await jmap.call("Email/query", filter={"inMailbox": inbox}, sort=sort, **more)
        return [ids.index(each) for each in answer["ids"]], answer.get("total"), answer["position"]

    assert await window() == ([0, 1, 2, 3, 4, 5], None, 0)
    assert await window(position=2, limit=2, calculateTotal=True) == ([2, 3], 6, 2)
    assert await window(position=-2) == ([4, 5], None, 4)
    assert await window(anchor=ids[3], anchorOffset=-1, limit=2) == ([2, 3], None, 2)
    assert await window(anchor=ids[0], anchorOffset=-9, limit=1) == ([0], None, 0)
    assert await window(position=10**9, calculateTotal=True) == ([], 6, 10**9)
    assert await window(position=-(10**9), limit=0) == ([], None, 0)
    assert await jmap.error("Email/query", anchor="nothing") == "anchorNotFound"
    assert await jmap.error("Email/query", limit=-1) == "invalidArguments"
    assert await jmap.error("Email/query", filter={"nothing": 1}) == "unsupportedFilter"
    assert await jmap.error("Email/query", sort=[{"property": "nothing"}]) == "unsupportedSort"
    flagged = {"property": "hasKeyword", "keyword": "$flagged", "isAscending": False}
    await jmap.call("Email/set", update={ids[4]: {"keywords/$flagged": True}})
    answer = await jmap.query(filter={"inMailbox": inbox}, sort=[flagged, *sort])
    assert [ids.index(each) for each in answer] == [4, 0, 1, 2, 3, 5]


async def test_conversations_over_folders(jmap: Jmap) -> None:
    inbox, other = await jmap.inbox(), await jmap.create_mailbox("Other")
    root = await jmap.imported(plain("root"), inbox, receivedAt=received(0))
    reply = await jmap.imported(
        plain("reply", answers="root"), other, receivedAt=received(1), keywords={"$flagged": True}
    )
    alone = await jmap.imported(plain("alone"), inbox, receivedAt=received(2))
    newest = [{"property": "receivedAt", "isAscending": False}]
    assert await jmap.query(sort=newest, collapseThreads=True) == [alone, reply]
    assert set(await jmap.query(filter={"someInThreadHaveKeyword": "$flagged"})) == {root, reply}
    assert await jmap.query(filter={"noneInThreadHaveKeyword": "$flagged"}) == [alone]
    assert await jmap.query(filter={"allInThreadHaveKeyword": "$flagged"}) == []
    thread = (await jmap.email(root, "threadId"))["threadId"]
    assert (await jmap.call("Thread/get", ids=[thread]))["list"] == [{"id": thread, "emailIds": [root, reply]}]


async def test_an_email_keeps_its_id_in_all_its_mailboxes(jmap: Jmap, open_jmap: OpenJmap, dovecot: Dovecot) -> None:
    """Also for another replica, which has seen nothing of it."""
    inbox, first, second = await jmap.inbox(), await jmap.create_mailbox("One"), await jmap.create_mailbox("Two")
    email = await jmap.imported(plain("moving"), inbox)
    await jmap.call(
        "Email/set", update={email: {"mailboxIds": {first: True, second: True}, "keywords": {"$seen": True}}}
    )
    assert await jmap.email(email, "mailboxIds", "keywords") == {
        "id": email, "mailboxIds": {first: True, second: True}, "keywords": {"$seen": True},
    }  # fmt: skip
    answer = await jmap.call("Email/query", calculateTotal=True)
    assert (answer["ids"], answer["total"]) == ([email], 1)
    await jmap.call("Mailbox/set", update={first: {"name": "Renamed"}})
    username = jmap.session["username"]
    async with open_jmap(username) as replica:
        read = await replica.email(email, "mailboxIds")
        assert read["mailboxIds"] == {first: True, second: True}
        assert (await replica.mailboxes())["Renamed"]["id"] == first
        states = [await each.call("Email/get", ids=[]) for each in (jmap, replica)]
        assert states[0]["state"] == states[1]["state"]
        await replica.call("Email/set", update={email: {f"mailboxIds/{first}": None}})
    assert (await jmap.email(email, "mailboxIds"))["mailboxIds"] == {second: True}
    await jmap.call("Email/set", destroy=[email])
    assert (await jmap.call("Email/get", ids=[email]))["notFound"] == [email]
    for name in ("a", "b", "c"):
        await jmap.imported(plain(name), inbox)
    for tree in ({"inMailbox": inbox}, {"inMailbox": inbox, "minSize": 1}):
        for window in ({"limit": 1}, {"limit": 0}, {"position": 2, "limit": 1}, {"limit": 10}, {"position": -1}):
            answer = await jmap.call("Email/query", filter=tree, calculateTotal=True, **window)
            assert answer["total"] == 3


async def test_changes_name_what_others_did(jmap: Jmap) -> None:
    """By the REST API: a message moved, one flagged, one deleted, one new."""
    inbox = await jmap.inbox()
    moved, flagged, deleted = [await jmap.imported(plain(name), inbox) for name in ("moved", "flagged", "deleted")]
    state = (await jmap.call("Email/get", ids=[]))["state"]
    threads = [(await jmap.email(each, "threadId"))["threadId"] for each in (moved, flagged, deleted)]
    base = "/v1/accounts/me"
    rows = {
        row["subject"]: row["id"] for row in (await jmap.http.get(f"{base}/folders/inbox/messages")).json()["items"]
    }
    await jmap.http.post(f"{base}/messages/{rows['moved']}/move", json={"folderId": "trash"})
    await jmap.http.patch(f"{base}/messages/{rows['flagged']}/flags", json={"add": ["$flagged"]})
    await jmap.http.delete(f"{base}/messages/{rows['deleted']}")
    headers = {"Content-Type": "message/rfc822"}
    await jmap.http.post(f"{base}/folders/inbox/messages", content=plain("new"), headers=headers)
    changes = await jmap.call("Email/changes", sinceState=state)
    [new] = await jmap.query(filter={"subject": "new"})
    assert changes["created"] == [new]
    assert set(changes["updated"]) == {moved, flagged}
    assert changes["destroyed"] == [deleted]
    assert await jmap.error("Email/changes", sinceState=state, maxChanges=2) == "cannotCalculateChanges"
    assert await jmap.error("Email/changes", sinceState=state[:-1]) == "cannotCalculateChanges"
    told = await jmap.call("Thread/changes", sinceState=state)
    assert told["destroyed"] == [threads[2]]
    assert (await jmap.call("Email/changes", sinceState=changes["newState"]))["updated"] == []


async def test_lists_follow_their_changes(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    ids = [await jmap.imported(plain(f"m{number}"), inbox, receivedAt=received(number)) for number in range(3)]
    asked = {"filter": {"inMailbox": inbox}, "sort": [{"property": "receivedAt", "isAscending": False}]}
    before = await jmap.call("Email/query", **asked)
    new = await jmap.imported(plain("new"), inbox, receivedAt=received(9))
    await jmap.call("Email/set", destroy=[ids[1]])
    changes = await jmap.call("Email/queryChanges", **asked, sinceQueryState=before["queryState"], calculateTotal=True)
    assert changes["total"] == 3
    assert ids[1] in changes["removed"]
    assert changes["added"] == [{"id": new, "index": 0}]


async def test_a_message_is_written_from_its_parts(jmap: Jmap) -> None:
    blob = await jmap.upload(b"%PDF-1.4 " * 1000, "application/pdf")
    structure = {
        "type": "multipart/mixed",
        "subParts": [
            {"partId": "t", "type": "text/plain"},
            {"blobId": blob, "type": "application/pdf", "name": "plän.pdf", "disposition": "attachment"},
        ],
    }
    record = {
        "mailboxIds": {await jmap.inbox(): True},
        "keywords": {"$draft": True},
        "from": [{"name": "Jürg", "email": "jurg@example.org"}],
        "subject": "Grüße",
        "header:X-Own:asText": "ä",
        "messageId": ["own@example.org"],
        "bodyStructure": structure,
        "bodyValues": {"t": {"value": "Zeile\nzwei ä"}},
    }
    created = (await jmap.call("Email/set", create={"new": record}))["created"]["new"]
    read = await jmap.email(
        created["id"],
        *("subject", "from", "messageId", "header:X-Own:asText", "keywords", "attachments", "bodyValues", "size"),
        fetchTextBodyValues=True,
    )
    assert (read["subject"], read["from"], read["messageId"]) == ("Grüße", record["from"], ["own@example.org"])
    assert read["header:X-Own:asText"] == "ä"
    assert read["keywords"] == {"$draft": True}
    assert read["size"] == created["size"]
    assert [each["value"] for each in read["bodyValues"].values()] == ["Zeile\nzwei ä"]
    [attached] = read["attachments"]
    assert (attached["name"], attached["size"]) == ("plän.pdf", 9000)
    assert (await jmap.download(attached["blobId"])).content == b"%PDF-1.4 " * 1000


async def test_what_cannot_be_written_is_refused_by_its_name(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    good = {"mailboxIds": {inbox: True}, "subject": "x"}
    wrong = {
        "nowhere": ({**good, "mailboxIds": {}}, "invalidProperties"),
        "elsewhere": ({**good, "mailboxIds": {"x": True}}, "invalidProperties"),
        "injected": ({**good, "subject": "a\r\nBcc: x@example.org"}, "invalidProperties"),
        "raw": ({**good, "header:X-Own": " a\r\nBcc: x@example.org"}, "invalidProperties"),
        "address": ({**good, "to": [{"email": "a@b\r\nBcc: c@d"}]}, "invalidProperties"),
        "keyword": ({**good, "keywords": {"a b": True}}, "invalidProperties"),
        "id": ({**good, "id": "x"}, "invalidProperties"),
        "part": ({**good, "textBody": [{"partId": "1"}]}, "invalidProperties"),
        "blob": ({**good, "attachments": [{"blobId": "u-nothing"}]}, "blobNotFound"),
        "deep": ({**good, "bodyStructure": _nested(60)}, "invalidProperties"),
    }
    answer = await jmap.call("Email/set", create={key: record for key, (record, _) in wrong.items()})
    assert answer["created"] is None
    assert {key: error["type"] for key, error in answer["notCreated"].items()} == {
        key: kind for key, (_, kind) in wrong.items()
    }
    assert await jmap.query() == []


def _nested(depth: int) -> dict[str, object]:
    part: dict[str, object] = {"partId": "1"}
    for _ in range(depth):
        part = {"type": "multipart/mixed", "subParts": [part]}
    return part


async def test_snippets_mark_what_was_found(jmap: Jmap) -> None:
    email = await jmap.imported(plain("A <train> to Rome", text="the train leaves & arrives"), await jmap.inbox())
    answer = await jmap.call("SearchSnippet/get", filter={"text": "train"}, emailIds=[email, "nothing"])
    assert answer["list"] == [
        {
            "emailId": email,
            "subject": "A &lt;<mark>train</mark>&gt; to Rome",
            "preview": "the <mark>train</mark> leaves &amp; arrives",
        }
    ]
    assert answer["notFound"] == ["nothing"]


async def test_what_is_marked_as_deleted_is_not_shown(jmap: Jmap) -> None:
    inbox = await jmap.inbox()
    email = await jmap.imported(plain("gone"), inbox)
    rows = (await jmap.http.get("/v1/accounts/me/folders/inbox/messages")).json()["items"]
    await jmap.http.patch(f"/v1/accounts/me/messages/{rows[0]['id']}/flags", json={"add": ["$deleted"]})
    assert await jmap.query(filter={"inMailbox": inbox}) == []
    assert (await jmap.call("Email/get", ids=[email]))["notFound"] == [email]


async def test_copies_that_were_never_seen_are_removed_too(jmap: Jmap, open_jmap: OpenJmap) -> None:
    """By a replica that has read one mailbox only."""
    inbox, other = await jmap.inbox(), await jmap.create_mailbox("Other")
    email = await jmap.imported(plain("twice"), inbox, other)
    async with open_jmap(jmap.session["username"]) as replica:
        assert await replica.query(filter={"inMailbox": inbox}) == [email]
        assert (await replica.call("Email/set", destroy=[email]))["destroyed"] == [email]
    assert await jmap.query() == []


async def test_a_mailbox_named_for_one_with_copies_takes_all_of_them(jmap: Jmap, open_jmap: OpenJmap) -> None:
    inbox, other = await jmap.inbox(), await jmap.create_mailbox("Other")
    email = await jmap.imported(plain("twice"), inbox, other)
    trash = next(each["id"] for each in (await jmap.mailboxes()).values() if each["role"] == "trash")
    async with open_jmap(jmap.session["username"]) as replica:
        assert await replica.query(filter={"inMailbox": other}) == [email]
        await replica.call("Email/set", update={email: {"mailboxIds": {trash: True}}})
        assert (await replica.email(email, "mailboxIds"))["mailboxIds"] == {trash: True}
    assert await jmap.query(filter={"inMailbox": inbox}) == []
    assert await jmap.query() == [email]
