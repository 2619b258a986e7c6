"""What each operation costs on a real Dovecot, in round trips: the table of docs/performance.md, counted on the way.

A service beside Gmail is fifty milliseconds away from it, so this is what people wait for. Whoever adds a round trip
changes the table.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.mail.model import Protocol
from service.mail.search.filter import Condition, Criterion, ListQuery
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST
from tests.servers.proxy import Proxy, passing

pytestmark = pytest.mark.dovecot
PAGE = re.compile(r"^\| ([^|]+) \| (\d+) \|$", re.MULTILINE)
DOCUMENT = Path(__file__).parents[3] / "docs" / "performance.md"
LETTER = b"From: ann@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\n\r\nx\r\n"
SUBJECT = Condition(Criterion.SUBJECT, "number")


@dataclass
class Way:
    """A mailbox, and the way to it."""

    mailbox: ImapBackend
    proxy: Proxy
    user: str

    async def cost(self, work: Callable[[], Awaitable[object]]) -> int:
        """The round trips of this work."""
        before = self.proxy.round_trips
        await work()
        return self.proxy.round_trips - before


@pytest.fixture
async def way(dovecot: Dovecot) -> AsyncIterator[Way]:
    user = dovecot.user()
    dovecot.seed(user, [(LETTER % (number, number), (), None) for number in range(40)])
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(passing(dovecot.ports.imap))
        endpoint = Endpoint(HOST, proxy.port, Security.NONE)
        mailbox = ImapBackend(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
        stack.push_async_callback(mailbox.aclose)
        yield Way(mailbox, proxy, user)


def documented() -> dict[str, int]:
    """The table, by operation."""
    section = DOCUMENT.read_text().partition("## Round trips")[2].partition("\n## ")[0]
    return {name.strip(): int(trips) for name, trips in PAGE.findall(section)}


async def test_each_operation_costs_the_round_trips_of_the_table(way: Way) -> None:
    """R-OPS-14: in the order of a visit."""
    mailbox, cost = way.mailbox, way.cost
    query = ListQuery(limit=10)
    found = {"sign in": await cost(mailbox.check)}
    found["first page"] = await cost(lambda: mailbox.list_messages("inbox", query))
    page = await mailbox.list_messages("inbox", query)
    first, second, third = [row.id for row in page.items][:3]
    following = ListQuery(limit=10, cursor=page.next_cursor)
    matching = ListQuery(limit=10, filter=SUBJECT)
    whole, inbox = await mailbox.get_sync_token(None), await mailbox.get_sync_token("inbox")
    for name, work in (
        ("the same page again", lambda: mailbox.list_messages("inbox", query)),
        ("next page", lambda: mailbox.list_messages("inbox", following)),
        ("open a message of a list", lambda: mailbox.get_message(first)),
        ("open it again", lambda: mailbox.get_message(first)),
        ("open a part", lambda: mailbox.open_part(first, "1")),
        ("search", lambda: mailbox.list_messages("inbox", matching)),
        ("list folders", mailbox.list_folders),
        ("changes of all folders: first token", lambda: mailbox.get_sync_token(None)),
        ("changes of all folders: nothing new", lambda: mailbox.list_all_changes(whole)),
        ("changes of a folder: nothing new", lambda: mailbox.list_changes("inbox", inbox)),
        ("set a flag", lambda: mailbox.change_flags(first, ["$flagged"], [])),
        ("set a flag and clear another", lambda: mailbox.change_flags(first, ["$seen"], ["$flagged"])),
        ("changes of a folder: one message", lambda: mailbox.list_changes("inbox", inbox)),
        ("changes of all folders: one message", lambda: mailbox.list_all_changes(whole)),
        ("move a message", lambda: mailbox.move_messages([second], "trash")),
        ("delete a message", lambda: mailbox.delete_messages([third])),
    ):
        found[name] = await cost(work)
    assert found == documented(), str(found)
