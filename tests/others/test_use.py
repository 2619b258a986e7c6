"""What went wrong on these servers, by use."""

import asyncio
import time
from base64 import b64encode

import pytest

from tests.contract.letters import plain
from tests.others.conftest import ME, Client
from tests.servers.cyrus import Cyrus
from tests.servers.debian import DebianServer


async def test_the_removal_of_the_newest_message_is_told(client: Client, server: DebianServer) -> None:
    """R-IMAP-65: of one message and of all."""
    await asyncio.to_thread(server.seed, client.user, [(plain(str(n)), (), None) for n in range(4)])
    ids = [row["id"] for row in (await client.get("/folders/inbox/messages"))["items"]]
    token = (await client.get("/folders/inbox/changes"))["token"]
    whole = (await client.get("/changes"))["token"]
    gone: set[str] = set()
    for some in (ids[:1], ids[1:]):
        await asyncio.to_thread(remove_newest, server, client.user, len(some))
        page = await client.get("/folders/inbox/changes", since=token)
        assert set(page["destroyed"]) - gone == set(some)
        account = await client.get("/changes", since=whole)
        assert set(account["folders"][0]["destroyed"]) - gone == set(some)
        token, whole, gone = page["token"], account["token"], gone | set(some)


def remove_newest(server: DebianServer, user: str, count: int) -> None:
    with server.connect(user) as client:
        exists = int((client.select()[1][0] or b"0").decode())
        client.store(f"{exists - count + 1}:{exists}", "+FLAGS", "(\\Deleted)")
        client.expunge()


async def test_a_public_folder_has_no_role_and_its_rights_are_kept(client: Client, server: DebianServer) -> None:
    """R-IMAP-59, R-IMAP-60: nothing is archived where everybody reads it, and what may not be written to is 403."""
    if not isinstance(server, Cyrus):
        pytest.skip("only Cyrus has a public folder here")
    folders = (await client.get("/folders"))["items"]
    [public] = [folder for folder in folders if folder["name"] == "Archive"]
    assert (public["namespace"], public.get("role"), set(public["rights"])) == ("shared", None, set("lrs"))
    await client.get("/folders/archive/messages", 404)
    answer = await client.http.post(
        f"{ME}/folders/{public['id']}/messages", content=plain("x"), headers={"Content-Type": "message/rfc822"}
    )
    assert answer.status_code == 403, answer.text
    await asyncio.to_thread(server.seed, client.user, [(plain("mine"), (), None)])
    [row] = (await client.get("/folders/inbox/messages"))["items"]
    for verb in ("move", "copy"):
        answer = await client.http.post(f"{ME}/messages/{row['id']}/{verb}", json={"folderId": public["id"]})
        assert answer.status_code == 403, (verb, answer.text)
    assert await client.subjects() == {"mine"}
    here = f"{ME}/folders/{public['id']}"
    for answer in (
        await client.http.post(f"{ME}/folders", json={"name": "Inner", "parentId": public["id"]}),
        await client.http.patch(here, json={"name": "Mine"}),
        await client.http.delete(here),
        await client.http.put(f"{here}/acl/anyone", json={"rights": "lrswipkxtea"}),
    ):
        assert answer.status_code == 403, answer.text


async def test_requests_take_milliseconds(client: Client, server: DebianServer) -> None:
    """R-IMAP-51: no request waits for a delayed acknowledgement, which takes 40 ms, neither the server's nor ours."""
    await asyncio.to_thread(server.seed, client.user, [(plain(str(n)), (), None) for n in range(60)])
    token = (await client.get("/folders/inbox/changes"))["token"]
    for path, query in (
        ("/folders", {}), ("/folders/inbox/messages", {"limit": "50"}), ("/folders/inbox/changes", {"since": token}),
        ("/folders/inbox/messages", {"limit": "50", "fields": "id,preview"}),
    ):  # fmt: skip
        taken = []
        for _ in range(8):
            began = time.monotonic()
            await client.get(path, **query)
            taken.append(time.monotonic() - began)
        assert sorted(taken)[2] < 0.035, (path, taken)


async def test_previews_come_from_every_server(client: Client, server: DebianServer) -> None:
    """R-IMAP-66: also those that announce PREVIEW and answer NIL."""
    html = plain("html", body="<p>Hello <b>all</b></p>").replace(b"text/plain", b"text/html")
    await asyncio.to_thread(server.seed, client.user, [(plain("a", body="Words."), (), None), (html, (), None)])
    for _ in range(2):
        rows = (await client.get("/folders/inbox/messages", fields="subject,preview"))["items"]
        assert {row["subject"]: row["preview"] for row in rows} == {"a": "Words.", "html": "Hello all"}


