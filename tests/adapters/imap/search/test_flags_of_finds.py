"""A search costs one round trip, and its rows have the flags of now all the same."""

import asyncio
import imaplib
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.messages.known_flags import MOST, FlagsRead, KnownFlags
from service.mail.model import Protocol
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import passing

LETTER = b"From: ann@example.org\r\nSubject: number %d\r\n\r\nx\r\n"
COUNT = 60
MATCHING = ListQuery(limit=50, filter=Condition(Criterion.SUBJECT, "number"))
WORDS = ("\\Seen", "\\Flagged", "\\Answered", "work")


class Other:
    """Another client of the mailbox."""

    def __init__(self, dovecot: Dovecot, user: str) -> None:
        self.client = imaplib.IMAP4(HOST, dovecot.ports.imap)
        self.client.login(user, PASSWORD)
        self.client.select("INBOX")

    def change(self, draw: random.Random) -> None:
        """Change the flags of some messages, or remove one."""
        numbers = ",".join(map(str, sorted(draw.sample(range(1, COUNT // 2), draw.randint(1, 9)))))
        self.client.uid("STORE", numbers, draw.choice(("+FLAGS", "-FLAGS")), f"({draw.choice(WORDS)})")
        if draw.random() < 0.1:
            self.client.uid("STORE", str(draw.randint(1, 10)), "+FLAGS", r"(\Deleted)")
            self.client.expunge()

    def flags(self) -> dict[int, set[str]]:
        """The flags of all messages by UID, in the names of the API."""
        self.client.noop()
        _, rows = self.client.uid("FETCH", "1:*", "(FLAGS)")
        texts = [row.decode() for row in rows if isinstance(row, bytes) and b"UID " in row]
        return {int(text.split("UID ")[1].split()[0].rstrip(")")): set(words(text)) for text in texts}


def words(text: str) -> Sequence[str]:
    return [
        word.lower().replace("\\", "$")
        for word in text.split("FLAGS (")[1].split(")", maxsplit=1)[0].split()
        if word != "\\Recent"
    ]


@pytest.fixture
async def mailbox(dovecot: Dovecot) -> AsyncIterator[tuple[ImapBackend, Other]]:
    user = dovecot.user()
    dovecot.seed(user, [(LETTER % number, (), None) for number in range(COUNT)])
    endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
    backend = ImapBackend(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
    other = Other(dovecot, user)
    yield backend, other
    other.client.logout()
    await backend.aclose()


@pytest.mark.dovecot
async def test_finds_have_the_flags_of_now_whatever_others_change(mailbox: tuple[ImapBackend, Other]) -> None:
    """R-IMAP-25: each search after a change of another client, of this one, or of none; several at once."""
    backend, other = mailbox
    draw = random.Random(7)
    for _ in range(60):
        match draw.randint(0, 3):
            case 0:
                await asyncio.to_thread(other.change, draw)
            case 1:
                page = await backend.list_messages("inbox", ListQuery(limit=20))
                row = draw.choice(page.items)
                await backend.change_flags(row.id, ["$flagged"], ["$seen"])
            case 2:
                await backend.list_messages("inbox", ListQuery(limit=draw.choice((5, 30))))
        pages = await asyncio.gather(*(backend.list_messages("inbox", MATCHING) for _ in range(draw.choice((1, 1, 3)))))
        now = await asyncio.to_thread(other.flags)
        uids = sorted(now, reverse=True)[: MATCHING.limit]
        for page in pages:
            assert [set(row.flags) for row in page.items] == [now[uid] for uid in uids]


@pytest.mark.dovecot
async def test_a_search_for_known_rows_costs_one_round_trip(dovecot: Dovecot) -> None:
    """R-OPS-14: one more until all that others changed is older than what is known."""
    user = dovecot.user()
    dovecot.seed(user, [(LETTER % number, (), None) for number in range(COUNT)])
    async with passing(dovecot.ports.imap) as proxy:
        backend = ImapBackend(
            Endpoint(HOST, proxy.port, Security.NONE), Credentials("home", Protocol.IMAP, user, PASSWORD)
        )
        await backend.list_messages("inbox", ListQuery(limit=50))
        trips = []
        for is_changed in (False, False, True, False, False):
            if is_changed:
                other = Other(dovecot, user)
                other.client.uid("STORE", "1:30", "+FLAGS", r"(\Flagged)")
                other.client.logout()
            before = proxy.round_trips
            await backend.list_messages("inbox", MATCHING)
            trips.append(proxy.round_trips - before)
        await backend.aclose()
    assert trips == [1, 1, 2, 2, 1]


def test_known_flags_are_bounded_and_those_read_last_stay() -> None:
    """R-OPS-06."""
    known = KnownFlags()
    for at in range(100):
        known = known.noting(FlagsRead(at, dict.fromkeys(range(at * 50, at * 50 + 50), b"[]")))
    assert sum(len(each.flags) for each in known.reads) == MOST
    assert [each.as_of for each in known.reads] == list(range(90, 100))


def test_what_was_read_meanwhile_keeps_its_own_number() -> None:
    """R-IMAP-25: a confirmation is about what was known when it was asked for."""
    early, late = FlagsRead(3, {1: b"[]"}), FlagsRead(2, {2: b"[]"})
    earlier = KnownFlags().noting(early)
    known = earlier.noting(late).replacing(earlier, FlagsRead(9, {1: b'["$seen"]'}))
    assert [(each.as_of, dict(each.flags)) for each in known.reads] == [(2, {2: b"[]"}), (9, {1: b'["$seen"]'})]
    assert known.since == 2
