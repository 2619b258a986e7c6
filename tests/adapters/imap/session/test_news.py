"""What a connection to Dovecot knows of its folder after it asked for the news."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.ids import Ids
from service.adapters.imap.lists.page import Pages
from service.adapters.imap.messages.cache import MessageCache
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import find_existing
from service.adapters.imap.session.selection import Selection, select
from service.mail.errors import UpstreamUnavailable
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.imap.held import Held
from tests.servers.dovecot import PASSWORD, Dovecot, append
from tests.servers.process import HOST

pytestmark = pytest.mark.dovecot
FLAGS = [b"UID", b"FETCH", b"1:*", b"(UID FLAGS)"]


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: hello\r\n\r\nworld\r\n", (), None)])
    return user


async def opened(dovecot: Dovecot, user: str, folder: bytes = b"INBOX") -> Selection:
    endpoint = Endpoint(HOST, dovecot.ports.imap, Security.NONE)
    connection = await Connection.open(endpoint, Credentials("home", Protocol.IMAP, user, PASSWORD))
    return await select(connection, folder)


@pytest.fixture
async def selection(dovecot: Dovecot, user: str) -> AsyncIterator[Selection]:
    selection = await opened(dovecot, user)
    selection.is_fresh = False  # as when its connection is given back
    yield selection
    selection.connection.fail(UpstreamUnavailable())


async def state(dovecot: Dovecot, user: str) -> str | None:
    """As a new session sees it."""
    selection = await opened(dovecot, user)
    selection.connection.fail(UpstreamUnavailable())
    return selection.state


async def test_the_state_is_not_from_before_the_news(selection: Selection, dovecot: Dovecot, user: str) -> None:
    """R-CONC-07: otherwise a list with new mail would be answered 304 to a client that has the old list."""
    await asyncio.to_thread(dovecot.append, user, b"Subject: news\r\n\r\nx\r\n")
    await selection.refresh()
    assert selection.exists == 2
    assert selection.state == await state(dovecot, user)


@pytest.mark.parametrize("has_qresync", [False, True])
async def test_flags_of_others_are_news(selection: Selection, dovecot: Dovecot, user: str, has_qresync: bool) -> None:
    """R-CONC-07: with QRESYNC they come with their UID, as requested rows do."""
    if has_qresync:
        await selection.enable_qresync()
        selection.is_fresh = False
    assert (await selection.refresh_with(FLAGS)).untagged() is not None
    selection.is_fresh = False
    with dovecot.connect(user) as other:
        other.select()
        other.store("1", "+FLAGS", "(\\Seen)")
    assert (await selection.refresh_with(FLAGS)).untagged() is None
    assert selection.state == await state(dovecot, user)


@pytest.mark.parametrize("had_mail", [True, False])
@pytest.mark.parametrize("way", ["removed", "replaced", "renamed"])
async def test_a_folder_whose_name_now_belongs_to_another_is_noticed(
    dovecot: Dovecot, way: str, had_mail: bool
) -> None:
    """R-IMAP-08: the connection is closed, so that the next one sees the new folder."""
    user = dovecot.user()
    mail = [(b"Subject: old\r\n\r\nx\r\n", (), None)] * had_mail
    dovecot.seed(user, mail, "Work")
    selection = await opened(dovecot, user, b"Work")
    selection.is_fresh = False
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
        await selection.refresh()
    assert not selection.connection.is_open


async def test_messages_reported_as_gone_do_not_exist(selection: Selection, dovecot: Dovecot, user: str) -> None:
    """R-CONC-01: although the same answer has a row of it."""
    with dovecot.connect(user) as other:
        other.select()
        other.store("1", "+FLAGS", "(\\Deleted)")
        other.expunge()
    assert await find_existing(selection, [1]) == set()


async def test_a_message_removed_just_now_has_no_row(dovecot: Dovecot) -> None:
    """R-IMAP-06: Dovecot has an empty row of a message that was never read before."""
    user = dovecot.user()
    dovecot.seed(user, [(b"Subject: %d\r\n\r\nx\r\n" % number, (), None) for number in range(3)])
    selection = await opened(dovecot, user)
    with dovecot.connect(user) as other:
        other.select()
        other.store("2", "+FLAGS", "(\\Deleted)")
        other.expunge()
    page = await Pages(Held(selection, Ids("account")), MessageCache()).read(b"INBOX", ListQuery())
    assert [row.subject for row in page.items] == ["2", "0"]
    selection.connection.fail(UpstreamUnavailable())
