"""The port to a server that sends messages, on SMTP."""

from collections.abc import AsyncIterator, Awaitable, Callable

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint
from service.adapters.shared.connection_limit import ConnectionLimit
from service.adapters.smtp.session.connection import Connection
from service.adapters.smtp.session.pool import Pool
from service.adapters.smtp.session.transaction import Delivery, begin
from service.adapters.smtp.wire.commands import require_sendable
from service.adapters.smtp.wire.timing import DEFAULT_TIMING, Timing
from service.mail.errors import UpstreamFailure
from service.mail.submission.submitter import Envelope, Receipt, Submitter


class SmtpSubmitter(Submitter):
    """Sends for one account. After connecting the first message takes five round trips by PLAIN and PIPELINING: EHLO,
    AUTH, MAIL with RCPT, DATA, and the end. One that follows within ``Timing.keep`` takes three."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        timing: Timing = DEFAULT_TIMING,
        host: ConnectionLimit | None = None,
    ) -> None:
        self._timing = timing
        self._pool = Pool(endpoint, credentials, timing, host or ConnectionLimit())

    async def check(self) -> frozenset[str]:
        connection = self._pool.take()
        if connection is not None:
            connection = await self._verified(connection)
        if connection is None:
            connection = await self._pool.connect()
        try:
            await connection.learn_late()
        finally:
            self._pool.give_back(connection)
        return frozenset(connection.extensions)

    async def submit(
        self,
        envelope: Envelope,
        chunks: AsyncIterator[bytes],
        commit: Callable[[], Awaitable[None]],
        *,
        partial: bool = False,
    ) -> Receipt:
        require_sendable(envelope)
        connection, receipt = await self._begin(envelope, partial=partial)
        try:
            await Delivery(connection, self._timing).run(chunks, commit)
        finally:
            self._pool.give_back(connection)
        return receipt

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _begin(self, envelope: Envelope, *, partial: bool) -> tuple[Connection, Receipt]:
        """If a kept connection turns out to be dead, a new one is used: nothing of the message was read yet."""
        kept = self._pool.take()
        if kept is not None:
            try:
                return kept, await self._begun(kept, envelope, partial=partial)
            except UpstreamFailure:
                if kept.wire.error is None:
                    raise
        connection = await self._pool.connect()
        return connection, await self._begun(connection, envelope, partial=partial)

    async def _begun(self, connection: Connection, envelope: Envelope, *, partial: bool) -> Receipt:
        try:
            return await begin(connection, envelope, partial=partial)
        except BaseException:
            self._pool.give_back(connection)
            raise

    async def _verified(self, connection: Connection) -> Connection | None:
        try:
            reply = await connection.ask("NOOP")
        except UpstreamFailure:
            return None
        if reply.is_ok:
            return connection
        connection.leave()
        return None
