"""Mailboxes of every kind, for tests that hold for all of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING
from typing import Protocol as Shape

import pytest

from service.accounts import Credentials
from service.mail.backend import Backend
from service.mail.model import MessageSummary, Protocol
from service.mail.query import Filter, ListQuery
from service.servers import Endpoint, Security
from tests.contract.letters import Letter
from tests.memory import MemoryBackend
from tests.servers.dovecot import HOST, PASSWORD, Dovecot, append, signed_in, system_flag

if TYPE_CHECKING:
    from service.demo.messages import DemoMessage

PATIENCE = 10.0
"""Seconds that something may take to be seen."""
_usernames = count(1)


class Deliver(Shape):
    """Puts a message into the mailbox behind the back of its backend."""

    async def __call__(self, source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None) -> None: ...


@dataclass(frozen=True)
class Mailbox:
    """A mailbox of its own, signed in."""

    name: str
    backend: Backend
    deliver: Deliver

    async def newest(self) -> MessageSummary:
        """The first row of the list."""
        page = await self.backend.list_messages("inbox", ListQuery(limit=1))
        return page.items[0]

    async def all(self, limit: int = 200, filter: Filter | None = None) -> list[MessageSummary]:  # noqa: A002
        """Every row, newest first, page by page."""
        rows: list[MessageSummary] = []
        cursor = None
        while True:
            page = await self.backend.list_messages("inbox", ListQuery(limit, cursor, filter))
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                return rows

    async def ids(self) -> dict[str, str]:
        """Ids by subject."""
        return {row.subject or "": row.id for row in await self.all()}

    async def shows(self, total: int) -> None:
        """Returns once the list has so many messages; some servers show new mail only after another login."""
        async with asyncio.timeout(PATIENCE):
            while (await self.backend.list_messages("inbox", ListQuery(limit=1))).total != total:
                await asyncio.sleep(0.02)


class OpenMailbox(Shape):
    """Opens one that holds these letters, the last being the newest."""

    def __call__(self, *letters: Letter) -> Awaitable[Mailbox]: ...


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture(
    params=[
        "memory",
        pytest.param("imap-dovecot", marks=pytest.mark.dovecot),
        pytest.param("imap-dovecot-tls", marks=pytest.mark.dovecot),
        pytest.param("imap-dovecot-starttls", marks=pytest.mark.dovecot),
        pytest.param("pop3-dovecot", marks=pytest.mark.dovecot),
        pytest.param("pop3-dovecot-tls", marks=pytest.mark.dovecot),
        "imap-pymap",
        "pop3-demo",
    ]
)
async def open_mailbox(request: pytest.FixtureRequest) -> AsyncIterator[OpenMailbox]:
    """Each call opens another account of the same kind; all are closed after the test."""
    kind: str = request.param
    async with AsyncExitStack() as stack:

        async def open_one(*letters: Letter) -> Mailbox:
            if kind == "memory":
                mailbox = await _in_memory(letters)
            elif kind == "imap-pymap":
                mailbox = await _on_pymap(stack, letters)
            elif kind == "pop3-demo":
                mailbox = await _on_pop3_demo(stack, letters)
            else:
                mailbox = await _on_dovecot(kind, request.getfixturevalue("dovecot"), letters)
            stack.push_async_callback(mailbox.backend.aclose)
            return mailbox

        yield open_one


@pytest.fixture
async def mailbox(open_mailbox: OpenMailbox) -> Mailbox:
    """An empty one."""
    return await open_mailbox()


async def _in_memory(letters: Sequence[Letter]) -> Mailbox:
    backend = MemoryBackend(_username())

    async def deliver(source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None) -> None:
        backend.deliver(source, flags, received_at)

    for letter in letters:
        await deliver(letter.source, letter.flags, letter.received_at)
    return Mailbox("memory", backend, deliver)


async def _on_dovecot(kind: str, server: Dovecot, letters: Sequence[Letter]) -> Mailbox:
    protocol, _, security = kind.replace("-dovecot", "").partition("-")
    user, ports = server.user(), server.ports
    plain, tls = (ports.imap, ports.imaps) if protocol == "imap" else (ports.pop3, ports.pop3s)
    is_tls = security == "tls"
    endpoint = Endpoint("localhost", tls if is_tls else plain, Security(security or "none"), server.ca_file)

    async def deliver(source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None) -> None:
        await asyncio.to_thread(server.append, user, source, flags, received_at)

    server.seed(user, [(letter.source, letter.flags, letter.received_at) for letter in letters])
    return Mailbox(kind, make_backend(Protocol(protocol), endpoint, user, PASSWORD), deliver)


async def _on_pymap(stack: AsyncExitStack, letters: Sequence[Letter]) -> Mailbox:
    from service.demo.imap import imap_mailbox

    user = _username()
    port = await stack.enter_async_context(imap_mailbox([_demo(letter) for letter in letters], user, PASSWORD))

    def put(source: bytes, flags: Sequence[str], received_at: datetime | None) -> None:
        with signed_in(port, user, PASSWORD) as client:
            append(client, source, flags, received_at)

    async def deliver(source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None) -> None:
        await asyncio.to_thread(put, source, flags, received_at)

    endpoint = Endpoint(HOST, port, Security.NONE)
    return Mailbox("imap-pymap", make_backend(Protocol.IMAP, endpoint, user, PASSWORD), deliver)


async def _on_pop3_demo(stack: AsyncExitStack, letters: Sequence[Letter]) -> Mailbox:
    from service.demo.pop3 import pop3_mailbox

    user = _username()
    port = await stack.enter_async_context(pop3_mailbox([_demo(letter) for letter in letters], user, PASSWORD))

    async def deliver(source: bytes, flags: Sequence[str] = (), received_at: datetime | None = None) -> None:
        pytest.skip("the demo's maildrop is filled once, when it starts")

    endpoint = Endpoint(HOST, port, Security.NONE)
    return Mailbox("pop3-demo", make_backend(Protocol.POP3, endpoint, user, PASSWORD), deliver)


def _demo(letter: Letter) -> "DemoMessage":
    from service.demo.messages import DemoMessage

    flags = tuple(system_flag(flag) for flag in letter.flags)
    return DemoMessage(letter.source, letter.received_at or datetime.now(UTC), flags, "INBOX")


def make_backend(protocol: Protocol, endpoint: Endpoint, user: str, password: str) -> Backend:
    """The adapter for a user of a server."""
    from service.adapters.imap.backend import ImapBackend
    from service.adapters.pop3.backend import Pop3Backend
    from service.adapters.pop3.timing import DEFAULT_TIMING

    credentials = Credentials(f"server-{endpoint.port}", protocol, user, password)
    if protocol is Protocol.IMAP:
        return ImapBackend(endpoint, credentials, credentials.account)
    # A session does not see mail that comes after its login.
    return Pop3Backend(endpoint, credentials, credentials.account, replace(DEFAULT_TIMING, session=0.2))


def _username() -> str:
    return f"user{next(_usernames)}@example.org"
