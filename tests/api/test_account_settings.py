"""Settings by HTTP, and what identities do when mail is written."""

from typing import Any

import httpx
import pytest

from service.mail.settings import MAX_SETTINGS
from tests.api.conftest import Connect
from tests.servers.dovecot import Dovecot

ME = "/v1/accounts/me"
WORK = {
    "id": "work",
    "name": "Ann Example",
    "email": "ann@work.example.org",
    "replyTo": [{"email": "office@work.example.org"}],
    "signature": {"text": "Ann", "html": "<p>Ann</p>"},
    "color": "red",
}
HOME = {"email": "Ann@home.example.org"}


async def put(client: httpx.AsyncClient, settings: Any, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.put(f"{ME}/settings", json={"settings": settings}, headers=named)
    assert answer.status_code == status, answer.text
    return answer


async def test_settings_have_an_etag_that_says_what_they_replace(connect: Connect, dovecot: Dovecot) -> None:
    async with connect(dovecot.user()) as client:
        assert "settings" in (await client.get(ME)).json()["capabilities"]
        empty = await client.get(f"{ME}/settings")
        assert empty.json() == {"settings": {}}
        await put(client, {"a": 1}, 422)  # neither condition
        first = await put(client, {"a": 1, "ü": [None, True, 1.5, {}]}, If_Match=empty.headers["ETag"])
        assert first.json() == {"settings": {"a": 1, "ü": [None, True, 1.5, {}]}}
        read = await client.get(f"{ME}/settings")
        assert (read.json(), read.headers["ETag"]) == (first.json(), first.headers["ETag"])
        assert (await client.get(f"{ME}/settings", headers={"If-None-Match": read.headers["ETag"]})).status_code == 304
        for condition in ({"If_None_Match": "*"}, {"If_Match": empty.headers["ETag"]}, {"If_Match": 'W/"x"'}, {"If_Match": '"x"'}):  # fmt: skip
            refused = await put(client, {"a": 2}, 412, **condition)
            assert refused.json()["type"] == "/problems/changed"
        await put(client, {"a": 3}, If_Match=first.headers["ETag"])
        await put(client, {"a": 4}, If_Match="*")
        assert (await client.get(f"{ME}/settings")).json() == {"settings": {"a": 4}}


async def test_settings_that_are_none_are_refused(connect: Connect, dovecot: Dovecot) -> None:
    deep = '{"settings":' + '{"a":' * 5000 + "1" + "}" * 5001
    async with connect(dovecot.user()) as client:
        await put(client, {"large": "x" * MAX_SETTINGS}, 413, If_None_Match="*")
        values: tuple[Any, ...] = ([], "text", None, 1)
        for value in values:
            await put(client, value, 422, If_None_Match="*")
        nested = '{"settings":' + '{"a":' * 300 + "1" + "}" * 301
        for body in (
            deep,
            nested,
            '{"settings":{"a":1e400}}',
            '{"settings":{"a":NaN}}',
            '{"settings":{"a":"\\ud800"}}',
            '{"settings":{"a":',
            "x",
        ):
            answer = await client.put(
                f"{ME}/settings", content=body, headers={"If-None-Match": "*", "Content-Type": "application/json"}
            )
            assert answer.status_code in {400, 422}, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        wrong: tuple[Any, ...] = (
            {},
            [1],
            [{}],
            [{"email": "no address"}],
            [{"email": "a@b\r\nBcc: c@d"}],
            [{"email": "a@b", "name": "Ann\r\nBcc: c@d"}],
            [{"email": "a@b", "replyTo": [{"email": "c@d\n"}]}],
            [HOME] * 101,
        )
        for identities in (*wrong, [{"email": "a@b", "name": 1}]):
            refused = await put(client, {"identities": identities}, 422, If_None_Match="*")
            assert "identities" in refused.json()["detail"]
        assert (await client.get(f"{ME}/settings")).json() == {"settings": {}}


async def test_a_maildrop_has_no_settings(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.seed(user, [])
    async with connect(user, Casella_Protocol="pop3") as client:
        for answer in (await client.get(f"{ME}/settings"), await put(client, {}, 501, If_None_Match="*")):
            assert answer.status_code == 501
            assert answer.json()["capability"] == "settings"
        assert (await client.get(f"{ME}/identities")).json()["items"] == [{"id": "login", "email": user}]


async def test_identities_come_from_the_settings(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with connect(user) as client:
        assert (await client.get(f"{ME}/identities")).json()["items"] == [{"id": "login", "email": user}]
        await put(client, {"identities": [WORK, HOME, HOME]}, If_None_Match="*")
        first, second, third = (await client.get(f"{ME}/identities")).json()["items"]
        assert first == {name: value for name, value in WORK.items() if name != "color"}
        assert second["email"] == third["email"] == HOME["email"]
        assert second["id"] != third["id"]
        assert (await client.get(f"{ME}/settings")).json()["settings"]["identities"] == [WORK, HOME, HOME]


DRAFT: dict[str, Any] = {"to": [{"email": "ben@example.org"}], "subject": "x", "text": "x"}


@pytest.mark.parametrize(
    ("given", "sender", "reply_to"),
    [
        ({}, {"name": "Ann Example", "email": "ann@work.example.org"}, ["office@work.example.org"]),
        ({"replyTo": []}, {"name": "Ann Example", "email": "ann@work.example.org"}, []),
        ({"from": {"email": "ann@home.example.org"}}, {"email": "ann@home.example.org"}, []),
        ({"from": {"name": "A", "email": "x@example.org"}}, {"name": "A", "email": "x@example.org"}, []),
        (
            {"from": {"email": "ANN@work.example.org"}},
            {"name": "Ann Example", "email": "ANN@work.example.org"},
            ["office@work.example.org"],
        ),
    ],
)
async def test_a_draft_is_from_an_identity(
    connect: Connect, dovecot: Dovecot, given: dict[str, Any], sender: dict[str, str], reply_to: list[str]
) -> None:
    async with connect(dovecot.user()) as client:
        await put(client, {"identities": [WORK, HOME]}, If_None_Match="*")
        created = await client.post(f"{ME}/drafts", json=DRAFT | given)
        assert created.status_code == 201, created.text
        message = (await client.get(f"{ME}/messages/{created.json()['id']}")).json()
        assert message["from"] == [sender]
        assert [address["email"] for address in message["replyTo"]] == reply_to


async def test_a_reply_is_from_the_identity_that_was_written_to(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(
        user,
        b"From: ben@example.org\r\nTo: cat@example.org, ann@HOME.example.org\r\nCc: ann@work.example.org\r\n"
        b"Subject: x\r\nMessage-ID: <1@example.org>\r\n\r\nx\r\n",
    )
    async with connect(user) as client:
        await put(client, {"identities": [HOME, WORK]}, If_None_Match="*")
        row = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        created = await client.post(f"{ME}/messages/{row['id']}/reply", json={"all": True, "text": "yes"})
        assert created.status_code == 201, created.text
        message = (await client.get(f"{ME}/messages/{created.json()['id']}")).json()
        assert message["from"] == [{"email": "Ann@home.example.org"}]
        assert [address["email"] for address in message["to"]] == ["ben@example.org", "cat@example.org"]
        assert message["cc"] == []


async def test_settings_that_another_program_damaged_can_be_replaced(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    async with connect(user) as client:
        await put(client, {"a": 1}, If_None_Match="*")
        with dovecot.connect(user) as other:
            other.select("Casella-Settings")
            [found] = other.uid("fetch", "1:*", "(BODY.PEEK[HEADER])")[1][0][1:]
            other.append("Casella-Settings", "", "", found.replace(b"Settings: 1", b"Settings: 2") + b"WzFd\r\n")
        refused = await client.get(f"{ME}/settings")
        assert (refused.status_code, refused.json()["type"]) == (502, "/problems/upstream-error")
        assert (await client.get(f"{ME}/folders/inbox/messages")).status_code == 200
        created = await client.post(f"{ME}/drafts", json=DRAFT)
        assert created.status_code == 201
        await put(client, {"a": 2}, If_Match="*")
        assert (await client.get(f"{ME}/settings")).json() == {"settings": {"a": 2}}


async def test_settings_are_of_one_account(connect: Connect, dovecot: Dovecot) -> None:
    """Another one neither sees nor replaces them, even with their ETag."""
    async with connect(dovecot.user()) as client, connect(dovecot.user()) as other:
        stored = await put(client, {"a": 1}, If_None_Match="*")
        assert (await other.get(f"{ME}/settings")).json() == {"settings": {}}
        await put(other, {"a": 2}, 412, If_Match=stored.headers["ETag"])
        mine = (await client.get(ME)).json()["id"]
        assert (await other.get(f"/v1/accounts/{mine}/settings")).status_code == 404
        await put(other, {"a": 2}, If_None_Match="*")
        assert (await client.get(f"{ME}/settings")).json() == {"settings": {"a": 1}}
