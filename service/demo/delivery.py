"""Delivers mail that the demo user sends to itself: through this service's own IMAP adapter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from service.accounts.credentials import Credentials
from service.accounts.servers import Endpoint, Security
from service.adapters.imap.backend import ImapBackend
from service.demo.smtp import Deliver
from service.mail.model import Protocol
from service.submission.spooled import Spooled


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
