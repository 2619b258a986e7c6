"""One message: MAIL, RCPT, DATA, its octets, and the end (RFC 5321, 3.3).

Until the final dot is written nothing is sent: a server delivers no message without its end. From then on only the
server's answer says what became of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from service.adapters.shared.network_errors import network_error
from service.adapters.smtp.session.connection import Connection
from service.adapters.smtp.wire import commands
from service.adapters.smtp.wire.dot_stuffing import Stuffer
from service.adapters.smtp.wire.errors import (
    is_goodbye,
    lost,
    message_error_from,
    refused_recipient,
    temporary_error_from,
    too_large,
)
from service.adapters.smtp.wire.replies import PROTOCOL, Reply, broken
from service.adapters.smtp.wire.timing import Timing
from service.mail.errors import MailError, RecipientsRefused
from service.mail.submission.model import Rejected
from service.mail.submission.submitter import Envelope, Receipt
from service.telemetry.upstream import Command

GO_AHEAD = 354
PIECE = 64 << 10
TOO_MANY = {"4.5.3", "5.5.3"}
"""The message has more recipients than the server takes at once, so that trying again does not help."""


async def begin(connection: Connection, envelope: Envelope, *, partial: bool) -> Receipt:
    """MAIL and RCPT: one round trip if the server offers PIPELINING, else one for each; one more if the message needs
    an extension that the server did not offer before login. If it raises and the connection is still good, RSET has
    made it ready for another message."""
    if not commands.needed(envelope) <= connection.extensions.keys():
        await connection.learn_late()
    limit = connection.limit
    if limit is not None and (envelope.size or 0) > limit:
        raise too_large(limit)
    lines = [commands.mail(envelope, connection.extensions), *commands.recipients(envelope, connection.extensions)]
    sender, *recipients = await connection.ask_each(lines)
    try:
        if not sender.is_ok:
            raise message_error_from(sender, limit)
        return _receipt(envelope.recipients, recipients, partial=partial)
    except MailError:
        await connection.reset()
        raise


def _receipt(addresses: Sequence[str], replies: Sequence[Reply], *, partial: bool) -> Receipt:
    answered = list(zip(addresses, replies, strict=True))
    accepted = tuple(address for address, reply in answered if reply.is_ok)
    refusals = [(address, reply) for address, reply in answered if not reply.is_ok]
    refused = tuple(refused_recipient(*refusal) for refusal in refusals)
    if refused and not (partial and accepted):
        _, first = refusals[0]
        if all(reply.is_temporary and reply.enhanced not in TOO_MANY for _, reply in refusals):
            raise temporary_error_from(first)
        raise RecipientsRefused(refused)
    return Receipt(accepted, tuple(map(Rejected.of, refused)))


class Delivery:
    """The message itself, after ``begin``."""

    def __init__(self, connection: Connection, timing: Timing) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._timing = timing
        self._sent = 0

    async def run(self, chunks: AsyncIterator[bytes], commit: Callable[[], Awaitable[None]]) -> None:
        """DATA, the octets as fast as the server takes them, ``commit``, the final dot. Two round trips.

        The connection is closed, without a dot, if anything fails before it.
        """
        reply = await self._connection.ask("DATA")
        if reply.code != GO_AHEAD:
            if reply.code < 400:
                self._connection.abort()
            await self._connection.reset()
            raise message_error_from(reply, self._connection.limit)
        answer = self._wire.expect()
        with Command(PROTOCOL, self._wire.server, "MESSAGE") as command:
            try:
                await self._pour(chunks, answer)
                await commit()
                self._require_silence(answer)
                link = self._wire.link
            except BaseException:
                self._connection.abort()
                raise
            link.write(b".\r\n")
            reply = await self._outcome(answer)
            command.outcome = reply.outcome
        if is_goodbye(reply):
            self._connection.abort()
        if not reply.is_ok:
            raise message_error_from(reply, self._connection.limit)

    async def _pour(self, chunks: AsyncIterator[bytes], answer: "asyncio.Future[Reply]") -> None:
        """All octets but the end. Returns when they have left this process."""
        stuffer, limit = Stuffer(), self._connection.limit
        async for chunk in chunks:
            self._sent += len(chunk)
            if limit is not None and self._sent > limit:
                raise too_large(limit)
            for start in range(0, len(chunk), PIECE):
                octets = stuffer.feed(chunk[start : start + PIECE])
                await self._written(self._wire.push(octets, self._timing.block), answer)
            del chunk  # it is not held while the next one is read
        await self._written(self._wire.flush(stuffer.finish(), self._timing.block), answer)

    async def _written(self, writing: Awaitable[None], answer: "asyncio.Future[Reply]") -> None:
        """An answer says more than the end of the connection that comes with it."""
        try:
            await writing
        except MailError:
            self._require_silence(answer)
            raise
        self._require_silence(answer)

    def _require_silence(self, answer: "asyncio.Future[Reply]") -> None:
        """Raises the error of an answer that comes before the end: the server does not want the rest."""
        if not answer.done():
            return
        reply = answer.result()
        if reply.is_ok:
            raise broken("The mail server answered before it had the whole message.")
        raise message_error_from(reply, self._connection.limit)

    async def _outcome(self, answer: "asyncio.Future[Reply]") -> Reply:
        """The answer to the end. Raises UpstreamError with the code LOST if there is none."""
        try:
            async with asyncio.timeout(self._timing.end):
                reply = await answer
        except asyncio.CancelledError:
            self._connection.abort()
            raise
        except Exception as error:
            self._connection.abort()
            raise lost(error if isinstance(error, MailError) else network_error(error, PROTOCOL)) from error
        if not reply.is_ok and reply.code < 400:
            self._connection.abort()
            raise lost(None)
        return reply
