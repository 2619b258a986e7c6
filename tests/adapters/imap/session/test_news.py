"""What a connection to Dovecot knows of its folder after it asked for the news."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.ids import Ids
from service.adapters.imap.lists.page import list_page
from service.adapters.imap.messages.cache import Rows
from service.adapters.imap.messages.folder_rows import FolderRows
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import still_there
from service.mail.errors import UpstreamUnavailable
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.servers.dovecot import PASSWORD, Dovecot, append
from tests.servers.process import HOST

pytestmark = pytest.mark.dovecot
FLAGS = (b"UID", b"FETCH", b"1:*", b"(UID FLAGS)")


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: hello\r\n\r\nworld\r\n", (), None)])
    return user


async def opened(dovecot: Dovecot, user: str) -> Connection:
    endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
    connection = await Connection.open(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
    await connection.select(b"INBOX")
    return connection


@pytest.fixture
async def connection(dovecot: Dovecot, user: str) -> AsyncIterator[Connection]:
    connection = await opened(dovecot, user)
    connection.is_fresh = False  # as when it is given back
    yield connection
    connection.fail(UpstreamUnavailable())


async def state(dovecot: Dovecot, user: str) -> str | None:
    """As somebody sees it who comes only now."""
    connection = await opened(dovecot, user)
    connection.fail(UpstreamUnavailable())
    assert connection.selected is not None
    return connection.selected.state


async def test_the_state_is_not_from_before_the_news(connection: Connection, dovecot: Dovecot, user: str) -> None:
    """R-CONC-07: else a list with new mail would be answered 304 to who has it without."""
    await asyncio.to_thread(dovecot.append, user, b"Subject: news\r\n\r\nx\r\n")
    selected = await connection.refresh()
    assert selected.exists == 2
    assert selected.state == await state(dovecot, user)


@pytest.mark.parametrize("is_told_uids", [False, True])
async def test_flags_of_others_are_news(
    connection: Connection, dovecot: Dovecot, user: str, is_told_uids: bool
) -> None:
    """R-CONC-07: with QRESYNC they come with their UID, as what was asked for does."""
    if is_told_uids:
        await connection.enable_qresync(b"INBOX")
        connection.is_fresh = False
    assert await connection.refresh_with(*FLAGS) is not None
    connection.is_fresh = False
    with dovecot.connect(user) as other:
        other.select()
        other.store("1", "+FLAGS", "(\\Seen)")
    assert await connection.refresh_with(*FLAGS) is None
    assert connection.selected is not None
    assert connection.selected.state == await state(dovecot, user)


@pytest.mark.parametrize("had_mail", [True, False])
@pytest.mark.parametrize("way", ["removed", "replaced", "renamed"])
async def test_a_folder_whose_name_another_one_has_is_noticed(dovecot: Dovecot, way: str, had_mail: bool) -> None:
    """R-IMAP-08: the connection is closed, so that the next one sees the new folder."""
    user = dovecot.user()
    mail = [(b"Subject: old\r\n\r\nx\r\n", (), None)] * had_mail
    dovecot.seed(user, mail, "Work")
    connection = await opened(dovecot, user)
    await connection.select(b"Work")
    connection.is_fresh = False
    with dovecot.connect(user) as other:
        if way == "renamed":
            other.rename("Work", "Elsewhere")
            other.create("New")
            other.rename("New", "Work")
        else:
            other.delete("Work")
            if way == "replaced":
                other.create("Work")
                append(other, b"Subject: new\r\n\r\nx\r\n", (), None, "Work")
    with pytest.raises(UpstreamUnavailable):
        await connection.refresh()
    assert not connection.is_open


async def test_what_is_told_to_be_gone_is_not_there(connection: Connection, dovecot: Dovecot, user: str) -> None:
    """R-CONC-01: though the same answer has a row of it."""
    with dovecot.connect(user) as other:
        other.select()
        other.store("1", "+FLAGS", "(\\Deleted)")
        other.expunge()
    assert await still_there(connection, [1]) == set()


async def test_what_was_removed_just_now_is_no_row(dovecot: Dovecot) -> None:
    """R-IMAP-06: of a message that nobody read before Dovecot tells a row of nothing."""
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: %d\r\n\r\nx\r\n" % number, (), None) for number in range(3)])
    connection = await opened(dovecot, user)
    with dovecot.connect(user) as other:
        other.select()
        other.store("2", "+FLAGS", "(\\Deleted)")
        other.expunge()
    rows = FolderRows(Rows(), Ids("account"), connection)
    page = await list_page(rows, Ids("account"), ListQuery())
    assert [row.subject for row in page.items] == ["2", "0"]
    connection.fail(UpstreamUnavailable())
