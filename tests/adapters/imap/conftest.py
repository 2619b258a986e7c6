"""A mailbox on a scripted server, with deadlines short enough for tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.wire.commands import Timing
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.shared.connection_limit import ConnectionLimit
from service.mail.model import Protocol
from tests.servers.scripted import Answers, Imap, ScriptedServer, Step

CREDENTIALS = Credentials("scripted", Protocol.IMAP, "user", "canary-password")
TIMING = Timing(connect=1, greeting=0.5, login=0.5, progress=0.5, command=1, patience=0.4)
CAPABILITIES = b"IMAP4rev1 UIDPLUS LITERAL+ SASL-IR AUTH=PLAIN"
Scripted = Callable[..., AbstractAsyncContextManager[tuple[ScriptedServer, ImapBackend]]]


@pytest.fixture
def scripted() -> Scripted:
    """``async with scripted({verb: answer}, limits=..., connections=...) as (server, mailbox)``. The inbox has the
    UIDVALIDITY 7 and three messages."""

    @asynccontextmanager
    async def run(
        answers: "Answers | None" = None, *, opening: "Step | None" = None, capabilities: bytes = CAPABILITIES,
        security: Security = Security.NONE, credentials: Credentials = CREDENTIALS, limits: Limits | None = None,
        connections: int = 2, timing: Timing = TIMING, continuation: bytes = b"+ go on\r\n", host: ConnectionLimit | None = None,
        compress: bool | None = None,
    ) -> AsyncIterator[tuple[ScriptedServer, ImapBackend]]:  # fmt: skip
        imap = Imap(exists=3, uid_validity=7, uid_next=4, capabilities=capabilities, answers=answers or {},
                    continuation=continuation)  # fmt: skip
        async with ScriptedServer([imap] if opening is None else [opening, Imap(greeting=None)]) as server:
            endpoint = Endpoint(server.host, server.port, security, compress=compress)
            mailbox = ImapBackend(
                endpoint, credentials, connections=connections, timing=timing, limits=limits, host=host
            )
            try:
                yield server, mailbox
            finally:
                await mailbox.aclose()

    return run


def asked(server: ScriptedServer) -> list[str]:
    """The verbs the server heard, without those of signing in and out."""
    return [verb for verb in server.verbs if verb not in {"CAPABILITY", "LOGIN", "LOGOUT", "AUTHENTICATE"}]


def inbox_of(exists: int) -> bytes:
    """The answer to SELECT of an inbox with so many messages."""
    return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 999] ok\r\n{tag} OK [READ-WRITE] done\r\n" % exists
