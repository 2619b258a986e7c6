"""Folders, sharing and quota through HTTP, seen by a second client (Python's imaplib)."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from imapclient import imap_utf7

from tests.api.conftest import Connect, mail
from tests.servers.dovecot import PASSWORD, Dovecot, signed_in

ME = "/v1/accounts/me"


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.user()


@pytest.fixture
async def client(connect: Connect, user: str) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(user) as http:
        yield http


def names(server: Dovecot, user: str, verb: str = "list") -> set[str]:
    """Folder names as the other client has them."""
    with signed_in(server.ports.imap, user, PASSWORD) as other:
        _, rows = getattr(other, verb)()
        found = [re.search(rb' "/" "?(.*?)"?$', row) for row in rows if isinstance(row, bytes)]
        return {imap_utf7.decode(match[1].replace(b'\\"', b'"')) for match in found if match}


async def make(client: httpx.AsyncClient, name: str, parent: str | None = None) -> str:
    answer = await client.post(f"{ME}/folders", json={"name": name, **({"parentId": parent} if parent else {})})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{ME}/folders/{answer.json()['id']}"
    return str(answer.json()["id"])


async def test_folders_are_seen_as_intended(client: httpx.AsyncClient, dovecot: Dovecot, user: str) -> None:
    work = await make(client, "Ärger & 会議")
    inner = await make(client, "Inner", work)
    assert {"Ärger & 会議", "Ärger & 会議/Inner"} <= names(dovecot, user) & names(dovecot, user, "lsub")
    moved = await client.patch(f"{ME}/folders/{inner}", json={"name": "Innen", "parentId": ""})
    assert (moved.status_code, moved.json()["path"]) == (200, ["Innen"])
    assert "parentId" not in moved.json()
    assert "Innen" in names(dovecot, user) & names(dovecot, user, "lsub")
    assert not {"Inner", "Ärger & 会議/Inner"} & (names(dovecot, user) | names(dovecot, user, "lsub"))
    await client.patch(f"{ME}/folders/{moved.json()['id']}", json={"isSubscribed": False})
    assert "Innen" not in names(dovecot, user, "lsub")
    assert (await client.delete(f"{ME}/folders/{work}")).status_code == 204
    assert "Ärger & 会議" not in names(dovecot, user) | names(dovecot, user, "lsub")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "problem"),
    [
        ("POST", "", {"name": "Trash"}, 409, "already-exists"),
        ("POST", "", {"name": "inbox"}, 409, "already-exists"),
        ("POST", "", {"name": "a/b"}, 422, "invalid-request"),
        ("POST", "", {"name": "a\r\nb"}, 422, "invalid-request"),
        ("POST", "", {"name": "\udc80"}, 422, "invalid-request"),
        ("POST", "", {"name": ""}, 422, "invalid-request"),
        ("POST", "", {"name": "x", "parentId": "f_x"}, 404, "not-found"),
        ("PATCH", "/inbox", {"name": "x"}, 403, "not-permitted"),
        ("DELETE", "/inbox", None, 403, "not-permitted"),
        ("DELETE", "/f_x", None, 404, "not-found"),
        ("PATCH", "/trash", {"parentId": "trash"}, 422, "invalid-request"),
        ("PATCH", "/trash", {"name": "Sent"}, 409, "already-exists"),
        ("PUT", "/inbox/acl/bob", {"rights": "lr\r\n"}, 422, "invalid-request"),
        ("GET", "/flagged/acl", None, 404, "not-found"),
    ],
)
async def test_what_cannot_be_is_refused_clearly(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, str] | None, status: int, problem: str
) -> None:
    """R-HTTP-01 for folder names."""
    content = None if body is None else __import__("json").dumps(body).encode()
    answer = await client.request(
        method, f"{ME}/folders{path}", content=content, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}"), answer.text


async def test_a_shared_folder_is_another_s_with_rights(connect: Connect, dovecot: Dovecot) -> None:
    """ACL set here is seen there, by the other user and by the other client (RFC 4314)."""
    owner, guest = dovecot.user(), dovecot.user()
    dovecot.append(owner, mail("shared"))
    async with connect(owner) as mine, connect(guest) as theirs:
        account = (await mine.get(ME)).json()
        assert {"acl", "quota", "folders", "move", "append", "search", "sort"} <= set(account["capabilities"])
        team = await make(mine, "Team")
        row = (await mine.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        await mine.post(f"{ME}/messages/{row['id']}/copy", json={"folderId": team})
        given = await mine.put(f"{ME}/folders/{team}/acl/{guest}", json={"rights": "lrs"})
        assert given.json() == {"identifier": guest, "rights": "lrs"}
        with signed_in(dovecot.ports.imap, owner, PASSWORD) as other:
            _, [acl] = other.getacl("Team")
            assert guest.encode() in acl
        grants = {
            one["identifier"]: one["rights"] for one in (await mine.get(f"{ME}/folders/{team}/acl")).json()["items"]
        }
        assert grants[guest] == "lrs"
        found = [one for one in (await theirs.get(f"{ME}/folders")).json()["items"] if one["name"] == "Team"]
        [shared] = found
        assert (shared["namespace"], set(shared["rights"])) == ("other", set("lrs"))
        page = (await theirs.get(f"{ME}/folders/{shared['id']}/messages")).json()
        assert [one["subject"] for one in page["items"]] == ["shared"]
        refused = await theirs.delete(f"{ME}/messages/{page['items'][0]['id']}")
        assert refused.status_code in {403, 501}
        assert (await mine.delete(f"{ME}/folders/{team}/acl/{guest}")).status_code == 204
    async with connect(guest) as theirs:  # a folder that is selected stays open
        after = await theirs.get(f"{ME}/folders/{shared['id']}/messages")
        assert after.status_code in {403, 404}


async def test_what_a_guest_may_not_remove_is_not_left_marked(connect: Connect, dovecot: Dovecot) -> None:
    """R-CONC-03: with the right to mark but not to expunge (RFC 4314), the owner's next EXPUNGE would remove it."""
    owner, guest = dovecot.user(), dovecot.user()
    dovecot.append(owner, mail("shared"))
    async with connect(owner) as mine, connect(guest) as theirs:
        team = await make(mine, "Team")
        row = (await mine.get(f"{ME}/folders/inbox/messages")).json()["items"][0]
        copied = await mine.post(f"{ME}/messages/{row['id']}/copy", json={"folderId": team})
        await mine.put(f"{ME}/folders/{team}/acl/{guest}", json={"rights": "lrswt"})
        [shared] = [one for one in (await theirs.get(f"{ME}/folders")).json()["items"] if one["name"] == "Team"]
        [item] = (await theirs.get(f"{ME}/folders/{shared['id']}/messages")).json()["items"]
        refused = await theirs.delete(f"{ME}/messages/{item['id']}")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-permitted")
        flags = (await mine.get(f"{ME}/messages/{copied.json()['id']}/flags")).json()["flags"]
        assert "$deleted" not in flags


