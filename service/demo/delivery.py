"""Delivers mail that the demo user sends to itself, and mail that arrives by the clock: through this service's own IMAP
adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from itertools import count

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.demo.messages import arriving_message
from service.demo.smtp import Deliver
from service.mail.errors import MailError
from service.mail.model import Protocol
from service.spooled import Spooled


@asynccontextmanager
async def inbox(port: int, username: str, password: str) -> AsyncIterator[Deliver]:
    """Yields the function that puts a message into the inbox of the mailbox at this port."""
    credentials = Credentials("demo", Protocol.IMAP, username, password)
    mailbox = ImapBackend(Endpoint("127.0.0.1", port, Security.NONE), credentials, connections=1)

    async def deliver(octets: bytes) -> None:
        with closing(Spooled()) as message:
            await message.write(octets)
            await mailbox.append_message("inbox", message)

    try:
        yield deliver
    finally:
        await mailbox.aclose()


@asynccontextmanager
async def arriving(deliver: Deliver, first: int, every: float) -> AsyncIterator[None]:
    """Delivers a message after each ``every`` seconds while the context is open. ``first`` is the number of the first
    one."""
    task = asyncio.create_task(_deliver_for_ever(deliver, first, every))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _deliver_for_ever(deliver: Deliver, first: int, every: float) -> None:
    for number in count(first):
        await asyncio.sleep(every)
        with suppress(MailError):  # the next one can still arrive
            await deliver(arriving_message(number, datetime.now(UTC)).source)
