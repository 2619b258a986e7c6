"""An IMAP server of one mailbox for everybody, in which nothing happens; it costs next to nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.servers.process import HOST
from tests.servers.visits import closed

OFFERS = b"CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ENABLE UNSELECT CONDSTORE QRESYNC NOTIFY LIST-EXTENDED LIST-STATUS SPECIAL-USE"
STATUS = b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 3 UNSEEN 0 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 9)\r\n'


class Quiet(asyncio.Protocol):
    """One connection to it, which is among those ``connected``."""

    def __init__(self, connected: set[asyncio.Transport]) -> None:
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected.add(transport)
        transport.write(b"* OK [" + OFFERS + b"] ready\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._connected.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        for line in data.split(b"\r\n")[:-1]:
            tag, _, command = line.partition(b" ")
            verb = command.split(b" ")[0].upper()
            if verb in {b"LOGIN", b"AUTHENTICATE"}:
                self._transport.write(tag + b" OK [" + OFFERS + b"] hello\r\n")
            elif verb in {b"LIST", b"STATUS"}:
                self._transport.write(STATUS + tag + b" OK done\r\n")
            elif tag:
                self._transport.write(tag + b" OK done\r\n")


@asynccontextmanager
async def quiet_server() -> AsyncIterator[dict[str, str]]:
    """The service's environment with it as the only server."""
    connected: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Quiet(connected), HOST, 0, backlog=4096)
    try:
        yield {
            "CASELLA_DEFAULT_SERVER": "home",
            "CASELLA_SERVERS__HOME__IMAP__HOST": HOST,
            "CASELLA_SERVERS__HOME__IMAP__PORT": str(server.sockets[0].getsockname()[1]),
            "CASELLA_SERVERS__HOME__IMAP__SECURITY": "none",
        }
    finally:
        await closed(server)
        for transport in connected:
            transport.abort()
        await asyncio.sleep(0)  # until they are closed
