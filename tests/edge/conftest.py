"""`casella serve` as a process, with deadlines short enough for tests and no mail server behind it."""

import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.deploy.replica import Replica
from tests.servers.process import HOST

HEAD_SECONDS, BODY_SECONDS, STALL_SECONDS = 1.0, 1.0, 2.0


def patient(body_seconds: float, keep_alive_seconds: int = 75) -> tuple[str, ...]:
    """The service's command, with other deadlines."""
    return (
        sys.executable,
        "-c",
        "from service import cli; from service.http import listener; from service.http.connection import HttpConnection; "
        f"listener.KEEP_ALIVE_SECONDS = {keep_alive_seconds}; HttpConnection.head_seconds = {HEAD_SECONDS}; "
        f"HttpConnection.body_seconds = {body_seconds}; HttpConnection.stall_seconds = {STALL_SECONDS}; cli.run()",
    )


SHORT = patient(BODY_SECONDS)
NOBODY = {
    "CASELLA_SERVERS__HOME__IMAP__HOST": HOST,
    "CASELLA_SERVERS__HOME__IMAP__PORT": "1",
    "CASELLA_SERVERS__HOME__IMAP__SECURITY": "none",
    "CASELLA_DRAIN_SECONDS": "0",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replica() -> AsyncIterator[Replica]:
    """One for all tests of a module, which have its loop."""
    async with Replica(NOBODY, SHORT) as running:
        yield running
