"""aioimaplib's client on our protocol: from a host and a port to a connection that speaks IMAP."""

import asyncio
import ssl
from collections.abc import Callable

from aioimaplib.aioimaplib import CONNECTED, IMAP4

from service.accounts.servers import Endpoint
from service.adapters.imap.wire.octets.framing import Limits
from service.adapters.imap.wire.protocol import WireProtocol
from service.mail.errors import UpstreamUnavailable


class Client(IMAP4):  # type: ignore[misc]  # the library is untyped
    """aioimaplib's client with our protocol plugged in."""

    protocol: WireProtocol

    def __init__(self, endpoint: Endpoint, limits: Limits, context: ssl.SSLContext | None) -> None:
        self._limits = limits
        self._endpoint = endpoint
        super().__init__(endpoint.host, endpoint.port, ssl_context=context)

    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """The constructor of the base calls this. Only the protocol differs from it."""
        loop = loop or asyncio.get_running_loop()
        self.protocol = WireProtocol(loop, self._limits, self._endpoint.server)
        self._client_task = loop.create_task(self._endpoint.connect(lambda: self.protocol, ssl_context))

    async def connected(self, seconds: float) -> WireProtocol:
        """Returns the protocol once the connection stands. Raises OSError, ssl.SSLError or TimeoutError if it does
        not."""
        try:
            async with asyncio.timeout(seconds):
                await self._client_task
        except BaseException:
            self._client_task.cancel()
            self.protocol.fail(UpstreamUnavailable(protocol="imap"))
            raise
        assert self.protocol.state == CONNECTED
        return self.protocol
