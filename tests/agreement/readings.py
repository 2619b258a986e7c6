"""Everything that an adapter says of the messages of a mailbox."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from service.accounts.servers import Endpoint, Security
from service.mail.backend import Backend
from service.mail.errors import MailError
from service.mail.model import Header, Message, MessageSummary, Protocol
from service.mail.search.filter import ListQuery
from tests.adapters.maildir.post import Post
from tests.contract.conftest import make_backend, read
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.process import HOST

PAGE = 200
PARTS = 12
"""Attachments of one message whose octets are read."""
AT_ONCE = 4
RECEIVED = datetime(2026, 10, 1, 7, 30, tzinfo=UTC)


class Reading(NamedTuple):
    """One message as one adapter has it."""

    row: MessageSummary
    message: Message
    headers: tuple[Header, ...]
    source: bytes
    parts: Mapping[str, bytes | str]
    """The decoded octets of attachments by the part's id, or the error."""


class Readings(NamedTuple):
    """The same messages by each protocol, in the same order. ``sent_by_imap`` and ``sent_by_pop3`` are by Maildir what
    Dovecot sent by either: it ends lines otherwise than the files do."""

    imap: Sequence[Reading]
    pop3: Sequence[Reading]
    maildir: Sequence[Reading]
    sent_by_imap: Sequence[Reading]
    sent_by_pop3: Sequence[Reading]


async def read_everywhere(dovecot: Dovecot, folder: Path, messages: Sequence[bytes]) -> Readings:
    """Puts the messages, none of them empty, into one mailbox of Dovecot's and a Maildir of the adapter's."""
    user = dovecot.user()
    dovecot.seed(user, [(message, (), RECEIVED) for message in messages])
    imap = await _read_all(_backend(dovecot, Protocol.IMAP, user))
    pop3 = await _read_all(_backend(dovecot, Protocol.POP3, user))
    sources = (messages, [each.source for each in imap], [each.source for each in pop3])
    post = Post(folder)
    maildirs = [await _read_maildir(post, f"user{number}", octets) for number, octets in enumerate(sources)]
    return Readings(imap, pop3, *maildirs)


def _backend(dovecot: Dovecot, protocol: Protocol, user: str) -> Backend:
    port = dovecot.ports.imap if protocol is Protocol.IMAP else dovecot.ports.pop3
    return make_backend(protocol, Endpoint(HOST, port, Security.NONE), user, PASSWORD)


async def _read_maildir(post: Post, name: str, messages: Sequence[bytes]) -> Sequence[Reading]:
    user = post.user(f"{name}@example.org")
    for message in messages:
        post.deliver(user, message, (), RECEIVED)
    return await _read_all(post.backend(user))


async def _read_all(backend: Backend) -> list[Reading]:
    """All messages of the inbox, oldest first."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def reading(row: MessageSummary) -> Reading:
        async with limit:
            return await _reading(backend, row)

    try:
        return await asyncio.gather(*[reading(row) for row in await _rows(backend)])
    finally:
        await backend.aclose()


async def _rows(backend: Backend) -> list[MessageSummary]:
    rows: list[MessageSummary] = []
    page = await backend.list_messages("inbox", ListQuery(PAGE))
    rows += page.items
    while page.next_cursor is not None:
        page = await backend.list_messages("inbox", ListQuery(PAGE, page.next_cursor))
        rows += page.items
    return rows[::-1]


async def _reading(backend: Backend, row: MessageSummary) -> Reading:
    message = await backend.get_message(row.id)
    headers = tuple(await backend.list_headers(row.id))
    source = await read(await backend.open_source(row.id))
    parts = {part.id: await _part(backend, row.id, part.id) for part in message.attachments[:PARTS]}
    return Reading(row, message, headers, source, parts)


async def _part(backend: Backend, message: str, part: str) -> bytes | str:
    try:
        return await read(await backend.open_part(message, part))
    except MailError as error:
        return repr(error)