async def test_messages_of_a_conversation_have_one_thread(client: Client, server: DebianServer) -> None:
    """R-IMAP-66: whichever extension the server has; the answer may come first."""
    first = plain("first")
    reply = plain("Re: first").replace(b"MIME-Version", b"References: <first@example.org>\r\nMIME-Version")
    await asyncio.to_thread(
        server.seed, client.user, [(reply, (), None), (first, (), None), (plain("other"), (), None)]
    )
    rows = (await client.get("/folders/inbox/messages", fields="subject,threadId"))["items"]
    threads = {row["subject"]: row["threadId"] for row in rows}
    assert threads["first"] == threads["Re: first"] != threads["other"]
    found = (await client.get(f"/threads/{threads['first']}"))["items"]
    assert {row["subject"] for row in found} == {"first", "Re: first"}


async def test_a_folder_is_unsubscribed(client: Client) -> None:
    """R-IMAP-50."""
    parent = await client.post("/folders", {"name": "Work"}, 201)
    await client.post("/folders", {"name": "Inner", "parentId": parent["id"]}, 201)
    answer = await client.http.patch(f"{ME}/folders/{parent['id']}", json={"isSubscribed": False})
    assert answer.json()["isSubscribed"] is False
    folders = {folder["name"]: folder["isSubscribed"] for folder in (await client.get("/folders"))["items"]}
    assert (folders["Work"], folders["Inner"]) == (False, True)


async def test_a_part_that_cannot_be_is_not_found(client: Client, server: DebianServer) -> None:
    """R-IMAP-56."""
    await asyncio.to_thread(server.seed, client.user, [(plain("a"), (), None)])
    [row] = (await client.get("/folders/inbox/messages"))["items"]
    for part in ("1" * 400, "9" * 20, "1.2.3.4.5.6", "0", "4294967296"):
        answer = await client.http.get(f"{ME}/messages/{row['id']}/parts/{part}")
        assert answer.status_code == 404, (part, answer.text)


async def test_an_account_says_what_it_can(client: Client) -> None:
    """R-IMAP-61: with its quota, if the server reports one."""
    account = await client.get("")
    assert "search" in account["capabilities"]
    quotas = await client.get("/quota") if "quota" in account["capabilities"] else {"items": []}
    assert all(quota["limit"] > 0 for quota in quotas["items"])


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "koi8-r", "gb2312", "iso-2022-jp", "big5"])
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
async def test_words_in_any_charset_are_found(
    client: Client, server: DebianServer, charset: str, encoding: str
) -> None:
    """R-IMAP-67: whoever decides."""
    word = {"koi8-r": "Привет", "gb2312": "测试邮件", "iso-2022-jp": "日本語", "big5": "測試"}.get(charset, "Grüße")
    await asyncio.to_thread(server.seed, client.user, [(letter(word, charset, encoding), (), None)])
    for query in ({"body": word}, {"text": word}, {"body": "plainly"}):
        found = await client.get("/folders/inbox/messages", **query)
        assert [row["subject"] for row in found["items"]] == ["x"], (query, found)
    assert await client.subjects(body=word + "nowhere") == set()


def letter(word: str, charset: str, encoding: str) -> bytes:
    """A message whose text is two words."""
    text = f"{word} plainly\r\n".encode(charset)
    match encoding:
        case "base64":
            text = b64encode(text) + b"\r\n"
        case "quoted-printable":
            text = "".join(f"={octet:02X}" for octet in text).encode() + b"\r\n"
    header = (
        f"From: a@example.org\r\nSubject: x\r\nMessage-ID: <x@example.org>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return header.encode() + text


@pytest.mark.parametrize("direction", ["", "-"])
async def test_sizes_are_sorted_and_compared_as_they_are_shown(
    client: Client, server: DebianServer, direction: str
) -> None:
    """R-IMAP-67: many short lines are more octets on the wire than in some servers' files."""
    lines = plain("lines", body="a\r\n" * 400)
    long = plain("long", body="b" * 900)
    await asyncio.to_thread(server.seed, client.user, [(each, (), None) for each in (lines, long)])
    rows = (await client.get("/folders/inbox/messages", sort=f"{direction}size"))["items"]
    sizes = [row["size"] for row in rows]
    assert sizes == sorted(sizes, reverse=direction == "-")
    for row in rows:
        assert row["subject"] in await client.subjects(minSize=str(row["size"]))
        assert row["subject"] not in await client.subjects(maxSize=str(row["size"]))
