"""The capabilities that a mail server announces before login."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from service.accounts.servers import Disk, Endpoint
from service.adapters.imap.session import login as imap
from service.adapters.imap.wire.commands import Timing
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.maildir.passwords import Passwords
from service.adapters.pop3.wire.connection import Connection
from service.adapters.pop3.wire.timing import DEFAULT_TIMING
from service.adapters.smtp.session.connection import Connection as SmtpConnection
from service.adapters.smtp.wire.replies import PROTOCOL as SMTP
from service.adapters.smtp.wire.timing import DEFAULT_TIMING as SMTP_TIMING
from service.mail.errors import UpstreamUnavailable
from service.mail.model import Protocol

Ask = Callable[[Endpoint], Awaitable[frozenset[str] | None]]
"""Connects, with TLS as the endpoint requires, and returns the capabilities; None if the server does not know the
command. Raises MailError, and OSError for a ``ca_file`` that cannot be read."""


async def _imap(endpoint: Endpoint) -> frozenset[str]:
    protocol = await imap.connect(endpoint, Timing(), Limits())
    try:
        return await imap.capabilities(protocol, Timing())
    finally:
        protocol.fail(UpstreamUnavailable("The check has ended.", protocol="imap"))


async def _pop3(endpoint: Endpoint) -> frozenset[str] | None:
    connection = await Connection.open(endpoint, DEFAULT_TIMING)
    try:
        return announced_by(connection)
    finally:
        await connection.leave()


def announced_by(connection: Connection) -> frozenset[str] | None:
    """The capabilities with their parameters: the mechanisms of SASL, the days of EXPIRE (RFC 2449, 6.3, 6.7)."""
    if connection.capabilities is None:
        return None
    return frozenset(f"{tag}={','.join(rest)}" if rest else tag for tag, rest in connection.capabilities.items())


async def _smtp(endpoint: Endpoint) -> frozenset[str]:
    connection = await SmtpConnection.open(endpoint, SMTP_TIMING)
    try:
        return extensions_of(connection)
    finally:
        connection.leave()
        await connection.wait_closed()


def extensions_of(connection: SmtpConnection) -> frozenset[str]:
    """The extensions with their parameters: the mechanisms of AUTH, the octets of SIZE."""
    known = connection.extensions
    return frozenset(f"{word}={','.join(rest.split())}" if rest else word for word, rest in known.items())


async def count_users(disk: Disk) -> int:
    """The number of users who may sign in. Raises UpstreamUnavailable if the password file cannot be read."""
    return len(await asyncio.to_thread(Passwords(disk.passwords).users))


CAPABILITIES: Mapping[str, Ask] = {Protocol.IMAP: _imap, Protocol.POP3: _pop3, SMTP: _smtp}
