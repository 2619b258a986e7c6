"""What real servers show: Dovecot, which waits for a lock before it refuses, and GNU mailutils, which refuses at once."""

import asyncio
import poplib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace

import pytest

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.servers import Endpoint, Security
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.wire.timing import DEFAULT_TIMING, Timing
from service.mail.errors import InUse, LoginRefused, MailError, NotFound, UpstreamError
from service.mail.exchange import Download
from service.mail.model import Protocol
from service.mail.search.filter import ListQuery
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.mailutils import Mailutils
from tests.servers.process import HOST
from tests.servers.proxy import passing

pytestmark = pytest.mark.dovecot
Server = Dovecot | Mailutils
HASTY = replace(DEFAULT_TIMING, in_use=0.3, linger=0.1)


def mail(subject: str, body: bytes = b"Hello.\r\n") -> bytes:
    return b"From: ann@example.org\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body


@pytest.fixture(params=["dovecot", "mailutils"])
def server(request: pytest.FixtureRequest) -> Server:
    name = "locking_dovecot" if request.param == "dovecot" else "mailutils"
    found: Server = request.getfixturevalue(name)
    return found


class Opener:
    """Backends on real servers, closed after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    def open(
        self, port: int, user: str, timing: Timing = HASTY, password: str = PASSWORD, *, apop: bool = False
    ) -> Pop3Backend:
        credentials = Credentials("home", Protocol.POP3, user, password, SecretKind.PASSWORD)
        endpoint = Endpoint(HOST, port, Security.NONE, apop=apop)
        backend = Pop3Backend(endpoint, credentials, "account", timing)
        self._stack.push_async_callback(backend.aclose)
        return backend


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(stack)


@contextmanager
def stranger(server: Server, user: str) -> Iterator[poplib.POP3]:
    """Another program in the maildrop; it leaves by QUIT."""
    client = poplib.POP3(HOST, server.ports.pop3, timeout=30)
    try:
        client.user(user)
        client.pass_(PASSWORD)
        yield client
        client.quit()
    finally:
        client.close()


async def subjects(backend: Pop3Backend) -> dict[str | None, str]:
    """Ids by subject."""
    return {row.subject: row.id for row in (await backend.list_messages("inbox", ListQuery())).items}


async def octets(download: Download) -> bytes:
    return b"".join([chunk async for chunk in download.chunks])


async def test_a_stranger_in_the_maildrop_is_waited_for(server: Server, opener: Opener) -> None:
    """R-POP-05: until it leaves."""
    user = server.user()
    server.seed(user, [(mail("one"), (), None)])
    backend = opener.open(server.ports.pop3, user, DEFAULT_TIMING)
    with stranger(server, user):
        waiting = asyncio.create_task(subjects(backend))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    assert list(await waiting) == ["one"]


async def test_a_stranger_that_stays_is_in_use(server: Server, opener: Opener) -> None:
    """R-POP-05: for all who wait, by one look; and the maildrop is there again when the stranger has gone."""
    user = server.user()
    server.seed(user, [(mail("one"), (), None)])
    backend = opener.open(server.ports.pop3, user)
    with stranger(server, user):
        found = await asyncio.gather(*(backend.check() for _ in range(5)), return_exceptions=True)
    assert {type(one) for one in found} == {InUse}
    assert {one.retry_after for one in found if isinstance(one, MailError)} == {5}
    assert list(await subjects(backend)) == ["one"]


async def test_a_refused_password_does_not_lock_the_maildrop(server: Server, opener: Opener) -> None:
    """R-POP-05: [AUTH] and a plain -ERR."""
    with pytest.raises(LoginRefused):
        await opener.open(server.ports.pop3, server.user(), password="wrong").check()


async def test_renumbered_between_sessions_the_right_one_goes(server: Server, opener: Opener) -> None:
    """R-POP-06: another client deletes the first two and new mail comes; what was number 4 is 2 now."""
    user = server.user()
    server.seed(user, [(mail(f"{n}"), (), None) for n in range(5)])
    backend = opener.open(server.ports.pop3, user)
    known = await subjects(backend)
    await backend.aclose()
    with stranger(server, user) as client:
        client.dele(1)
        client.dele(2)
    server.seed(user, [(mail("new"), (), None)])
    outcomes = await backend.delete_messages([known["3"], known["0"]])
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, NotFound)
    assert list(await subjects(backend)) == ["new", "4", "2"]


async def test_a_connection_lost_before_quit_deletes_nothing(server: Server, opener: Opener) -> None:
    """R-POP-06: DELE was said and QUIT never came: unconfirmed, and all is there; then it is done again."""
    user = server.user()
    server.seed(user, [(mail(f"{n}"), (), None) for n in range(3)])
    async with passing(server.ports.pop3, cut_before=b"QUIT\r\n") as proxy:
        backend = opener.open(proxy.port, user)
        known = await subjects(backend)
        (outcome,) = await backend.delete_messages([known["1"]])
        assert isinstance(outcome.error, UpstreamError)
        assert outcome.error.code == "deleteUnconfirmed"
        assert await subjects(backend) == known
        await backend.aclose()
    whole = opener.open(server.ports.pop3, user)
    assert await subjects(whole) == known
    (outcome,) = await whole.delete_messages([known["1"]])
    assert outcome.error is None
    assert list(await subjects(whole)) == ["2", "0"]


async def test_octets_that_pop3_has_to_stuff(server: Server, opener: Opener) -> None:
    """R-POP-01, R-POP-02: dots and a line of 3 MB."""
    body = b".\r\n..\r\n.dot\r\n" + b"x" * 3_000_000 + b"\r\n.\r\n"
    user = server.user()
    server.seed(user, [(mail("dots", body), (), None)])
    backend = opener.open(server.ports.pop3, user)
    message = (await subjects(backend))["dots"]
    assert (await octets(await backend.open_source(message))).endswith(body)
    assert await octets(await backend.open_part(message, "1")) == body


async def test_these_servers_have_ids_and_headers(server: Server, opener: Opener) -> None:
    """R-POP-04, R-POP-08: no warnings."""
    user = server.user()
    server.seed(user, [(mail("one"), (), None)] * 2)
    backend = opener.open(server.ports.pop3, user)
    await backend.check()
    assert backend.warnings == ()


async def test_a_page_reads_its_headers_alone(locking_dovecot: Dovecot, opener: Opener) -> None:
    """By Dovecot's own count."""
    user = locking_dovecot.user()
    locking_dovecot.seed(user, [(mail(f"{n}"), (), None) for n in range(100)])
    backend = opener.open(locking_dovecot.ports.pop3, user)
    await backend.list_messages("inbox", ListQuery(50))
    await backend.aclose()
    async with asyncio.timeout(10):
        while not (said := re.findall(rf"pop3\({user}\).*Logged out top=(\d+)/.*retr=(\d+)/", locking_dovecot.log)):
            await asyncio.sleep(0.01)
    assert said == [("50", "0")]


async def test_apop_is_taken(locking_dovecot: Dovecot, opener: Opener) -> None:
    """R-POP-09."""
    user = locking_dovecot.user()
    await opener.open(locking_dovecot.ports.pop3, user, apop=True).check()
    assert f"user=<{user}>, method=APOP" in locking_dovecot.log
    with pytest.raises(LoginRefused):
        await opener.open(locking_dovecot.ports.pop3, user, password="wrong", apop=True).check()
