"""Writes through HTTP, seen by a second client of the mailbox (Python's imaplib)."""

import asyncio
import imaplib
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from tests.api.conftest import Connect, mail, settings_for
from tests.servers.dovecot import PASSWORD, Dovecot, signed_in

ME = "/v1/accounts/me"
RFC822 = {"Content-Type": "message/rfc822"}


class Second:
    """The other client."""

    def __init__(self, server: Dovecot, user: str) -> None:
        self._server, self._user = server, user

    def messages(self, folder: str = "INBOX") -> dict[bytes, tuple[set[str], bytes]]:
        """Flags and source by Message-ID, else by subject."""
        with signed_in(self._server.ports.imap, self._user, PASSWORD) as client:
            _, [count] = client.select(f'"{folder}"', readonly=True)
            if count == b"0":
                return {}
            _, rows = client.fetch("1:*", "(FLAGS BODY.PEEK[])")
            found = {}
            for row in rows:
                if isinstance(row, tuple):
                    flags = {flag.decode() for flag in imaplib.ParseFlags(row[0])}
                    found[re.findall(rb"(?:Message-ID|Subject): (.*?)\r\n", row[1])[-1]] = (
                        flags - {"\\Recent"},
                        row[1],
                    )
            return found

    def count(self, folder: str = "INBOX") -> int:
        return len(self.messages(folder))

    def run(self, *commands: tuple[str, ...], folder: str = "INBOX") -> None:
        with signed_in(self._server.ports.imap, self._user, PASSWORD) as client:
            client.select(f'"{folder}"')
            for name, *arguments in commands:
                status, answer = getattr(client, name)(*arguments)
                assert status == "OK", answer


def letter(name: str, body: bytes = b"text\r\n") -> bytes:
    return mail(name, body, **{"Message-ID": f"<{name}@example.org>"})


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.user()


@pytest.fixture
def second(dovecot: Dovecot, user: str) -> Second:
    return Second(dovecot, user)


@pytest.fixture
async def client(connect: Connect, user: str) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(user) as http:
        roles = {folder.get("role") for folder in (await http.get(f"{ME}/folders")).json()["items"]}
        assert roles >= {"trash", "archive"}
        yield http


async def append(client: httpx.AsyncClient, octets: bytes, folder: str = "inbox", **params: Any) -> str:
    answer = await client.post(f"{ME}/folders/{folder}/messages", content=octets, headers=RFC822, params=params)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{ME}/messages/{answer.json()['id']}"
    return str(answer.json()["id"])


async def test_an_appended_message_is_seen_as_intended(client: httpx.AsyncClient, second: Second) -> None:
    """Bytes equal, flags and date as asked, Unicode keywords refused."""
    octets = letter("x", "Grüße\r\n".encode() + bytes(range(1, 10)) + b"\x7f\xff\r\n")
    new = await append(client, octets, flags="$seen,work", receivedAt="2026-02-28T23:59:59-05:00")
    assert second.messages() == {b"<x@example.org>": ({"\\Seen", "work"}, octets)}
    row = (await client.get(f"{ME}/messages/{new}")).json()
    assert row["receivedAt"] == "2026-03-01T04:59:59Z"
    source = await client.get(f"{ME}/messages/{new}/source")
    assert source.content == octets


async def test_large_messages_are_streamed_both_ways(client: httpx.AsyncClient, second: Second) -> None:
    octets = letter("big", b"".join(b"%070d\r\n" % number for number in range(60_000)))
    new = await append(client, octets)
    assert (await client.get(f"{ME}/messages/{new}/source")).content == octets
    assert second.messages()[b"<big@example.org>"][1] == octets


