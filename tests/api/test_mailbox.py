"""A mailbox of 10,000 messages over HTTP, by IMAP and by POP3, on a real Dovecot, with a second client looking on."""

import json
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

import pytest
from pydantic import ValidationError

from service.accounts.servers import Security
from service.settings.model import Pop3Settings, Settings
from tests.adapters.pop3.server import SECRET, USER, Act, Pop3Server, letter, letters
from tests.api.conftest import ATTACHED, PARTS, Connect, mail
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

ME = "/v1/accounts/me"
PROTOCOLS = pytest.mark.parametrize("protocol", ["imap", "pop3"])
STORED = sha256(PARTS).hexdigest()


@PROTOCOLS
async def test_a_list_is_walked_to_its_end(connect: Connect, large_inbox: str, protocol: str) -> None:
    """Newest first, no repeat, no gap."""
    async with connect(large_inbox, Casella_Protocol=protocol) as client:
        seen: list[str] = []
        query = {"limit": "200"}
        while True:
            page = (await client.get(f"{ME}/folders/inbox/messages", params=query)).json()
            assert page["total"] == 10_000
            seen += [item["id"] for item in page["items"]]
            if "nextCursor" not in page:
                break
            query["cursor"] = page["nextCursor"]
        assert len(seen) == len(set(seen)) == 10_000


