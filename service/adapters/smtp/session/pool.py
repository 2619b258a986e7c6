"""Connections to the server that sends: made for one message, and kept for a moment for the next."""

import asyncio
from functools import partial

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.shared.connection_limit import ConnectionLimit
from service.adapters.shared.sign_in.attempts import signed_in
from service.adapters.smtp.session.connection import Connection
from service.adapters.smtp.session.login import sign_in
from service.adapters.smtp.wire.timing import Timing


class Pool:
    """Of one account. It keeps one connection, for ``Timing.keep``; messages that are sent at once have one each."""

    def __init__(self, endpoint: Endpoint, credentials: Credentials, timing: Timing, host: ConnectionLimit) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._timing = timing
        self._host = host
        self._kept: Connection | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._open: set[Connection] = set()

    def take(self) -> Connection | None:
        """The kept connection, if it still stands. The caller gives it back."""
        connection = self._unkeep()
        if connection is None or (connection.wire.is_open and not connection.has_ended):
            return connection
        connection.leave()
        return None

    async def connect(self) -> Connection:
        """A new connection that is signed in."""
        return await signed_in(self._credentials, self._connected)

    async def _connected(self, credentials: Credentials) -> Connection:
        await self._host.acquire()
        try:
            connection = await Connection.open(self._endpoint, self._timing)
        except BaseException:
            self._host.release()
            raise
        self._open.add(connection)
        connection.wire.closed.add_done_callback(partial(self._gone, connection))
        try:
            await sign_in(connection, credentials)
        except BaseException:
            connection.leave()
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keeps the connection if it is good and no other one is kept."""
        if not connection.wire.is_open or self._kept is not None:
            connection.leave()
            return
        self._kept = connection
        self._expiry = asyncio.get_running_loop().call_later(self._timing.keep, self._close_kept)
        self._host.offer(self._close_kept)

    async def aclose(self) -> None:
        """Closes all connections. Messages that are on their way are not sent."""
        self._close_kept()
        for connection in list(self._open):
            connection.leave()
            await connection.wait_closed()

    def _close_kept(self) -> bool:
        connection = self._unkeep()
        if connection is not None:
            connection.leave()
        return connection is not None

    def _unkeep(self) -> Connection | None:
        connection, self._kept = self._kept, None
        self._host.withdraw(self._close_kept)
        if self._expiry is not None:
            self._expiry.cancel()
        return connection

    def _gone(self, connection: Connection, _: "asyncio.Future[None]") -> None:
        self._open.discard(connection)
        self._host.release()
        if connection is self._kept:
            self._unkeep()