@pytest.mark.parametrize(
    ("content", "headers", "status", "problem"),
    [
        (b"", RFC822, 422, "invalid-request"),
        (b"Subject: x\r\n\r\nx\0y\r\n", RFC822, 422, "invalid-request"),
        (b"Subject: x\r\n\r\n", {"Content-Type": "application/json"}, 415, "unsupported-media-type"),
        (
            b"Subject: x\r\n\r\n",
            {"Content-Type": "message/rfc822", "Idempotency-Key": "k" * 201},
            422,
            "invalid-request",
        ),
        (b"x" * 200_000, RFC822, 413, "too-large"),
    ],
)
async def test_what_cannot_be_appended_is_refused_clearly(
    connect: Connect, dovecot: Dovecot, content: bytes, headers: dict[str, str], status: int, problem: str
) -> None:
    user = dovecot.user()
    async with connect(user, settings=settings_for(dovecot, max_message_octets=100_000)) as http:
        answer = await http.post(f"{ME}/folders/inbox/messages", content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    assert Second(dovecot, user).count() == 0


async def test_no_flag_is_lost_by_two_clients(
    client: httpx.AsyncClient, second: Second, dovecot: Dovecot, user: str
) -> None:
    """R-CONC-02: 1,000 rounds of two clients that set different flags of the same messages."""
    ids = [await append(client, letter(f"m{number}")) for number in range(4)]

    def rounds() -> None:
        with signed_in(dovecot.ports.imap, user, PASSWORD) as other:
            other.select("INBOX")
            for number in range(1000):
                uid = str(number % 4 + 1)
                other.uid("STORE", uid, "+FLAGS" if number // 4 % 2 == 0 else "-FLAGS", "(mine)")

    async def ours() -> None:
        for number in range(1000):
            change = {"add": ["ours"]} if number // 4 % 2 == 0 else {"remove": ["ours"]}
            answer = await client.patch(f"{ME}/messages/{ids[number % 4]}/flags", json=change)
            assert ("ours" in answer.json()["flags"]) is ("add" in change)

    await asyncio.gather(asyncio.to_thread(rounds), ours())
    assert {name: flags for name, (flags, _) in second.messages().items()} == {
        f"<m{number}@example.org>".encode(): set() for number in range(4)
    }
    await client.post(f"{ME}/messages/bulk", json={"ids": ids, "action": "flags", "add": ["ours"]})
    second.run(("store", "1:4", "+FLAGS", "(mine)"))
    assert all(flags == {"ours", "mine"} for flags, _ in second.messages().values())


async def test_a_condition_on_flags_holds(client: httpx.AsyncClient, second: Second) -> None:
    """If-Match by CONDSTORE: a client that read an old state cannot write."""
    message = await append(client, letter("x"))
    flags = f"{ME}/messages/{message}/flags"
    etag = (await client.get(flags)).headers["etag"]
    assert etag == (await client.get(f"{ME}/messages/{message}")).headers["etag"]
    done = await client.patch(flags, json={"add": ["$seen"]}, headers={"If-Match": etag})
    assert done.status_code == 200
    assert done.headers["etag"] != etag
    for method, body in (("PATCH", {"add": ["$flagged"]}), ("PUT", {"flags": ["$flagged"]})):
        stale = await client.request(method, flags, json=body, headers={"If-Match": etag})
        assert (stale.status_code, stale.json()["type"]) == (412, "/problems/changed")
    second.run(("store", "1", "+FLAGS", "(work)"))
    assert (await client.put(flags, json={"flags": []}, headers={"If-Match": done.headers["etag"]})).status_code == 412
    assert second.messages()[b"<x@example.org>"][0] == {"\\Seen", "work"}
    assert (await client.put(flags, json={"flags": []}, headers={"If-Match": "*"})).json() == {"flags": []}
    for nonsense in ('W/"1"', "1", '""', '"x"'):
        answer = await client.put(flags, json={"flags": ["$seen"]}, headers={"If-Match": nonsense})
        assert answer.status_code == 412


async def test_copies_and_moves_are_seen_as_intended(client: httpx.AsyncClient, second: Second) -> None:
    ids = {name: await append(client, letter(name), flags="$flagged") for name in "abc"}
    copied = (await client.post(f"{ME}/messages/{ids['a']}/copy", json={"folderId": "archive"})).json()["id"]
    moved = (await client.post(f"{ME}/messages/{ids['b']}/move", json={"folderId": "trash"})).json()["id"]
    assert set(second.messages()) == {b"<a@example.org>", b"<c@example.org>"}
    assert second.messages("Archive") == {b"<a@example.org>": ({"\\Flagged"}, letter("a"))}
    assert second.messages("Trash") == {b"<b@example.org>": ({"\\Flagged"}, letter("b"))}
    for new, name in ((copied, "a"), (moved, "b")):
        assert (await client.get(f"{ME}/messages/{new}/source")).content == letter(name)
    gone = await client.post(f"{ME}/messages/{ids['b']}/move", json={"folderId": "trash"})
    assert (gone.status_code, gone.json()["what"]) == (404, "message")
    nowhere = await client.post(f"{ME}/messages/{ids['a']}/move", json={"folderId": "flagged"})
    assert (nowhere.status_code, nowhere.json()["what"]) == (404, "folder")


async def test_bulk_has_a_result_for_each_message(client: httpx.AsyncClient, second: Second) -> None:
    inbox = [await append(client, letter(f"i{number}")) for number in range(6)]
    archive = [await append(client, letter(f"a{number}"), "archive") for number in range(3)]
    await client.delete(f"{ME}/messages/{inbox[5]}")
    asked = [inbox[0], archive[1], "m_nonsense", inbox[5], inbox[2]]
    answer = await client.post(f"{ME}/messages/bulk", json={"ids": asked, "action": "move", "folderId": "trash"})
    results = answer.json()["results"]
    assert [result["id"] for result in results] == asked
    assert [result["status"] for result in results] == [200, 200, 404, 404, 200]
    assert results[3]["problem"]["type"] == "/problems/not-found"
    assert all("newId" in result for result in results if result["status"] == 200)
    assert set(second.messages("Trash")) == {b"<i0@example.org>", b"<a1@example.org>", b"<i2@example.org>"}
    flagged = await client.post(
        f"{ME}/messages/bulk", json={"ids": [inbox[1], archive[0]], "action": "flags", "add": ["$seen", "x"]}
    )
    assert [result["status"] for result in flagged.json()["results"]] == [200, 200]
    assert second.messages("Archive")[b"<a0@example.org>"][0] == {"\\Seen", "x"}
    deleted = await client.post(f"{ME}/messages/bulk", json={"ids": [inbox[1], archive[0]], "action": "delete"})
    assert [result["status"] for result in deleted.json()["results"]] == [200, 200]
    assert set(second.messages("Archive")) == {b"<a2@example.org>"}
    for wrong in ({"ids": [], "action": "delete"}, {"ids": ["x"], "action": "shred"}, {"ids": ["x"], "action": "move"}):
        assert (await client.post(f"{ME}/messages/bulk", json=wrong)).status_code == 422


async def test_overlapping_deletes_lose_no_other_mail(
    client: httpx.AsyncClient, second: Second, dovecot: Dovecot, user: str
) -> None:
    """R-CONC-01: fifty parallel deletes of overlapping sets, another client having marked other mail as deleted."""
    dovecot.seed(user, [(letter(f"m{number}"), (), None) for number in range(120)])
    page = (await client.get(f"{ME}/folders/inbox/messages", params={"limit": 200})).json()
    ids = {row["subject"]: row["id"] for row in page["items"]}
    marked = {f"m{number}" for number in range(100, 110)}
    second.run(("store", "101:110", "+FLAGS", "(\\Deleted)"))
    wanted = [[ids[f"m{(start * 2 + step) % 100}"] for step in range(10)] for start in range(25)]

    async def delete(some: list[str]) -> list[int]:
        answer = await client.post(f"{ME}/messages/bulk", json={"ids": some, "action": "delete"})
        return [result["status"] for result in answer.json()["results"]]

    statuses = await asyncio.gather(*(delete(some) for some in wanted for _ in range(2)))
    assert {status for some in statuses for status in some} <= {200, 404}
    gone = {f"m{(start * 2 + step) % 100}" for start in range(25) for step in range(10)}
    left = {name[1:-13].decode() for name in second.messages()}
    assert left == {f"m{number}" for number in range(120)} - gone
    assert marked <= left


async def test_moves_and_deletes_of_the_same_lose_no_mail(client: httpx.AsyncClient, second: Second) -> None:
    """R-CONC-04: two who move the same messages, by the oracle of their Message-IDs."""
    ids = [await append(client, letter(f"m{number}")) for number in range(30)]
    moves = [
        client.post(f"{ME}/messages/bulk", json={"ids": ids[at : at + 15], "action": "move", "folderId": folder})
        for at in (0, 5, 10, 15)
        for folder in ("trash", "archive")
    ]
    answers = await asyncio.gather(*moves)
    assert all(answer.status_code == 200 for answer in answers)
    places = [set(second.messages(folder)) for folder in ("INBOX", "Trash", "Archive")]
    assert set.union(*places) == {f"<m{number}@example.org>".encode() for number in range(30)}
    # A server may refuse a MOVE if another one removes its messages meanwhile; then everybody who sent one is told.
    results = [result for answer in answers for result in answer.json()["results"]]
    moved = {each["id"] for each in results if each["status"] == 200}
    assert places[0] <= {f"<m{number}@example.org>".encode() for number in range(30) if ids[number] not in moved}


async def test_a_list_walked_while_mail_comes_and_goes_has_no_repeat_and_no_gap(
    connect: Connect, dovecot: Dovecot
) -> None:
    """R-CONC-07, by the newest first and by subject."""
    user = dovecot.user()
    dovecot.seed(user, [(letter(f"m{number:03}"), (), None) for number in range(200)])
    gone = {f"m{number:03}" for number in range(3, 200, 7)}
    for sort in (None, "subject"):
        async with connect(user) as client:
            seen: list[str] = []
            params: dict[str, Any] = {"limit": 9, **({"sort": sort} if sort else {})}
            removed = iter(sorted(gone))
            while True:
                page = (await client.get(f"{ME}/folders/inbox/messages", params=params)).json()
                seen += [row["subject"] for row in page["items"]]
                if "nextCursor" not in page:
                    break
                params["cursor"] = page["nextCursor"]
                with signed_in(dovecot.ports.imap, user, PASSWORD) as other:
                    other.select("INBOX")
                    other.append("INBOX", "", "", letter(f"new{len(seen)}"))
                    if (name := next(removed, None)) and sort is None:
                        other.uid("STORE", str(int(name[1:]) + 1), "+FLAGS", "(\\Deleted)")
                        other.expunge()
            old = [name for name in seen if name.startswith("m")]
            assert len(old) == len(set(old))
            left = {f"m{number:03}" for number in range(200)} - (gone if sort is None else set())
            assert left <= set(old) | gone


async def test_a_request_sent_twice_is_done_once(client: httpx.AsyncClient, second: Second) -> None:
    """R-CONC-05 in one process: the same key and body, another body, at once, and after an error."""
    key = {"Idempotency-Key": "one"}
    url = f"{ME}/folders/inbox/messages"
    answers = await asyncio.gather(*(client.post(url, content=letter("x"), headers=RFC822 | key) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    again = await client.post(url, content=letter("x"), headers=RFC822 | key)
    [id_] = {answer.json()["id"] for answer in [*answers, again] if answer.status_code == 201}
    assert second.count() == 1
    other = await client.post(url, content=letter("y"), headers=RFC822 | key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/invalid-request")
    copies = [
        await client.post(f"{ME}/messages/{id_}/copy", json={"folderId": "archive"}, headers={"Idempotency-Key": "c"})
        for _ in range(3)
    ]
    assert len({answer.json()["id"] for answer in copies}) == 1
    assert second.count("Archive") == 1
    wrong = {"Idempotency-Key": "w"}
    gone = (await client.post(f"{ME}/folders", json={"name": "Gone"})).json()["id"]
    await client.delete(f"{ME}/folders/{gone}")
    assert (await client.post(f"{ME}/messages/{id_}/copy", json={"folderId": gone}, headers=wrong)).status_code == 404
    (await client.post(f"{ME}/folders", json={"name": "Gone"})).raise_for_status()
    assert (await client.post(f"{ME}/messages/{id_}/copy", json={"folderId": gone}, headers=wrong)).status_code == 200


async def test_replicas_append_the_same_message_once(connect: Connect, dovecot: Dovecot) -> None:
    """R-CONC-05: three replicas that know nothing of each other, at once and one after the other."""
    user = dovecot.user()
    second = Second(dovecot, user)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(connect(user)) for _ in range(3)]
        for number in range(5):
            octets = letter(f"m{number}", b"x" * 5000 + b"\r\n")
            headers = {**RFC822, "Idempotency-Key": f"k{number}"}
            sent = [one.post(f"{ME}/folders/inbox/messages", content=octets, headers=headers) for one in replicas]
            answers = [*await asyncio.gather(*sent)]
            answers.append(await replicas[0].post(f"{ME}/folders/inbox/messages", content=octets, headers=headers))
            assert [answer.status_code for answer in answers] == [201] * 4
            with signed_in(dovecot.ports.imap, user, PASSWORD) as client:
                client.select("INBOX")
                assert client.search(None, "SUBJECT", f"m{number}")[1] == [b"%d" % (number + 1)]
    assert second.count() == 5


async def test_a_folder_is_emptied(client: httpx.AsyncClient, second: Second) -> None:
    for number in range(3):
        await append(client, letter(f"m{number}"), "trash")
    answer = await client.post(f"{ME}/folders/trash/empty")
    assert (answer.status_code, answer.json()) == (200, {"removed": 3})
    assert second.count("Trash") == 0


async def test_lists_answer_conditions(client: httpx.AsyncClient) -> None:
    """304 as long as nothing changed; another query, another tag."""
    message = await append(client, letter("x"))
    url = f"{ME}/folders/inbox/messages"
    first = await client.get(url)
    assert first.headers["etag"].startswith('W/"')
    kept = await client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")
    assert (await client.get(f"{url}?limit=5", headers={"If-None-Match": first.headers["etag"]})).status_code == 200
    await client.patch(f"{ME}/messages/{message}/flags", json={"add": ["$seen"]})
    changed = await client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    folders = await client.get(f"{ME}/folders")
    if "etag" in folders.headers:
        answer = await client.get(f"{ME}/folders", headers={"If-None-Match": folders.headers["etag"]})
        assert answer.status_code == 304
    several = await client.get(f"{ME}/messages", params={"id": message})
    kept = await client.get(
        f"{ME}/messages", params={"id": message}, headers={"If-None-Match": several.headers["etag"]}
    )
    assert (kept.status_code, kept.content) == (304, b"")
    found = await client.post(f"{ME}/search", json={}, headers={"If-None-Match": "*"})
    assert (found.status_code, "etag" in found.headers) == (200, False)  # only GET can be not modified


async def test_fields_and_several_ids(client: httpx.AsyncClient) -> None:
    ids = [await append(client, letter(f"m{number}", b"Hello  there\r\n")) for number in range(3)]
    page = (await client.get(f"{ME}/folders/inbox/messages", params={"fields": "subject,preview", "limit": 1})).json()
    folder = (await client.get(f"{ME}/folders/inbox")).json()["id"]
    assert page["items"] == [{"id": ids[2], "folderId": folder, "subject": "m2", "preview": "Hello there"}]
    assert page["total"] == 3
    wrong = await client.get(f"{ME}/folders/inbox/messages", params={"fields": "subject,colour"})
    assert wrong.status_code == 422
    assert "hasAttachment" in wrong.json()["detail"]
    assert "colour" not in wrong.json()["detail"]
    rows = (await client.get(f"{ME}/messages", params={"id": [ids[1], "m_x", ids[0]]})).json()
    assert [row["subject"] for row in rows["items"]] == ["m1", "m0"]
    assert rows["notFound"] == ["m_x"]


async def test_a_kept_list_is_never_older_than_the_folder(connect: Connect, dovecot: Dovecot) -> None:
    """Dovecot's STATUS of the selected folder only repeats what the connection has seen."""
    user = dovecot.user()
    async with connect(user) as client:
        tag = (await client.get(f"{ME}/folders/inbox/messages")).headers["ETag"]
        for count in range(1, 6):
            dovecot.append(user, mail(str(count)))
            answer = await client.get(f"{ME}/folders/inbox/messages", headers={"If-None-Match": tag})
            assert (answer.status_code, answer.json()["total"]) == (200, count)
            tag = answer.headers["ETag"]


async def test_what_is_marked_already_is_deleted_too(connect: Connect, dovecot: Dovecot) -> None:
    """R-OPS-01: by another program, or by a process that ended between mark and removal."""
    user = dovecot.user()
    dovecot.seed(user, [(mail(str(number)), ["$deleted"] if number % 2 else [], None) for number in range(6)])
    async with connect(user) as client:
        rows = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        ids = {row["subject"]: row["id"] for row in rows}
        assert (await client.delete(f"{ME}/messages/{ids['1']}")).status_code == 204
        many = {"ids": [ids["2"], ids["3"]], "action": "delete"}
        results = (await client.post(f"{ME}/messages/bulk", json=many)).json()["results"]
        assert [one["status"] for one in results] == [200, 200]
        left = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        assert {row["subject"] for row in left} == {"0", "4", "5"}
        assert (await client.post(f"{ME}/folders/inbox/empty")).json() == {"removed": 3}


@pytest.mark.parametrize("action", ["move", "copy", "delete", "flags"])
async def test_one_of_many_was_removed_just_now(connect: Connect, dovecot: Dovecot, action: str) -> None:
    """R-CONC-01: it is 404, and the others are done."""
    user = dovecot.user()
    dovecot.seed(user, [(mail(str(number)), (), None) for number in range(4)])
    more = {"flags": {"add": ["$seen"]}, "delete": {}}.get(action, {"folderId": "archive"})
    async with connect(user) as client:
        rows = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
        with dovecot.connect(user) as other:
            other.select()
            other.store("2", "+FLAGS", "(\\Deleted)")
            other.expunge()
        ids = [row["id"] for row in rows if row["subject"] != "0"]
        answer = await client.post(f"{ME}/messages/bulk", json={"ids": ids, "action": action, **more})
        told = [one["status"] for one in answer.json()["results"]]
        archived = (await client.get(f"{ME}/folders/archive/messages")).json()["items"]
        left = (await client.get(f"{ME}/folders/inbox/messages")).json()["items"]
    assert told == [200, 200, 404]
    assert {row["subject"] for row in archived} == ({"2", "3"} if action in {"move", "copy"} else set())
    assert {row["subject"] for row in left} == ({"0"} if action in {"move", "delete"} else {"0", "2", "3"})


@pytest.mark.parametrize(
    "action", ["get", "source", "rows", "flags", "read flags", "replace flags", "move", "copy", "delete", "bulk"]
)
async def test_what_another_replica_stored_just_now_is_there(connect: Connect, dovecot: Dovecot, action: str) -> None:
    """R-CONC-07: although the session that is asked has not seen it yet."""
    user = dovecot.user()
    archive = {"folderId": "archive"}
    async with connect(user) as one, connect(user) as other:
        assert (await one.get(f"{ME}/folders/inbox/messages")).json()["items"] == []
        stored = await other.post(
            f"{ME}/folders/inbox/messages", content=mail("new"), headers={"Content-Type": "message/rfc822"}
        )
        message = stored.json()["id"]
        place = f"{ME}/messages/{message}"
        answer = await {
            "get": lambda: one.get(place),
            "source": lambda: one.get(f"{place}/source"),
            "rows": lambda: one.get(f"{ME}/messages", params={"id": message}),
            "flags": lambda: one.patch(f"{place}/flags", json={"add": ["$seen"]}),
            "read flags": lambda: one.get(f"{place}/flags"),
            "replace flags": lambda: one.put(f"{place}/flags", json={"flags": ["$seen"]}),
            "move": lambda: one.post(f"{place}/move", json=archive),
            "copy": lambda: one.post(f"{place}/copy", json=archive),
            "delete": lambda: one.delete(place),
            "bulk": lambda: one.post(
                f"{ME}/messages/bulk", json={"ids": [message], "action": "flags", "add": ["$seen"]}
            ),
        }[action]()
        assert answer.status_code in {200, 204}, answer.text
        assert "notFound" not in answer.text
        left = (await other.get(f"{ME}/folders/inbox/messages")).json()["items"]
    assert [row["flags"] for row in left] == {
        "flags": [["$seen"]], "replace flags": [["$seen"]], "bulk": [["$seen"]], "move": [], "delete": [],
    }.get(action, [[]])  # fmt: skip


@pytest.mark.parametrize("flag", ["\\Foo", "\\Recent", "odd|flag"])
async def test_a_message_is_never_read_as_commands(connect: Connect, dovecot: Dovecot, flag: str) -> None:
    """R-IMAP-95: Dovecot does not wait with a literal, and executed the octets behind a flag that it had refused."""
    body = b"x CREATE executed\r\ny DELETE Archive\r\nFrom: ann@example.org\r\n\r\ntext\r\n"
    async with connect(dovecot.user()) as client:
        folder = f"{ME}/folders/inbox/messages"
        answer = await client.post(folder, params={"flags": flag}, content=body, headers=RFC822)
        assert answer.status_code == (201 if flag == "odd|flag" else 403), answer.text
        assert (await client.post(folder, content=body, headers=RFC822)).status_code == 201
        names = {one["name"] for one in (await client.get(f"{ME}/folders")).json()["items"]}
        assert "executed" not in names
        assert "Archive" in names


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_a_time_without_a_year_in_utc_is_refused(client: httpx.AsyncClient, moment: str) -> None:
    for answer in (
        await client.post(
            f"{ME}/folders/inbox/messages", params={"receivedAt": moment}, content=letter("a"), headers=RFC822
        ),
        await client.post(f"{ME}/imports", json={"from": {"token": "x"}, "since": moment}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