async def test_quota_is_what_the_server_says(client: httpx.AsyncClient, dovecot: Dovecot, user: str) -> None:
    """RFC 9208; storage in octets."""
    dovecot.append(user, mail("x", b"y" * 100_000 + b"\r\n"))
    [quota] = [one for one in (await client.get(f"{ME}/quota")).json()["items"] if one["resource"] == "storage"]
    with signed_in(dovecot.ports.imap, user, PASSWORD) as other:
        _, [_, [told]] = other.getquotaroot("INBOX")
    used, limit = map(int, re.findall(rb"STORAGE (\d+) (\d+)", told)[0])
    assert (quota["used"], quota["limit"]) == (used * 1024, limit * 1024)
    assert quota["limit"] == 1 << 30
    assert (await client.get(ME)).json()["quota"] == {"used": quota["used"], "limit": quota["limit"]}


async def test_a_full_mailbox_says_so() -> None:
    """R-IMAP-19: OVERQUOTA is 507."""
    from service.app import create_app
    from tests.api.conftest import settings_for

    with Dovecot(settings="plugin {\n  quota_rule = *:storage=100K\n}\n") as server:
        app = create_app(settings_for(server))
        auth = httpx.BasicAuth(server.user(), PASSWORD)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://casella.example.org", auth=auth
            ) as http,
        ):
            octets = mail("x", b"y" * 70_000 + b"\r\n")
            for status in (201, 507):
                answer = await http.post(
                    f"{ME}/folders/inbox/messages", content=octets, headers={"Content-Type": "message/rfc822"}
                )
                assert answer.status_code == status
            assert answer.json()["type"] == "/problems/over-quota"
