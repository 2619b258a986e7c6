"""The API in process, in front of the run's Dovecot."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.settings.model import Settings
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

Connect = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def settings_for(server: Dovecot, **more: Any) -> Settings:
    """One server by either protocol, the same over TLS, STARTTLS and untrusted, and one that is not there."""

    def listeners(security: str, imap: int, pop3: int, ca_file: Path | None = None) -> dict[str, Any]:
        common = {"host": "localhost", "security": security, **({"ca_file": ca_file} if ca_file else {})}
        return {"imap": {**common, "port": imap}, "pop3": {**common, "port": pop3}}

    ports = server.ports
    servers = {
        "home": {"domains": ["example.org"], **listeners("none", ports.imap, ports.pop3)},
        "tls": listeners("tls", ports.imaps, ports.pop3s, server.ca_file),
        "starttls": listeners("starttls", ports.imap, ports.pop3, server.ca_file),
        "untrusted": listeners("tls", ports.imaps, ports.pop3s),
        "dead": {"imap": {"host": HOST, "port": 1, "security": "none"}},
    }
    return Settings(servers=servers, default_server="home", secret_keys=token_urlsafe(32), **more)


@pytest.fixture
def connect(dovecot: Dovecot) -> Connect:
    """``async with connect(user, password=..., **headers) as client``; user None sends no credentials."""

    @asynccontextmanager
    async def client(
        user: str | None = None, password: str = PASSWORD, settings: Settings | None = None, **headers: str
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(settings or settings_for(dovecot))
        auth = httpx.BasicAuth(user, password) if user is not None else None
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport,
                base_url="http://casella.example.org",
                auth=auth,
                timeout=60,
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            ) as http,  # fmt: skip
        ):
            yield http

    return client


def mail(subject: str = "hello", body: bytes = b"text\r\n", **fields: str) -> bytes:
    """A plain message."""
    head = {"From": "Ann Example <ann@example.org>", "To": "bob@example.org", "Subject": subject, **fields}
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in head.items()) + b"\r\n" + body


@pytest.fixture(scope="session")
def large_inbox(dovecot: Dovecot) -> str:
    """A user with 10,000 messages, every hundredth with a Unicode subject, the newest with parts."""
    user = dovecot.user("large")
    dovecot.seed(user, ((mail(f"number {n}" if n % 100 else f"Übersicht 会議 {n}"), (), None) for n in range(9_999)))
    dovecot.seed(user, [(PARTS, (), None)])
    return user


PARTS = (
    b"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nSubject: with parts\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee file.\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''%C3%9Cber.pdf\r\n\r\n"
    + b"\r\n".join([b"MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUlNUVVZX"] * 2000)
    + b"\r\n--b--\r\n"
)
ATTACHED = b"0123456789ABCDEFGHIJKLMNOPQRSTUVW" * 2000
