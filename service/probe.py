"""What a configured mail server is and can do, for ``casella check``: connect, TLS, greeting, capabilities; no
login."""

import asyncio
from dataclasses import dataclass

from service.adapters.imap import login as imap
from service.adapters.imap.framing import Limits
from service.adapters.imap.protocol import Timing
from service.adapters.maildir.backend import CAPABILITIES
from service.adapters.maildir.passwords import Passwords
from service.adapters.pop3.connection import Connection
from service.adapters.pop3.timing import DEFAULT_TIMING
from service.mail.errors import MailError, UpstreamUnavailable
from service.mail.model import Protocol
from service.servers import Disk, Endpoint, MailServer


@dataclass(frozen=True, slots=True)
class Line:
    """A line for people."""

    text: str
    is_good: bool


async def describe(row: MailServer) -> list[Line]:
    """A line for each protocol of the server."""
    lines = []
    for protocol in row.protocols:
        where = f"{row.name} {protocol} {_where(getattr(row, protocol))}"
        try:
            offered = await _ASK[protocol](row)
        except MailError as error:
            lines.append(Line(f"{where}: {type(error).__name__}: {error.detail}", is_good=False))
        else:
            lines.append(Line(f"{where}: {' '.join(sorted(offered))}", is_good=True))
    return lines


def _where(place: Endpoint | Disk) -> str:
    return place.path if isinstance(place, Disk) else f"{place.host}:{place.port} {place.security}"


async def _ask_imap(row: MailServer) -> frozenset[str]:
    protocol = await imap.connect(row.endpoint(Protocol.IMAP), Timing(), Limits())
    try:
        return await imap.capabilities(protocol, Timing())
    finally:
        protocol.fail(UpstreamUnavailable("Asked what there was to ask.", protocol="imap"))


async def _ask_pop3(row: MailServer) -> frozenset[str]:
    connection = await Connection.open(row.endpoint(Protocol.POP3), DEFAULT_TIMING)
    try:
        return frozenset(connection.capabilities or ())
    finally:
        await connection.leave()


async def _ask_maildir(row: MailServer) -> frozenset[str]:
    assert row.maildir is not None
    await asyncio.to_thread(Passwords(row.maildir.passwords).users)
    return frozenset(CAPABILITIES)


_ASK = {Protocol.IMAP: _ask_imap, Protocol.POP3: _ask_pop3, Protocol.MAILDIR: _ask_maildir}
