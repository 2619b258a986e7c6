"""Imports by HTTP: bursts, tokens, events, whose password goes where, and what is never deleted."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.settings.model import Settings
from tests.api.conftest import Connect, mail, settings_for
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.transfer.checker import contents, differences
from tests.transfer.letters import FOLDERS, letters

pytestmark = pytest.mark.dovecot
ME = "/v1/accounts/me"
JSON = dict[str, Any]


def login(user: str, **more: str) -> JSON:
    return {"username": user, "password": PASSWORD, **more}


def seed(dovecot: Dovecot, count: int = 40) -> str:
    """A user with mail in some folders."""
    user = dovecot.user("old")
    for letter in letters(count, FOLDERS[:5]):
        dovecot.seed(user, [letter.mail], letter.folder)
    return user


def octets(dovecot: Dovecot, user: str) -> dict[str, list[str]]:
    """Those of all messages, by folder."""
    return {name: sorted(seen.octets for seen in rows.elements()) for name, rows in contents(dovecot, user).items()}


async def burst(client: httpx.AsyncClient, **body: Any) -> JSON:
    answer = await client.post(f"{ME}/imports", json=body)
    assert answer.status_code == 200, answer.text
    result: JSON = answer.json()
    return result


async def problem(client: httpx.AsyncClient, **body: Any) -> tuple[int, JSON]:
    answer = await client.post(f"{ME}/imports", json=body)
    assert f'"{PASSWORD}"' not in answer.text
    return answer.status_code, answer.json()


async def events(client: httpx.AsyncClient, **body: Any) -> AsyncIterator[tuple[str, JSON]]:
    headers = {"Accept": "text/event-stream"}
    async with client.stream("POST", f"{ME}/imports", json=body, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])


async def test_a_mailbox_is_imported_and_the_second_time_adds_nothing(connect: Connect, dovecot: Dovecot) -> None:
    old, new = seed(dovecot), dovecot.user("new")
    async with connect(new) as client:
        assert "import" in (await client.get(ME)).json()["capabilities"]
        first = await burst(client, **{"from": login(old)})
        again = await burst(client, token=first["token"], seconds=5)
        fresh = await burst(client, **{"from": login(old)})
    assert (first["isDone"], first["copied"], first["skipped"], first["left"], first["failed"]) == (True, 40, 0, 0, [])
    assert {folder["name"] for folder in first["folders"]} >= set(FOLDERS[:5])
    assert sum(folder["copied"] for folder in first["folders"]) == 40
    assert (again["copied"], again["isDone"]) == (40, True)
    assert (fresh["copied"], fresh["skipped"]) == (0, 40)
    assert differences(contents(dovecot, old), contents(dovecot, new)) == []


async def test_events_tell_of_the_progress_and_of_the_end(connect: Connect, dovecot: Dovecot) -> None:
    old, new = seed(dovecot), dovecot.user("new")
    async with connect(new) as client:
        told = [each async for each in events(client, **{"from": login(old)})]
    assert {name for name, _ in told[:-1]} == {"progress"}
    assert all(data["copied"] <= 40 for _, data in told)
    name, done = told[-1]
    assert (name, done["isDone"], done["copied"]) == ("done", True, 40)


async def test_a_session_token_signs_in_and_ends_the_import_when_it_ends(connect: Connect, dovecot: Dovecot) -> None:
    old, new = seed(dovecot), dovecot.user("new")
    async with connect(new) as client:
        session = (await client.post("/v1/sessions", json=login(old))).json()["token"]
        first = await burst(client, **{"from": {"token": session}})
        assert first["copied"] == 40
        ended = await client.delete(
            "/v1/sessions/current", headers={"Authorization": f"Bearer {session}"}, auth=httpx.Auth()
        )
        assert ended.status_code == 204
        status, told = await problem(client, token=first["token"])
        assert (status, told["type"]) == (401, "/problems/unauthenticated")
        assert told["detail"].startswith("The source: ")


async def test_the_token_is_for_one_account_and_for_nothing_else(connect: Connect, dovecot: Dovecot) -> None:
    old, new, thief = seed(dovecot, 3), dovecot.user("new"), dovecot.user("thief")
    settings = settings_for(dovecot)
    async with connect(new, settings=settings) as client:
        token = (await burst(client, **{"from": login(old)}))["token"]
        assert PASSWORD not in token
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get(ME, headers=bearer, auth=httpx.Auth())).status_code == 401
        session = (await client.post("/v1/sessions", json=login(new))).json()["token"]
        assert (await problem(client, token=session))[0] == 410
        assert (await problem(client, token=token[:-2] + "AA"))[0] == 410
    async with connect(thief, settings=settings) as client:
        status, told = await problem(client, token=token)
        assert (status, told["type"]) == (410, "/problems/stale-token")


async def test_a_wrong_password_at_the_source_is_told_as_that_and_counted(connect: Connect, dovecot: Dovecot) -> None:
    settings = settings_for(dovecot, rates={"account_failures": "2/minute"})
    async with connect(dovecot.user("new"), settings=settings) as client:
        wrong = {"username": dovecot.user("old"), "password": "canary-wrong-password"}
        for _ in range(2):
            status, told = await problem(client, **{"from": wrong})
            assert (status, told["type"]) == (401, "/problems/login-refused")
        status, told = await problem(client, **{"from": wrong})
        assert (status, told["type"]) == (429, "/problems/too-many-requests")


async def test_passwords_go_where_sessions_send_them_and_nowhere_else(connect: Connect, dovecot: Dovecot) -> None:
    async with connect(dovecot.user("new")) as client:
        for given, status in (
            ({"server": "imap.elsewhere.example"}, 404),
            ({"server": "untrusted"}, 502),
            ({"server": "dead"}, 503),
            ({"protocol": "gopher"}, 422),
        ):
            got, told = await problem(client, **{"from": login("ann@example.org", **given)})
            assert got == status, told


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": "x", "from": {"username": "a", "password": "b"}},
        {"token": "x", "dryRun": True},
        {"from": {"username": "a"}},
        {"from": {"password": "b"}},
        {"from": {"token": "x", "username": "a"}},
        {"from": {"username": "a", "password": "b", "accessToken": "c"}},
        {"from": {"username": "a", "password": "b"}, "seconds": 0},
        {"from": {"username": "a", "password": "b"}, "seconds": 301},
        {"from": {"username": "a", "password": "b"}, "folders": []},
        {"from": {"username": "a", "password": "b"}, "since": "yesterday"},
    ],
)
async def test_a_request_that_says_too_little_or_too_much_is_422(
    connect: Connect, dovecot: Dovecot, body: JSON
) -> None:
    async with connect(dovecot.user()) as client:
        assert (await problem(client, **body))[0] == 422


async def test_folders_that_do_not_exist_are_404(connect: Connect, dovecot: Dovecot) -> None:
    old = seed(dovecot, 3)
    async with connect(dovecot.user("new")) as client:
        for more in ({"folders": ["inbox", "f_none"]}, {"into": "f_none"}):
            status, told = await problem(client, **{"from": login(old)}, **more)
            assert (status, told["what"]) == (404, "folder")


async def test_a_maildrop_cannot_take_mail(connect: Connect, dovecot: Dovecot) -> None:
    old = seed(dovecot, 3)
    async with connect(dovecot.user("new"), Casella_Protocol="pop3") as client:
        status, told = await problem(client, **{"from": login(old)})
        assert (status, told["capability"]) == (501, "import")


async def test_since_takes_what_came_later_only(connect: Connect, dovecot: Dovecot) -> None:
    old = dovecot.user("old")
    dovecot.seed(old, [each.mail for each in letters(10, ["INBOX"])])
    times = sorted(seen.at for seen in contents(dovecot, old)["INBOX"] if seen.at)
    async with connect(dovecot.user("new")) as client:
        done = await burst(client, **{"from": login(old)}, since=times[-2].isoformat(), dryRun=True)
    assert (done["copied"], done["left"]) == (0, 2)


async def test_the_same_mailbox_by_two_names_loses_nothing(connect: Connect, dovecot: Dovecot) -> None:
    """By POP3, by another name of the server, and by another name of the user: what is the source is the copy."""
    user = seed(dovecot)
    before = octets(dovecot, user)
    async with connect(user) as client:
        for given in ({}, {"protocol": "pop3"}, {"server": "tls"}, {"server": "tls", "protocol": "pop3"}):
            status, told = await problem(client, **{"from": login(user, **given)}, deleteSource=True)
            assert status == 422, (given, told)
            assert "the same mailbox" in told["detail"]
        into = {"into": "junk", "deleteSource": True}
        assert (await problem(client, **{"from": login(user, server="tls")}, **into))[0] == 422
    assert octets(dovecot, user) == before  # not the flags: to read by POP3 sets one


async def test_a_move_by_pop3_leaves_an_empty_maildrop_and_all_mail_in_the_new_one(
    connect: Connect, dovecot: Dovecot
) -> None:
    old, new = dovecot.user("old"), dovecot.user("new")
    dovecot.seed(old, [each.mail for each in letters(30, ["INBOX"])])
    before = contents(dovecot, old)["INBOX"]
    async with connect(new) as client:
        source = {"from": login(old, protocol="pop3")}
        kept = await burst(client, **source)
        assert (kept["copied"], contents(dovecot, old)["INBOX"]) == (30, before)
        moved = await burst(client, **source, deleteSource=True)
    assert (moved["copied"], moved["skipped"], moved["deleted"], moved["failed"]) == (0, 30, 30, [])
    assert not contents(dovecot, old)["INBOX"]
    came = contents(dovecot, new)["INBOX"]
    assert sorted(seen.octets for seen in came.elements()) == sorted(seen.octets for seen in before.elements())


async def test_a_new_pop3_server_or_new_unique_ids_do_not_make_all_mail_new(connect: Connect, dovecot: Dovecot) -> None:
    """The mail of the old server lies on another one now: other UIDLs, the same mail."""
    old, moved, new = dovecot.user("old"), dovecot.user("moved"), dovecot.user("new")
    mails = [each.mail for each in letters(30, ["INBOX"])]
    dovecot.seed(old, mails)
    dovecot.seed(moved, list(reversed(mails)))
    async with connect(new) as client:
        assert (await burst(client, **{"from": login(old, protocol="pop3")}))["copied"] == 30
        assert (await burst(client, **{"from": login(moved, protocol="pop3")}))["copied"] == 0


async def test_a_full_mailbox_is_507_with_a_token_and_goes_on_when_there_is_room(connect: Connect) -> None:
    with Dovecot(settings="plugin {\n  quota_rule = *:storage=300K\n}\n") as small:
        old, new = small.user("old"), small.user("new")
        small.seed(old, [(mail(f"number {n}", (b"x" * 70 + b"\r\n") * 40), (), None) for n in range(100)])
        small.append(new, mail("ballast", (b"y" * 998 + b"\r\n") * 220))
        settings: Settings = settings_for(small)
        async with connect(new, settings=settings) as client:
            status, told = await problem(client, **{"from": login(old)})
            assert (status, told["type"], told["retryable"]) == (507, "/problems/over-quota", False)
            [ballast] = (await client.get(f"{ME}/folders/inbox/messages", params={"subject": "ballast"})).json()[
                "items"
            ]
            await client.delete(f"{ME}/messages/{ballast['id']}")
            done = await burst(client, token=told["token"])
            assert (done["isDone"], done["copied"], done["skipped"]) == (True, 100, 0)
            names, told_events = ["error", "done"], [each async for each in events(client, token=done["token"])]
            assert told_events[-1][0] in names
        assert contents(small, new)["INBOX"].total() == 100


async def test_messages_are_copied_and_moved_to_another_mailbox(connect: Connect, dovecot: Dovecot) -> None:
    here, there = dovecot.user("here"), dovecot.user("there")
    dovecot.seed(here, [each.mail for each in letters(8, ["INBOX"])])
    before = contents(dovecot, here)["INBOX"]
    async with connect(here) as client:
        ids = [row["id"] for row in (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]]
        into = {**login(there), "folderId": "archive"}
        unknown = ids[0][:-4] + "AAAA"
        copied = await client.post(
            f"{ME}/messages/bulk", json={"ids": [*ids[:4], unknown], "action": "copy", "into": into}
        )
        assert [each["status"] for each in copied.json()["results"]] == [200] * 4 + [404]
        assert contents(dovecot, here)["INBOX"] == before
        moved = await client.post(f"{ME}/messages/bulk", json={"ids": ids[4:], "action": "move", "into": into})
        assert [each["status"] for each in moved.json()["results"]] == [200] * 4
        new_id = moved.json()["results"][0]["newId"]
    assert contents(dovecot, here)["INBOX"].total() == 4
    assert contents(dovecot, there)["Archive"] == before
    async with connect(there) as client:
        assert (await client.get(f"{ME}/messages/{new_id}")).status_code == 200


async def test_a_repeated_copy_into_another_mailbox_is_done_once(connect: Connect, dovecot: Dovecot) -> None:
    """By another replica too, which does not know the key."""
    here, there = dovecot.user("here"), dovecot.user("there")
    dovecot.seed(here, [each.mail for each in letters(5, ["INBOX"])])
    for _ in range(2):
        async with connect(here) as client:
            ids = [row["id"] for row in (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]]
            body = {"ids": ids, "action": "copy", "into": {**login(there), "folderId": "inbox"}}
            for _ in range(2):
                answer = await client.post(f"{ME}/messages/bulk", json=body, headers={"Idempotency-Key": "once"})
                assert [each["status"] for each in answer.json()["results"]] == [200] * 5
    assert contents(dovecot, there)["INBOX"].total() == 5


async def test_a_bulk_request_into_another_mailbox_is_checked(connect: Connect, dovecot: Dovecot) -> None:
    here, there = dovecot.user("here"), dovecot.user("there")
    dovecot.seed(here, [each.mail for each in letters(2, ["INBOX"])])
    async with connect(here) as client:
        [row, _] = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        for body, status in (
            ({"action": "delete", "into": {**login(there), "folderId": "inbox"}}, 422),
            ({"action": "copy", "folderId": "inbox", "into": {**login(there), "folderId": "inbox"}}, 422),
            ({"action": "copy", "into": login(there)}, 422),
            ({"action": "copy", "into": {**login(here), "folderId": "inbox"}}, 422),
            ({"action": "copy", "into": {**login(there), "folderId": "f_none"}}, 404),
            ({"action": "copy", "into": {**login(there), "protocol": "pop3", "folderId": "inbox"}}, 501),
            ({"action": "move", "into": {**login(here), "server": "tls", "folderId": "inbox"}}, 422),
        ):
            answer = await client.post(f"{ME}/messages/bulk", json={"ids": [row["id"]], **body})
            got = answer.status_code
            if got == 200:
                got = answer.json()["results"][0]["status"]
            assert got == status, (body, answer.text)
    assert contents(dovecot, here)["INBOX"].total() == 2
