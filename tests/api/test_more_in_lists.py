"""What lists take beyond a page: more columns, conversations, actions by filter, and rows of what is new."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect, mail
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"
INBOX = f"{ME}/folders/inbox/messages"


async def get(client: httpx.AsyncClient, path: str, status: int = 200, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def bulk(client: httpx.AsyncClient, status: int = 200, **body: Any) -> Any:
    answer = await client.post(f"{ME}/messages/bulk", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def thread(dovecot: Dovecot) -> str:
    """A user with a question in the inbox, an answer in Sent, and another letter."""
    user = dovecot.user()
    question = mail("question", b"Where?\r\n", Message_ID="<1@example.org>").replace(b"Message_ID", b"Message-ID")
    answer = mail("Re: question", b"Here.\r\n", References="<1@example.org>")
    noon = datetime(2026, 9, 1, 12, tzinfo=UTC)
    dovecot.seed(user, [(question, (), noon), (mail("other"), (), None)])
    dovecot.seed(user, [(answer, ("$seen",), noon + timedelta(hours=1))], "Sent")
    return user


async def test_previews_and_threads_come_beside_the_usual_fields(connect: Connect, dovecot: Dovecot) -> None:
    async with connect(thread(dovecot)) as client:
        plain = (await get(client, INBOX))["items"]
        more = (await get(client, INBOX, include="preview,threadId"))["items"]
        assert more[1]["preview"] == "Where?"
        assert [{key: row[key] for key in row if key not in {"preview", "threadId"}} for row in more] == plain
        both: dict[str, Any] = {"include": "preview", "fields": "subject"}
        expected = [{key: row[key] for key in ("id", "folderId", "subject", "preview")} for row in more]
        assert (await get(client, INBOX, **both))["items"] == expected
        ids = [row["id"] for row in more]
        assert (await get(client, f"{ME}/messages", id=ids, **both))["items"] == expected
        assert (await get(client, f"{ME}/messages", id=ids, include="threadId,preview"))["items"] == more
        found = await client.post(f"{ME}/search", json={"filter": {"subject": "question"}, "include": "preview"})
        assert {row["preview"] for row in found.json()["items"]} == {"Where?", "Here."}
        for path in (INBOX, f"{ME}/messages?id=x"):
            refused = await client.get(path, params={"include": "subject"} | ({"id": "x"} if "?" in path else {}))
            assert refused.status_code == 422, refused.text


async def test_a_conversation_has_what_was_received_and_sent(connect: Connect, dovecot: Dovecot) -> None:
    async with connect(thread(dovecot)) as client:
        rows = (await get(client, INBOX, include="threadId"))["items"]
        page = await get(client, f"{ME}/threads/{rows[1]['threadId']}")
        assert [row["subject"] for row in page["items"]] == ["question", "Re: question"]
        assert len({row["folderId"] for row in page["items"]}) == 2
        assert page.keys() == {"items"}
        shown = await get(client, f"{ME}/threads/{rows[1]['threadId']}", fields="subject", include="preview")
        assert [(row["subject"], row["preview"]) for row in shown["items"]] == [
            ("question", "Where?"),
            ("Re: question", "Here."),
        ]
        missing = await get(client, f"{ME}/threads/t_bm9uZQ", 404)
        assert missing["what"] == "thread"


async def test_all_mail_is_marked_as_read_in_one_request(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(mail(f"s{number}"), ("$seen",) if number % 3 else (), None) for number in range(3300)])
    async with connect(user) as client:
        unread: dict[str, Any] = {"filter": {"unread": True}, "folderId": "inbox", "action": "flags", "add": ["$seen"]}
        done = await bulk(client, **unread)
        assert {result["status"] for result in done["results"]} == {200}
        assert len(done["results"]) == 1100
        assert done.keys() == {"results"}
        assert (await get(client, INBOX, unread="true"))["total"] == 0
        assert (await get(client, f"{ME}/folders/inbox"))["unreadMessages"] == 0
        assert (await bulk(client, **unread))["results"] == []


async def test_what_matches_is_moved_copied_and_deleted(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(mail(subject), (), None) for subject in ("a1", "a2", "b1", "b2", "c1")])
    async with connect(user) as client:
        a, b = ({"subject": letter} for letter in "ab")
        moved = await bulk(client, filter=a, folderId="inbox", action="move", toFolderId="archive")
        new = [result["newId"] for result in moved["results"]]
        rows = (await get(client, f"{ME}/folders/archive/messages"))["items"]
        assert {row["id"] for row in rows} == set(new)
        assert {row["subject"] for row in rows} == {"a1", "a2"}
        await bulk(client, filter=b, folderId="inbox", action="copy", toFolderId="trash")
        assert (await get(client, f"{ME}/folders/trash/messages"))["total"] == 2
        either = {"operator": "OR", "conditions": [b, {"subject": "nothing"}]}
        deleted = await bulk(client, filter=either, folderId="inbox", action="delete")
        assert len(deleted["results"]) == 2
        assert [row["subject"] for row in (await get(client, INBOX))["items"]] == ["c1"]
        assert (await get(client, f"{ME}/folders/trash/messages"))["total"] == 2
        await bulk(client, filter={}, folderId="trash", action="delete")
        assert (await get(client, f"{ME}/folders/trash/messages"))["total"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "flags", "add": ["$seen"]}, 422),
        ({"action": "flags", "add": ["$seen"], "filter": {}}, 422),
        ({"action": "flags", "add": ["$seen"], "filter": {}, "ids": ["x"], "folderId": "inbox"}, 422),
        ({"action": "move", "filter": {}, "folderId": "inbox"}, 422),
        ({"action": "move", "ids": ["x"]}, 422),
        ({"action": "move", "ids": ["x"], "folderId": "trash", "toFolderId": "trash"}, 422),
        ({"action": "flags", "filter": {"conditions": [{}]}, "folderId": "inbox"}, 422),
        ({"action": "flags", "filter": {}, "folderId": "f_none"}, 404),
    ],
)
async def test_an_action_names_its_messages_in_one_way(
    connect: Connect, dovecot: Dovecot, body: dict[str, Any], status: int
) -> None:
    async with connect(dovecot.user()) as client:
        assert (await bulk(client, status, **body))["status"] == status


async def test_a_filter_needs_search(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(mail("x"), (), None)])
    async with connect(user, Casella_Protocol="pop3") as client:
        refused = await bulk(client, 501, filter={}, folderId="inbox", action="delete")
        assert refused["capability"] == "search"


async def test_changes_have_rows_of_what_is_new(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [(mail("before"), (), None)])
    changes = f"{ME}/folders/inbox/changes"
    async with connect(user) as client:
        token = (await get(client, changes, fields="subject"))["token"]
        whole = (await get(client, f"{ME}/changes"))["token"]
        assert (await get(client, changes, since=token, fields="subject"))["created"] == []
        for number in range(3):
            await asyncio.to_thread(dovecot.append, user, mail(f"new {number}"))
        ids = (await get(client, changes, since=token))["created"]
        page = await get(client, changes, since=token, fields="subject,preview")
        assert [(row["id"], row["subject"], row["preview"]) for row in page["created"]] == [
            (message, f"new {number}", "text") for number, message in enumerate(ids)
        ]
        assert page["created"][0].keys() == {"id", "folderId", "subject", "preview"}
        assert page["updated"] == page["destroyed"] == []
        [folder] = (await get(client, f"{ME}/changes", since=whole, fields="subject"))["folders"]
        assert [row["subject"] for row in folder["created"]] == ["new 0", "new 1", "new 2"]
        assert (await get(client, f"{ME}/changes", since=page["token"], status=410))["type"] == "/problems/stale-token"
        await client.delete(f"{ME}/messages/{ids[1]}")
        left = await get(client, changes, since=token, fields="subject")
        assert [row["subject"] for row in left["created"]] == ["new 0", "new 2"]
        await get(client, changes, since=token, fields="nothing", status=422)
        waited = await get(client, changes, since=token, fields="subject", wait=1)
        assert len(waited["created"]) == 2
