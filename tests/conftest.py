"""One server of each kind a process of the test run."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.servers.courier import Courier
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import METADATA, Dovecot
from tests.servers.dovecot24 import Dovecot24
from tests.servers.exim import Exim
from tests.servers.mailutils import Mailutils
from tests.servers.postgres import Postgres
from tests.servers.push import PushDouble
from tests.servers.sink import Sink
from tests.servers.submission import Postfix, SendingDovecot, is_root

pytest_plugins = ["tests.canaries"]

# With these, pytest shows all that differs, and to compare megabytes takes it longer than a test may.
for name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(name, None)

# The same examples in each run, so that a commit is green or red by what it changed; nightly draws new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("new", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("CASELLA_EXAMPLES", "same"))


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """Fails, with what to install, where there is no Dovecot: a run without it proves nothing."""
    with Dovecot() as server:
        yield server


@pytest.fixture(scope="session")
def metadata_dovecot() -> Iterator[Dovecot]:
    """One that keeps METADATA."""
    with Dovecot(settings=METADATA) as server:
        yield server


@pytest.fixture(scope="session")
def locking_dovecot() -> Iterator[Dovecot]:
    """One that lets a single POP3 client into a maildrop, as RFC 1939, 4 says, and takes APOP."""
    with Dovecot(
        settings="auth_mechanisms = plain login apop\nprotocol pop3 {\n  pop3_lock_session = yes\n}"
    ) as server:
        yield server


@pytest.fixture(scope="session")
def mailutils() -> Iterator[Mailutils]:
    """Fails, with what to install, where there is no mailutils."""
    with Mailutils() as server:
        yield server


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    """Where all mail goes that is sent."""
    with Sink() as server:
        yield server


@pytest.fixture(scope="session")
def submission(sink: Sink) -> Iterator[SendingDovecot]:
    """Dovecot's submission service. Fails, with what to install, where there is none."""
    with SendingDovecot(sink.port) as server:
        yield server


@pytest.fixture(scope="session")
def complete_dovecot(sink: Sink) -> Iterator[SendingDovecot]:
    """One that also keeps METADATA, so that every operation of the contract works on it."""
    with SendingDovecot(sink.port, METADATA) as server:
        yield server


@pytest.fixture
async def double() -> AsyncIterator[PushDouble]:
    """Where pushes go."""
    async with PushDouble() as server:
        yield server


@pytest.fixture(scope="session")
def postfix(sink: Sink, submission: SendingDovecot) -> Iterator[Postfix]:
    """Postfix, which asks ``submission`` for passwords."""
    if not is_root():
        pytest.skip("Postfix is started by root only")
    with Postfix(sink.port, submission) as server:
        yield server


@pytest.fixture(scope="session")
def exim(sink: Sink, submission: SendingDovecot) -> Iterator[Exim]:
    """Exim, with the certificate of ``submission``."""
    with Exim(sink.port, submission.certificates) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Fails, with what to install, if there is no PostgreSQL."""
    with Postgres() as server:
        yield server


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A database of its own, in a file."""
    return f"sqlite:///{tmp_path / 'casella.db'}"


@pytest.fixture(params=["file_url", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A database of its own, of each kind."""
    found = request.getfixturevalue(request.param)
    return str(found.url() if isinstance(found, Postgres) else found)


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Cyrus]:
    """With its default namespace. This and the next three are for `make servers`."""
    with Cyrus() as server:
        yield server


@pytest.fixture(scope="session")
def cyrus_alt() -> Iterator[Cyrus]:
    """With the other namespace."""
    with Cyrus(alternative=True) as server:
        yield server


@pytest.fixture(scope="session")
def courier() -> Iterator[Courier]:
    """As Debian configures it."""
    with Courier() as server:
        yield server


@pytest.fixture(scope="session")
def dovecot24() -> Iterator[Dovecot24]:
    """With rights and quotas."""
    with Dovecot24() as server:
        yield server
