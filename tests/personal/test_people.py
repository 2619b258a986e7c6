"""Completing addresses: who comes first, what matches, and what it costs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from service.mail.errors import UpstreamTimeout
from service.mail.exchange import Correspondence
from service.mail.model import Capability
from service.mail.search.filter import ListQuery
from service.personal import people
from service.personal.people import People, fold
from tests.memory import MemoryBackend

NOW = datetime.now(UTC)
MINE = "me@example.org"


class Counting(MemoryBackend):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = self.searches = 0
        self.fails = False

    async def list_correspondents(
        self, folder: str, query: ListQuery, *, recipients: bool = False
    ) -> Sequence[Correspondence]:
        if query.filter is None:
            self.lists += 1
        else:
            self.searches += 1
            if self.fails:
                raise UpstreamTimeout
        return await super().list_correspondents(folder, query, recipients=recipients)


@pytest.fixture
async def mailbox() -> Counting:
    backend = Counting()
    await backend.create_folder("Sent")
    backend._boxes[-1].role = "sent"
    return backend


def receive(backend: MemoryBackend, sender: str, days: float = 0) -> None:
    source = f"From: {sender}\r\nTo: {MINE}\r\n\r\nx\r\n".encode()
    backend.deliver(source, (), NOW - timedelta(days))


def send(backend: MemoryBackend, to: str, days: float = 0) -> None:
    source = f"From: {MINE}\r\nTo: {to}\r\n\r\nx\r\n".encode()
    backend.deliver(source, (), NOW - timedelta(days), "sent")


async def emails(found: People, backend: MemoryBackend, text: str, limit: int = 10) -> list[str]:
    return [person.email for person in await found.find(backend, text, limit, [MINE])]


async def test_those_whom_the_user_writes_to_come_first(mailbox: Counting) -> None:
    for _ in range(3):
        receive(mailbox, "News <news@example.org>")
    send(mailbox, "Ben <ben@example.org>, me@example.org")
    send(mailbox, "cat@example.org", 400)
    send(mailbox, "Ann <ann@example.org>", 1)
    send(mailbox, "Ann Example <ANN@example.org>")
    found = await People().find(mailbox, "", 10, [MINE.upper()])
    assert [person.email.lower() for person in found] == [
        "ann@example.org",
        "ben@example.org",
        "news@example.org",
        "cat@example.org",
    ]
    assert (found[0].name, found[0].count) == ("Ann Example", 2)
    assert found[0].last_at == NOW.replace(microsecond=found[0].last_at.microsecond if found[0].last_at else 0)
    assert found[3].name is None


@pytest.mark.parametrize(
    "text", ["rene", "RENÉ", "rené mu", "mull", "muller rene", "rm@", "host", "strasse", "ＲＥＮＥ", "e\u0301ric"]
)
async def test_letter_case_and_accents_do_not_matter(mailbox: Counting, text: str) -> None:
    name = "=?utf-8?q?Ren=C3=A9_=C3=89ric_M=C3=BCller_Stra=C3=9Fe?="
    send(mailbox, f"{name} <rm@host.example.org>")
    send(mailbox, "Zoe <zoe@example.com>")
    assert await emails(People(), mailbox, text) == ["rm@host.example.org"]


async def test_beginnings_of_words_come_before_middles(mailbox: Counting) -> None:
    for _ in range(5):
        send(mailbox, "Joanna <joanna@example.org>")
    send(mailbox, "Ann <a@example.org>")
    assert await emails(People(), mailbox, "ann") == ["a@example.org", "joanna@example.org"]


async def test_what_is_typed_on_costs_nothing_and_older_people_are_searched_once(
    mailbox: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "NEWEST", 3)
    send(mailbox, "Old Friend <friend@example.org>", 900)
    for number in range(3):
        send(mailbox, f"new{number}@example.org")
    found = People()
    assert len(await emails(found, mailbox, "")) == 3
    assert mailbox.lists == 2
    assert await emails(found, mailbox, "fr") == ["friend@example.org"]
    assert mailbox.searches == 2
    for text in ("fri", "frie", "friends", "fr", "friend old"):
        await emails(found, mailbox, text)
    assert (mailbox.lists, mailbox.searches) == (2, 2)
    assert await emails(found, mailbox, "old") == ["friend@example.org"]
    assert await emails(found, mailbox, "new1", 1) == ["new1@example.org"]
    assert (mailbox.lists, mailbox.searches) == (2, 4)


async def test_a_search_with_an_accent_does_not_hide_those_without(
    mailbox: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "NEWEST", 1)
    send(mailbox, "Asa <asa@example.org>", 900)
    send(mailbox, "new@example.org")
    found = People()
    assert await emails(found, mailbox, "åsa") == []
    assert await emails(found, mailbox, "Asa") == ["asa@example.org"]
    assert await emails(found, mailbox, "asa") == ["asa@example.org"]
    assert mailbox.searches == 4


async def test_new_mail_is_seen_after_a_while(mailbox: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    found = People()
    assert await emails(found, mailbox, "") == []
    send(mailbox, "ben@example.org")
    assert await emails(found, mailbox, "") == []
    monkeypatch.setattr(people, "FRESH_SECONDS", -1)
    found = People()
    for _ in range(2):
        assert await emails(found, mailbox, "") == ["ben@example.org"]
    [person] = await found.find(mailbox, "", 10)
    assert person.count == 1  # though the message was read three times


async def test_a_search_that_fails_leaves_those_who_are_known(mailbox: Counting) -> None:
    send(mailbox, "ben@example.org")
    mailbox.fails = True
    assert await emails(People(), mailbox, "ben") == ["ben@example.org"]
    mailbox.capabilities = frozenset({Capability.SETTINGS})
    before = mailbox.searches
    assert await emails(People(), mailbox, "ben") == ["ben@example.org"]
    assert mailbox.searches == before


async def test_memory_is_bounded(mailbox: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message to thousands names no acquaintances, and accounts that were not used lately are forgotten."""
    send(mailbox, ", ".join(f"p{number}@example.org" for number in range(900)))
    found = People()
    assert len(await emails(found, mailbox, "", 2000)) == people._MAX_OF_ONE
    monkeypatch.setattr(people, "_MAX_KEPT", 400)
    for number in range(5):
        other = MemoryBackend(f"user{number}@example.org")
        for each in range(60):
            receive(other, f"p{each}@example.org")
        await emails(found, other, "")
    assert len(found._fresh) == 2
    assert set(found._fresh) == set(found._kept)


def test_folding_is_linear() -> None:
    assert fold("Ça vA") == "ca va"
    assert len(fold("ﷺ" * 1000)) < 20_000
