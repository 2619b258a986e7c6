"""By POP3 new mail is what was not listed before, whatever the server does with its unique-ids."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

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
    """A fetch from a server whose messages change."""

    def __init__(self, *messages: Stored, capabilities: tuple[str, ...] = CAPABILITIES) -> None:
        self.messages, self._capabilities = list(messages), capabilities
        self._written = Written(Origin("test", "pop3", "user@example.org", "account"), Plan(), CREATED)
        self._mark = Mark()

    async def begin(self) -> "Fetch":
        async with AsyncExitStack() as stack:
            source = await Mailboxes(stack).open(Pop3Server(self.messages, self._capabilities))
            self._mark = await first_mark(source, self._written.plan)
        return self

    async def new(self) -> list[int]:
        """The numbers of the messages that a run would fetch."""
        async with AsyncExitStack() as stack:
            source = await Mailboxes(stack).open(Pop3Server(self.messages, self._capabilities))
            news = await look(source, self._written, self._mark)
            self._mark = news.mark
            found = [message for messages in news.found.values() for message in messages]
            octets = await source.read_sources(found)
        return sorted(int(each.split(b"number ")[1]) for each in octets.values())


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
async def test_each_message_is_new_once_under_any_unique_id(uidl: Callable[[int], str]) -> None:
    fetch = await Fetch(*(stored(number, uidl(number)) for number in range(3))).begin()
    assert await fetch.new() == []
    fetch.messages += [stored(number, uidl(number)) for number in (3, 4)]
    assert (await fetch.new(), await fetch.new()) == ([3, 4], [])


async def test_each_message_is_new_once_without_unique_ids() -> None:
    fetch = await Fetch(stored(1, ""), stored(2, ""), capabilities=WITHOUT).begin()
    fetch.messages.append(stored(3, ""))
    assert (await fetch.new(), await fetch.new()) == ([3], [])


async def test_a_unique_id_that_is_given_again_is_of_new_mail() -> None:
    fetch = await Fetch(stored(1, "a"), stored(2, "b")).begin()
    assert await fetch.new() == []
    fetch.messages[1] = stored(3, "b")
    assert (await fetch.new(), await fetch.new()) == ([3], [])


async def test_a_server_that_takes_the_number_for_the_unique_id_hides_no_mail() -> None:
    """One message was deleted and one came: the same ids, each of another message."""
    fetch = await Fetch(*(stored(number, str(number)) for number in range(1, 31))).begin()
    assert await fetch.new() == []
    for number in range(31, 34):
        del fetch.messages[0]
        kept = [int(each.octets.split(b"number ")[1]) for each in fetch.messages]
        fetch.messages = [stored(each, str(at)) for at, each in enumerate([*kept, number], 1)]
        assert (await fetch.new(), await fetch.new()) == ([number], [])


async def test_new_ids_of_more_old_mail_than_is_known_are_no_new_mail() -> None:
    """The fetch is young, and has not read the headers of what was there before it."""
    count = LEARNT + 50
    fetch = await Fetch(*(stored(number, f"a{number}", OLD) for number in range(count))).begin()
    fetch.messages = [stored(number, f"b{number}", OLD) for number in range(count)] + [stored(count, "new")]
    assert (await fetch.new(), await fetch.new()) == ([count], [])
