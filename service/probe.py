"""What a configured mail server is and can do, for ``casella check``: connect, TLS, greeting, capabilities; no
login."""

from dataclasses import dataclass

from service.adapters.imap import login as imap
from service.adapters.imap.framing import Limits
from service.adapters.imap.protocol import Timing
from service.adapters.pop3.connection import Connection
from service.adapters.pop3.timing import DEFAULT_TIMING
from service.mail.errors import MailError, UpstreamUnavailable
from service.servers import Endpoint, MailServer


@dataclass(frozen=True, slots=True)
class Line:
    """A line for people."""

    text: str
    is_good: bool


async def describe(row: MailServer) -> list[Line]:
    """A line for each listener of the server."""
    lines = []
    for protocol, listener, ask in (("imap", row.imap, _ask_imap), ("pop3", row.pop3, _ask_pop3)):
        if listener is None:
            continue
        where = f"{row.name} {protocol} {listener.host}:{listener.port} {listener.security}"
        try:
            offered = await ask(listener)
        except MailError as error:
            lines.append(Line(f"{where}: {type(error).__name__}: {error.detail}", is_good=False))
        else:
            lines.append(Line(f"{where}: {' '.join(sorted(offered))}", is_good=True))
    return lines


async def _ask_imap(endpoint: Endpoint) -> frozenset[str]:
    protocol = await imap.connect(endpoint, Timing(), Limits())
    try:
        return await imap.capabilities(protocol, Timing())
    finally:
        protocol.fail(UpstreamUnavailable("Asked what there was to ask.", protocol="imap"))


async def _ask_pop3(endpoint: Endpoint) -> frozenset[str]:
    connection = await Connection.open(endpoint, DEFAULT_TIMING)
    try:
        return frozenset(connection.capabilities or ())
    finally:
        await connection.leave()
