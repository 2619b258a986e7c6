"""One Casella with a Dovecot that also sends, for all tests of the page in a process."""

from collections.abc import AsyncIterator, Iterator
from secrets import token_urlsafe

import pytest
import pytest_asyncio

from tests.deploy.replica import Replica, environment
from tests.servers.process import HOST
from tests.servers.sink import Sink
from tests.servers.submission import SendingDovecot


def settings(dovecot: SendingDovecot) -> dict[str, str]:
    """The one server, found by the domain of its users."""
    own = environment(dovecot, secret_keys=token_urlsafe(32), drain_seconds=0)
    smtp = {"HOST": HOST, "PORT": str(dovecot.submission), "SECURITY": "none"}
    own |= {f"CASELLA_SERVERS__HOME__SMTP__{name}": value for name, value in smtp.items()}
    return own | {"CASELLA_SERVERS__HOME__DOMAINS": "example.org"}


@pytest.fixture(scope="session")
def outside() -> Iterator[Sink]:
    """Where mail goes that is sent."""
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def post(outside: Sink) -> Iterator[SendingDovecot]:
    """Where the mailboxes are."""
    with SendingDovecot(outside.port) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def url(post: SendingDovecot) -> AsyncIterator[str]:
    """The address of the service."""
    async with Replica(settings(post)) as replica:
        yield replica.url