@PROTOCOLS
async def test_a_message_is_read_whole_and_in_parts(connect: Connect, large_inbox: str, protocol: str) -> None:
    """List, message, headers, part, range of a part, source byte for byte."""
    async with connect(large_inbox, Casella_Protocol=protocol) as client:
        [newest] = (await client.get(f"{ME}/folders/inbox/messages?limit=1")).json()["items"]
        assert newest["subject"] == "with parts"
        at = f"{ME}/messages/{newest['id']}"
        message = (await client.get(at)).json()
        assert message["body"]["text"].strip() == "See file."
        [attachment] = message["attachments"]
        assert (attachment["type"], attachment["name"]) == ("application/pdf", "Über.pdf")
        headers = (await client.get(f"{at}/headers", params={"name": ["subject", "from"]})).json()["items"]
        assert [(one["name"], one["value"]) for one in headers] == [
            ("From", "Ann <ann@example.org>"),
            ("Subject", "with parts"),
        ]

        part = f"{at}/parts/{attachment['id']}"
        whole = await client.get(part)
        assert whole.content == ATTACHED
        assert (
            whole.headers["content-disposition"] == "attachment; filename=\"_ber.pdf\"; filename*=UTF-8''%C3%9Cber.pdf"
        )
        for asked, start, stop in (
            ("10-19", 10, 20),
            ("65990-", 65990, 66000),
            ("-7", 65993, 66000),
            ("0-99999999", 0, 66000),
        ):
            piece = await client.get(part, headers={"Range": f"bytes={asked}"})
            assert (piece.status_code, piece.content) == (206, ATTACHED[start:stop])
            assert piece.headers["content-range"] == f"bytes {start}-{stop - 1}/66000"
        beyond = await client.get(part, headers={"Range": "bytes=66000-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */66000")
        encoded = await client.get(part, params={"encoded": "true"})
        assert encoded.content.replace(b"\r\n", b"")[:8] == b"MDEyMzQ1"

        source = await client.get(f"{at}/source")
        assert sha256(source.content).hexdigest() == STORED
        again = await client.get(f"{at}/source", headers={"If-None-Match": source.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await client.head(f"{at}/source")
        assert (head.content, head.headers["content-length"]) == (b"", str(len(PARTS)))


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_conditions_come_before_the_range(connect: Connect, large_inbox: str, protocol: str) -> None:
    """R-HTTP-09: in the order of RFC 9110, 13.2.2, also if the range is beyond the end. HEAD has no ranges (14.2)."""
    async with connect(large_inbox, Casella_Protocol=protocol) as client:
        [newest] = (await client.get(f"{ME}/folders/inbox/messages?limit=1")).json()["items"]
        source = f"{ME}/messages/{newest['id']}/source"
        etag = (await client.head(source)).headers["etag"]
        for span, fields, status in (
            ("bytes=0-3", {"If-None-Match": etag}, 304), ("bytes=99999999-", {"If-None-Match": etag}, 304),
            ("bytes=0-3", {"If-Range": '"other"'}, 200), ("bytes=99999999-", {"If-Range": '"other"'}, 200),
            ("bytes=0-3", {"If-Range": etag}, 206), ("bytes=99999999-", {"If-Range": etag}, 416),
            ("bytes=0-3", {"If-Range": f"W/{etag}"}, 200), ("bytes=99999999-", {"If-None-Match": '"other"'}, 416),
            ("bytes=0-3", {"If-None-Match": '"other"', "If-Range": etag}, 206), ("Bytes=0-3", {}, 206),
            ("bytes=99999999-", {"If-None-Match": '"other"', "If-Range": '"other"'}, 200),
        ):  # fmt: skip
            answer = await client.get(source, headers={"Range": span, **fields})
            assert answer.status_code == status, (span, fields)
            if status < 300:
                assert answer.content == (PARTS if status == 200 else PARTS[:4])
        for span in ("bytes=0-3", "bytes=99999999-"):
            head = await client.head(source, headers={"Range": span})
            assert (head.status_code, head.headers["content-length"]) == (200, str(len(PARTS)))
            assert "content-range" not in head.headers


async def test_a_flag_is_set_and_seen_by_another_client(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    uid = dovecot.append(user, mail())
    async with connect(user) as client:
        [item] = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        flags = f"{ME}/messages/{item['id']}/flags"
        changed = await client.patch(flags, json={"add": ["$flagged", "$seen", "Work"]})
        assert sorted(changed.json()["flags"]) == ["$flagged", "$seen", "work"]
        with dovecot.connect(user) as other:
            other.select("INBOX")
            told = b"".join(
                part for part in other.uid("FETCH", str(uid), "(FLAGS)")[1] if isinstance(part, bytes)
            ).lower()
            assert all(flag in told for flag in (b"\\flagged", b"\\seen", b"work"))
            other.uid("STORE", str(uid), "-FLAGS", "(\\Flagged)")
        assert sorted((await client.get(flags)).json()["flags"]) == ["$seen", "work"]
        assert (await client.put(flags, json={"flags": ["$answered"]})).json()["flags"] == ["$answered"]


async def test_any_unicode_subject_is_found(connect: Connect, large_inbox: str) -> None:
    async with connect(large_inbox) as client:
        for words in ("Übersicht", "会議", "übersicht 会議 9"):
            page = (await client.get(f"{ME}/folders/inbox/messages", params={"subject": words})).json()
            assert page["items"]
            assert all(words.casefold() in item["subject"].casefold() for item in page["items"])
        found = (await client.get(f"{ME}/folders/inbox/messages", params={"subject": "Übersicht", "limit": 60})).json()
        rest = (
            await client.get(
                f"{ME}/folders/inbox/messages",
                params={"subject": "Übersicht", "limit": 60, "cursor": found["nextCursor"]},
            )
        ).json()
        assert found["total"] == rest["total"] == 100
        assert len({item["id"] for item in (*found["items"], *rest["items"])}) == 100
        assert "nextCursor" not in rest


@PROTOCOLS
async def test_exactly_the_message_asked_for_is_deleted(connect: Connect, dovecot: Dovecot, protocol: str) -> None:
    user = dovecot.user()
    for number in range(3):
        dovecot.append(user, mail(f"number {number}"))
    async with connect(user, Casella_Protocol=protocol) as client:
        items = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        assert [item["subject"] for item in items] == ["number 2", "number 1", "number 0"]
        assert (await client.delete(f"{ME}/messages/{items[1]['id']}")).status_code == 204
        gone = await client.get(f"{ME}/messages/{items[1]['id']}")
        assert (gone.status_code, gone.json()["what"]) == (404, "message")
        assert (await client.delete(f"{ME}/messages/{items[1]['id']}")).status_code == 404
        left = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        assert [item["subject"] for item in left] == ["number 2", "number 0"]


NOT_BY_POP3: list[tuple[str, str, object, str]] = [
    ("POST", "folders", {"name": "x"}, "folders"),
    ("PATCH", "folders/inbox", {"name": "x"}, "folders"),
    ("DELETE", "folders/inbox", None, "folders"),
    ("GET", "folders/inbox/acl", None, "acl"),
    ("PUT", "folders/inbox/acl/bob", {"rights": "lr"}, "acl"),
    ("DELETE", "folders/inbox/acl/bob", None, "acl"),
    ("GET", "quota", None, "quota"),
    ("GET", "events", None, "push"),
    ("POST", "folders/inbox/empty", None, "move"),
    ("GET", "folders/inbox/messages?subject=x", None, "search"),
    ("GET", "folders/inbox/messages?q=x", None, "search"),
    ("GET", "folders/inbox/messages?sort=subject", None, "sort"),
    ("GET", "folders/inbox/messages?fields=threadId", None, "threads"),
    ("POST", "search", {"filter": {"subject": "x"}}, "search"),
    ("GET", "messages/m_x/flags", None, "flags"),
    ("PUT", "messages/m_x/flags", {"flags": []}, "flags"),
    ("PATCH", "messages/m_x/flags", {"add": ["$seen"]}, "flags"),
    ("POST", "messages/m_x/move", {"folderId": "inbox"}, "move"),
    ("POST", "messages/m_x/copy", {"folderId": "inbox"}, "move"),
    ("POST", "messages/bulk", {"ids": ["m_x"], "action": "flags", "add": ["$seen"]}, "flags"),
    ("POST", "messages/bulk", {"ids": ["m_x"], "action": "move", "folderId": "inbox"}, "move"),
]


@pytest.mark.parametrize(("method", "path", "body", "capability"), NOT_BY_POP3)
async def test_what_pop3_cannot_do_is_said_with_the_capability(
    connect: Connect, method: str, path: str, body: object, capability: str
) -> None:
    """R-POP-10: 501 without a connection: this server's port is closed."""
    settings = settings_with_pop3(1)
    async with connect("user@example.org", settings=settings) as client:
        answer = await client.request(method, f"{ME}/{path}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (501, "/problems/not-supported")
        assert answer.json()["capability"] == capability
        assert len(answer.json()["detail"]) > 20
        assert (await client.get(f"{ME}/folders")).status_code == 503


def test_the_contract_says_what_may_be_missing() -> None:
    """R-POP-10."""
    routes = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text())["paths"]
    for method, path, _, capability in NOT_BY_POP3:
        route = path.partition("?")[0]
        for word, name in (("inbox", "folder"), ("m_x", "message"), ("bob", "identifier")):
            route = route.replace(word, f"{{{name}}}")
        assert "501" in routes[f"/v1/accounts/{{account}}/{route}"][method.lower()]["responses"], capability


async def test_appending_is_not_done_by_pop3(connect: Connect) -> None:
    """R-POP-10."""
    async with connect("user@example.org", settings=settings_with_pop3(1)) as client:
        answer = await client.post(
            f"{ME}/folders/inbox/messages", content=mail(), headers={"Content-Type": "message/rfc822"}
        )
        assert (answer.status_code, answer.json()["capability"]) == (501, "append")


async def test_an_account_by_pop3_says_that_it_has_no_capabilities(connect: Connect, dovecot: Dovecot) -> None:
    """R-POP-10."""
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user, Casella_Protocol="pop3") as client:
        account = (await client.get(ME)).json()
        assert (account["protocol"], account["capabilities"]) == ("pop3", ["changes"])
        assert "warnings" not in account
        [folder] = (await client.get(f"{ME}/folders")).json()["items"]
        assert (folder["role"], folder["totalMessages"]) == ("inbox", 1)


async def test_an_account_warns_of_what_its_pop3_server_lacks(connect: Connect) -> None:
    """R-POP-04, R-POP-08: with the ids of a session, over HTTP."""
    server = Pop3Server([letter("same"), letter("same")], capabilities=("USER",))
    async with server.running() as endpoint, connect(USER, SECRET, settings_with_pop3(endpoint.port)) as client:
        assert (await client.get(ME)).json()["warnings"] == ["ids-unstable", "headers-incomplete"]
        newest, _ = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        refused = (await client.delete(f"{ME}/messages/{newest['id']}")).json()
        assert (refused["status"], refused["upstream"]["code"]) == (502, "ambiguousId")


async def test_apop_is_for_the_operator_to_choose(connect: Connect) -> None:
    """R-POP-09: with TLS from the start or none, since its challenge comes before STLS."""
    server = Pop3Server(letters(1))
    async with (
        server.running() as endpoint,
        connect(USER, SECRET, settings_with_pop3(endpoint.port, apop=True)) as client,
    ):
        assert (await client.get(f"{ME}/folders/inbox/messages")).json()["total"] == 1
    assert "APOP" in server.verbs
    assert "PASS" not in server.verbs
    with pytest.raises(ValidationError, match="challenge"):
        Pop3Settings(host=HOST, port=110, security=Security.STARTTLS, apop=True)


async def test_an_unconfirmed_deletion_does_not_count_as_one(connect: Connect) -> None:
    """R-POP-06: 502 ``deleteUnconfirmed``, alone and among others; asked again, it is looked for."""
    server = Pop3Server(letters(3), twists={"QUIT": [b"-ERR\r\n", Act.CLOSE]})
    async with server.running() as endpoint, connect(USER, SECRET, settings_with_pop3(endpoint.port)) as client:
        ids = [one["id"] for one in (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]]
        refused = (await client.delete(f"{ME}/messages/{ids[0]}")).json()
        assert (refused["type"], refused["upstream"]) == (
            "/problems/upstream-error",
            {"protocol": "pop3", "code": "deleteUnconfirmed"},
        )
        bulk = {"ids": ids, "action": "delete"}
        results = (await client.post(f"{ME}/messages/bulk", json=bulk)).json()["results"]
        assert {one["problem"]["upstream"]["code"] for one in results} == {"deleteUnconfirmed"}
        assert len(server.messages) == 3
        server.messages.pop()
        results = (await client.post(f"{ME}/messages/bulk", json=bulk)).json()["results"]
        assert {one["status"] for one in results} == {200}
        assert server.messages == []


async def test_a_list_by_pop3_is_kept_while_nothing_changed(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(user, mail())
    async with connect(user, Casella_Protocol="pop3") as client:
        inbox = f"{ME}/folders/inbox/messages"
        tag = (await client.get(inbox)).headers["etag"]
        again = await client.get(inbox, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        [row] = (await client.get(inbox)).json()["items"]
        several = (await client.get(f"{ME}/messages", params={"id": [row["id"], "m_AAAA"]})).json()
        assert (several["items"], several["notFound"]) == ([row], ["m_AAAA"])
        await client.delete(f"{ME}/messages/{row['id']}")
        changed = await client.get(inbox, headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["items"]) == (200, [])


def settings_with_pop3(port: int, *, apop: bool = False) -> Settings:
    """A server by POP3 alone."""
    listener = Pop3Settings(host=HOST, port=port, security=Security.NONE, apop=apop)
    return Settings(
        servers={"home": {"domains": ["example.org"], "pop3": listener.model_dump()}}, secret_keys=token_urlsafe(32)
    )


async def test_a_renumbered_folder_is_410(connect: Connect, dovecot: Dovecot) -> None:
    """R-IMAP-08: the folder was deleted and created again, so it has another UIDVALIDITY."""
    user = dovecot.user()
    with dovecot.connect(user) as other:
        other.create("Box")
    dovecot.append(user, mail(), folder="Box")
    async with connect(user) as client:
        box = next(one for one in (await client.get(f"{ME}/folders")).json()["items"] if one["name"] == "Box")
        [item] = (await client.get(f"{ME}/folders/{box['id']}/messages")).json()["items"]
    with dovecot.connect(user) as other:
        other.delete("Box")
        other.create("Box")
    dovecot.append(user, mail(), folder="Box")
    async with connect(user) as client:
        for answer in (
            await client.get(f"{ME}/messages/{item['id']}"),
            await client.delete(f"{ME}/messages/{item['id']}"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (410, "/problems/stale-id")
        assert (await client.get(f"{ME}/folders/{box['id']}/messages")).json()["total"] == 1


async def test_folders_have_roles_counts_and_unicode_names(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user()
    dovecot.append(user, mail(), ["$seen"])
    dovecot.append(user, mail())
    with dovecot.connect(user) as other:
        other.create("Projekte/&ANw-bersicht")
    async with connect(user) as client:
        folders = (await client.get(f"{ME}/folders")).json()["items"]
        inbox = folders[0]
        assert (inbox["role"], inbox["totalMessages"], inbox["unreadMessages"]) == ("inbox", 2, 1)
        assert {one.get("role") for one in folders} >= {"sent", "drafts", "trash"}
        [below] = [one for one in folders if one["path"] == ["Projekte", "Übersicht"]]
        above = next(one for one in folders if one["path"] == ["Projekte"])
        assert below["parentId"] == above["id"]
        assert (await client.get(f"{ME}/folders/{below['id']}")).json() == below
        assert (await client.get(f"{ME}/folders/sent")).json()["role"] == "sent"
        assert (await client.get(f"{ME}/folders/flagged")).status_code == 404


async def test_a_user_with_a_space_and_quotes_signs_in(connect: Connect, dovecot: Dovecot) -> None:
    user = dovecot.user('a "b" ü ')
    for protocol in ("imap", "pop3"):
        async with connect(user, PASSWORD, Casella_Protocol=protocol) as client:
            assert (await client.get(ME)).json()["username"] == user


@pytest.mark.parametrize("what", ["", "/source", "/parts/1", "/parts/2", "/headers"])
async def test_what_another_program_removed_just_now_is_gone(connect: Connect, dovecot: Dovecot, what: str) -> None:
    """R-IMAP-06: Dovecot still has a row of it, in which its octets are NIL. That does not mean an empty message."""
    user = dovecot.user()
    dovecot.seed(user, [(PARTS, (), None)])
    async with connect(user) as client:
        [row] = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        with dovecot.connect(user) as other:
            other.select()
            other.store("1", "+FLAGS", "(\\Deleted)")
            other.expunge()
        answer = await client.get(f"{ME}/messages/{row['id']}{what}")
    assert (answer.status_code, answer.json()["what"]) == (404, "message")
