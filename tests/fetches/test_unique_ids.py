"""By POP3 new mail is what was not listed before, whatever the server does with its unique-ids."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from service.adapters.pop3.backend import Pop3Backend
from service.fetches.content import Mark, Origin, Written
from service.fetches.looking import LEARNT, first_mark, look
from service.fetches.model import Plan
from tests.adapters.pop3.conftest import Mailboxes
from tests.adapters.pop3.server import CAPABILITIES, Pop3Server, Stored

NEW, OLD = "Sat, 28 Nov 2026 08:00:00 +0000", "Fri, 01 Feb 2020 08:00:00 +0000"
CREATED = datetime(2026, 11, 28, 7, tzinfo=UTC)
WITHOUT = tuple(each for each in CAPABILITIES if each != "UIDL")


def stored(number: int, uidl: str, at: str = NEW) -> Stored:
    header = f"Received: from x by y; {at}\r\nMessage-ID: <{number}@example.org>\r\nSubject: {number}\r\n\r\n"
    return Stored(uidl, f"{header}number {number}\r\n".encode())


class Fetch:
    """A fetch from a server whose messages change, by a mailbox that stays open."""

    def __init__(self, source: Pop3Backend, server: Pop3Server) -> None:
        self._source, self._server = source, server
        self._written = Written(Origin("test", "pop3", "user@example.org", "account"), Plan(), CREATED)
        self._mark = Mark()

    async def begin(self) -> None:
        self._mark = await first_mark(self._source, self._written.plan)

    async def new(self) -> list[int]:
        """The numbers of the messages that a run would fetch."""
        news = await look(self._source, self._written, self._mark)
        self._mark = news.mark
        octets = await self._source.read_sources([each for messages in news.found.values() for each in messages])
        return sorted(int(each.split(b"number ")[1]) for each in octets.values())

    @property
    def messages(self) -> list[Stored]:
        """Those of the server."""
        return self._server.messages

    @messages.setter
    def messages(self, messages: list[Stored]) -> None:
        self._server.messages = messages


Begin = Callable[..., Awaitable[Fetch]]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Makes a fetch from a server with these messages."""
    async with AsyncExitStack() as stack:

        async def begin(*messages: Stored, capabilities: tuple[str, ...] = CAPABILITIES) -> Fetch:
            server = Pop3Server(list(messages), capabilities)
            fetch = Fetch(await Mailboxes(stack).open(server), server)
            await fetch.begin()
            return fetch

        yield begin


@pytest.mark.parametrize(
    "uidl",
    [
        lambda number: f"a{number}",
        lambda number: f"{number}" + "x" * 100,
        lambda number: f'{number}"<>&%\\',
        lambda number: "same for all",
        lambda number: "same",
        lambda number: "",
        lambda number: f"ü{number}",
    ],
    ids=["plain", "long", "signs", "spaces", "same", "empty", "8-bit"],
)
async def test_each_message_is_new_once_under_any_unique_id(begin: Begin, uidl: Callable[[int], str]) -> None:
    fetch = await begin(*(stored(number, uidl(number)) for number in range(3)))
    assert await fetch.new() == []
    fetch.messages += [stored(number, uidl(number)) for number in (3, 4)]
    assert (await fetch.new(), await fetch.new()) == ([3, 4], [])


async def test_each_message_is_new_once_without_unique_ids(begin: Begin) -> None:
    fetch = await begin(stored(1, ""), stored(2, ""), capabilities=WITHOUT)
    fetch.messages.append(stored(3, ""))
    assert (await fetch.new(), await fetch.new()) == ([3], [])


async def test_a_unique_id_that_is_given_again_is_of_new_mail(begin: Begin) -> None:
    fetch = await begin(stored(1, "a"), stored(2, "b"))
    assert await fetch.new() == []
    fetch.messages[1] = stored(3, "b")
    assert (await fetch.new(), await fetch.new()) == ([3], [])


async def test_a_server_that_takes_the_number_for_the_unique_id_hides_no_mail(begin: Begin) -> None:
    """One message was deleted and one came: the same ids, each of another message."""
    fetch = await begin(*(stored(number, str(number)) for number in range(1, 31)))
    assert await fetch.new() == []
    for number in range(31, 34):
        del fetch.messages[0]
        kept = [int(each.octets.split(b"number ")[1]) for each in fetch.messages]
        fetch.messages = [stored(each, str(at)) for at, each in enumerate([*kept, number], 1)]
        assert (await fetch.new(), await fetch.new()) == ([number], [])


async def test_new_ids_of_more_old_mail_than_is_known_are_no_new_mail(begin: Begin) -> None:
    """The fetch is young, and has not read the headers of what was there before it."""
    count = LEARNT + 50
    fetch = await begin(*(stored(number, f"a{number}", OLD) for number in range(count)))
    fetch.messages = [stored(number, f"b{number}", OLD) for number in range(count)] + [stored(count, "new")]
    assert (await fetch.new(), await fetch.new()) == ([count], [])
