"""The same move asked of two replicas at the same instant, with Dovecot behind."""

import asyncio
import imaplib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from service.adapters.imap.writes import once
from service.adapters.imap.writes.claims import NONCES
from tests.api.conftest import Connect, mail
from tests.servers.dovecot import PASSWORD, Dovecot, signed_in

ME = "/v1/accounts/me"
PAIRS = 40
FLAGS = frozenset({"\\Seen", "\\Flagged", "work"})
Found = Counter[tuple[frozenset[str], bytes]]


def letter(number: int) -> bytes:
    return mail(f"m{number}", b"x" * (number % 7) * 1000 + b"\r\n", **{"Message-ID": f"<{number}@example.org>"})


def stored(server: Dovecot, user: str, folder: str) -> Found:
    """Flags and octets of each message, as another client sees them."""
    with signed_in(server.ports.imap, user, PASSWORD) as client:
        _, [count] = client.select(folder, readonly=True)
        rows = client.fetch("1:*", "(FLAGS BODY.PEEK[])")[1] if count != b"0" else []
        found: Found = Counter()
        for row in rows:
            if isinstance(row, tuple):
                flags = frozenset(flag.decode() for flag in imaplib.ParseFlags(row[0])) - {"\\Recent"}
                found[flags, row[1]] += 1
        return found


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.user()


@pytest.fixture
async def replicas(connect: Connect, user: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two that know nothing of each other."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connect(user)) for _ in range(2)]
        for each in opened:
            assert (await each.get(f"{ME}/folders/archive/messages")).is_success
        yield opened


async def listed(replica: httpx.AsyncClient, folder: str = "inbox") -> list[dict[str, Any]]:
    answer = await replica.get(f"{ME}/folders/{folder}/messages", params={"limit": 200})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def both(replicas: list[httpx.AsyncClient], path: str, body: object, key: str) -> list[httpx.Response]:
    requests = [each.post(f"{ME}{path}", json=body, headers={"Idempotency-Key": key}) for each in replicas]
    return await asyncio.gather(*requests)


async def test_the_same_move_by_two_replicas_leaves_one_message(
    replicas: list[httpx.AsyncClient], dovecot: Dovecot, user: str
) -> None:
    """R-SEND-13: the octets and flags are as before, and both answers name the one message."""
    letters = [letter(number) for number in range(PAIRS)]
    dovecot.seed(user, [(octets, ("$seen", "$flagged", "work"), None) for octets in letters])
    answered: list[httpx.Response] = []
    for row in await listed(replicas[0]):
        answers = await both(replicas, f"/messages/{row['id']}/move", {"folderId": "archive"}, row["id"][-100:])
        answered += answers
        assert {answer.status_code for answer in answers} <= {200, 404}, [answer.text for answer in answers]
        assert len({answer.json()["id"] for answer in answers if answer.is_success}) == 1
    assert stored(dovecot, user, "INBOX") == {}
    assert stored(dovecot, user, "Archive") == {(FLAGS, octets): 1 for octets in letters}
    assert {row["id"] for row in await listed(replicas[1], "archive")} == {
        answer.json()["id"] for answer in answered if answer.is_success
    }


async def test_the_same_bulk_move_by_two_replicas_leaves_one_of_each(
    replicas: list[httpx.AsyncClient], dovecot: Dovecot, user: str
) -> None:
    """R-SEND-13: also of messages that are the same in all their octets."""
    codes: Counter[int] = Counter()
    expected: Found = Counter()
    for pair in range(PAIRS):
        letters = [letter(pair * 10 + number // 2 * 2) for number in range(8)]
        dovecot.seed(user, [(octets, ("$seen", "$flagged", "work"), None) for octets in letters])
        expected.update((FLAGS, octets) for octets in letters)
        ids = [row["id"] for row in await listed(replicas[0])]
        assert len(ids) == 8
        body = {"ids": ids, "action": "move", "folderId": "archive"}
        first, second = (answer.json()["results"] for answer in await both(replicas, "/messages/bulk", body, str(pair)))
        codes.update(result["status"] for result in first + second)
        new = [{result["newId"] for result in results if result["status"] == 200} for results in (first, second)]
        assert len(new[0] | new[1]) == 8
    assert set(codes) <= {200, 404}
    assert stored(dovecot, user, "INBOX") == {}
    assert stored(dovecot, user, "Archive") == expected


async def test_what_a_killed_process_has_claimed_is_moved_by_the_next_request(
    replicas: list[httpx.AsyncClient], dovecot: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-SEND-13: its keywords are all that it left, and they are removed."""
    monkeypatch.setattr(once, "PATIENCE", 2.0)  # less is less than a slow machine may take for a move
    dovecot.seed(user, [(letter(1), ("$seen",), None)])
    with signed_in(dovecot.ports.imap, user, PASSWORD) as client:
        client.select("INBOX")
        assert client.store("1", "+FLAGS.SILENT", f"({' '.join(sorted(NONCES[0]))})")[0] == "OK"
    [row] = await listed(replicas[0])
    answers = await both(replicas, f"/messages/{row['id']}/move", {"folderId": "archive"}, "key")
    assert {answer.status_code for answer in answers} == {200}
    assert stored(dovecot, user, "INBOX") == {}
    assert stored(dovecot, user, "Archive") == {(frozenset({"\\Seen"}), letter(1)): 1}


async def test_a_move_without_a_key_sets_no_keyword(
    replicas: list[httpx.AsyncClient], dovecot: Dovecot, user: str
) -> None:
    dovecot.seed(user, [(letter(1), ("$seen",), None)])
    [row] = await listed(replicas[0])
    assert (await replicas[0].post(f"{ME}/messages/{row['id']}/move", json={"folderId": "archive"})).is_success
    with signed_in(dovecot.ports.imap, user, PASSWORD) as client:
        client.select("Archive")
        [known] = client.response("FLAGS")[1]
    assert b"casella" not in known
