"""A mailbox on a scripted server, with deadlines short enough for tests."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from service.accounts import Credentials
from service.adapters.imap.backend import ImapBackend
from service.adapters.imap.framing import Limits
from service.adapters.imap.protocol import Timing
from service.mail.model import Protocol
from tests.servers.scripted import Answer, ScriptedImap

CREDENTIALS = Credentials("scripted", Protocol.IMAP, "user", "canary-password")
TIMING = Timing(connect=1, greeting=0.5, login=0.5, progress=0.5, command=1)
Scripted = Callable[..., AbstractAsyncContextManager[tuple[ScriptedImap, ImapBackend]]]


@pytest.fixture
def scripted() -> Scripted:
    """``async with scripted({verb: answer}, limits=..., connections=...) as (server, mailbox)``."""

    @asynccontextmanager
    async def run(
        script: Mapping[str, Answer] | None = None, *, credentials: Credentials = CREDENTIALS, limits: Limits | None = None,
        connections: int = 2, timing: Timing = TIMING, **server: Any,
    ) -> AsyncIterator[tuple[ScriptedImap, ImapBackend]]:  # fmt: skip
        async with ScriptedImap(script, **server) as imap:
            mailbox = ImapBackend(
                imap.endpoint, credentials, connections=connections, timing=timing, limits=limits or Limits()
            )
            try:
                yield imap, mailbox
            finally:
                await mailbox.aclose()

    return run
