"""What a mail server offers before anybody signs in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from service.accounts.servers import Disk, Endpoint
from service.adapters.imap.session import login as imap
from service.adapters.imap.wire.commands import Timing
from service.adapters.imap.wire.framing import Limits
from service.adapters.maildir.passwords import Passwords
from service.adapters.pop3.wire.connection import Connection
from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.mail.errors import UpstreamUnavailable
from service.mail.model import Protocol

Ask = Callable[[Endpoint], Awaitable[frozenset[str] | None]]
"""Connects, with TLS as the endpoint demands, and asks for the capabilities. None if the server does not know the
question. Raises MailError, and OSError for a ``ca_file`` that cannot be read."""


async def _imap(endpoint: Endpoint) -> frozenset[str]:
    protocol = await imap.connect(endpoint, Timing(), Limits())
    try:
        return await imap.capabilities(protocol, Timing())
    finally:
        protocol.fail(UpstreamUnavailable("Asked what there was to ask.", protocol="imap"))


async def _pop3(endpoint: Endpoint) -> frozenset[str] | None:
    connection = await Connection.open(endpoint, DEFAULT_TIMING)
    try:
        return offered(connection)
    finally:
        await connection.leave()


def offered(connection: Connection) -> frozenset[str] | None:
    """With what a capability says about itself: the mechanisms of SASL, the seconds of EXPIRE."""
    told = connection.capabilities
    return (
        None
        if told is None
        else frozenset("=".join([tag, ",".join(rest)][: 1 + bool(rest)]) for tag, rest in told.items())
    )


async def users_of(disk: Disk) -> int:
    """How many may sign in. UpstreamUnavailable if the file of passwords cannot be read."""
    return len(await asyncio.to_thread(Passwords(disk.passwords).users))


ASK: Mapping[Protocol, Ask] = {Protocol.IMAP: _imap, Protocol.POP3: _pop3}
