"""What the tests of POP3 share."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Security
from service.adapters.pop3.backend import Pop3Backend
from service.adapters.pop3.wire.timing import Timing

from .server import CREDENTIALS, Pop3Server

FAST = Timing(
    connect=2.0,
    greeting=0.3,
    idle=0.3,
    command=0.6,
    slowest=1024,
    queue=0.5,
    linger=0.05,
    session=5.0,
    aside=0.01,
    in_use=0.1,
    reconnect=0.01,
    quit=0.2,
    keep=0.5,
)


class Mailboxes:
    """Backends on servers, closed with them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def open(
        self,
        server: Pop3Server,
        timing: Timing = FAST,
        credentials: Credentials = CREDENTIALS,
        security: Security = Security.NONE,
        ca_file: Path | None = None,
        *,
        apop: bool = False,
    ) -> Pop3Backend:
        endpoint = await self._stack.enter_async_context(server.running(security, ca_file))
        endpoint = replace(endpoint, apop=apop)
        backend = Pop3Backend(endpoint, credentials, "account", timing)
        self._stack.push_async_callback(backend.aclose)
        return backend


@pytest.fixture
async def mailboxes() -> AsyncIterator[Mailboxes]:
    async with AsyncExitStack() as stack:
        yield Mailboxes(stack)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=IP:127.0.0.1"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=example.org"]
    subprocess.run(
        [*command, "-addext", names, "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
