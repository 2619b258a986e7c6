"""Everything that an adapter says of the messages of a mailbox."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from service.mail.backend import Backend
from service.mail.errors import MailError
from service.mail.model import Message, MessageSummary
from service.mail.search.filter import ListQuery
from tests.contract.conftest import read

PAGE = 200
PARTS = 12
"""Of one message whose octets are read."""


class Reading(NamedTuple):
    """One message as one adapter has it."""

    row: MessageSummary
    message: Message
    headers: tuple[Any, ...]
    source: bytes
    parts: Mapping[str, bytes | str]


async def rows_of(backend: Backend) -> list[MessageSummary]:
    """The rows of the inbox, oldest first."""
    rows: list[MessageSummary] = []
    cursor = None
    while True:
        page = await backend.list_messages("inbox", ListQuery(PAGE, cursor))
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return rows[::-1]


async def reading_of(backend: Backend, row: MessageSummary) -> Reading:
    message = await backend.get_message(row.id)
    headers = tuple(await backend.list_headers(row.id))
    source = await read(await backend.open_source(row.id))
    parts: dict[str, bytes | str] = {}
    for part in message.attachments[:PARTS]:
        try:
            parts[part.id] = await read(await backend.open_part(row.id, part.id))
        except MailError as error:
            parts[part.id] = repr(error)
    return Reading(row, message, headers, source, parts)
