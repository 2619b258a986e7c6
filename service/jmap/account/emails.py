"""Emails read: their rows at the places where they lie, and their sources."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

from pydantic_core import from_json

from service.jmap.account.account import Account
from service.jmap.index import is_permanent
from service.jmap.values.emails import thread_of
from service.mail.json_rows import JsonRows
from service.mail.model import Capability, MessageSummary

Row: TypeAlias = dict[str, Any]
"""A message as the API lists it."""
DELETED = "$deleted"
BATCH = 200
MAX_FOLDERS = 30
"""Folders that are searched before an Email is moved or removed."""


def rows_of(items: Sequence[MessageSummary]) -> list[Row]:
    """The rows as plain values; those that are JSON already are not made into models first."""
    if isinstance(items, JsonRows):
        rows: list[Row] = from_json(items.json)
        return rows
    return [row.model_dump(mode="json", by_alias=True, exclude_none=True) for row in items]


def is_visible(row: Row) -> bool:
    """RFC 8621, 4.1.1: what is marked as deleted is not shown."""
    return DELETED not in row.get("flags", ())


async def read_rows(
    account: Account, emails: Iterable[str], *, preview: bool = False, thread: bool = False
) -> dict[str, list[Row]]:
    """The rows of each Email that exists, one for each message. A round trip for each folder. Emails that left their
    known places are searched."""
    wanted = list(dict.fromkeys(emails))
    await account.token()
    places = await account.index.places_of(wanted)
    found = await _rows_at(account, places, preview=preview, thread=thread)
    missing = [email for email in places if email not in found and is_permanent(email)]
    if missing:
        again = await account.index.search(missing)
        found |= await _rows_at(account, again, preview=preview, thread=thread)
    return found


async def read_all_rows(account: Account, emails: Iterable[str]) -> dict[str, list[Row]]:
    """As ``read_rows``, for writes that concern all messages of an Email. Places that are not known yet are searched,
    if there are not too many folders."""
    wanted = list(dict.fromkeys(emails))
    await account.token()
    if sum(folder.is_selectable for folder in (await account.folders()).values()) <= MAX_FOLDERS:
        await account.index.complete(wanted)
    return await read_rows(account, wanted)


async def _rows_at(
    account: Account, places: Mapping[str, Sequence[str]], *, preview: bool, thread: bool
) -> dict[str, list[Row]]:
    messages = [message for each in places.values() for message in each]
    rows = await _rows(account, messages, preview=preview, thread=thread)
    found: dict[str, list[Row]] = {}
    for email, lies_at in places.items():
        here = [rows[message] for message in lies_at if message in rows]
        if visible := [row for row in here if is_visible(row)]:
            found[email] = visible
            if thread:
                account.index.note_thread(email, thread_of(email, visible[0]))
        for message in lies_at:
            if message not in rows:
                account.index.drop(message)
    return found


async def _rows(account: Account, messages: Sequence[str], *, preview: bool, thread: bool) -> dict[str, Row]:
    """Rows that this request has read already are used again, if they have all that is asked for."""
    thread = thread and Capability.THREADS in account.backend.capabilities
    asked = {name for name, is_asked in (("preview", preview), ("threadId", thread)) if is_asked}
    if asked <= account.extras and all(message in account.rows for message in messages):
        return {message: account.rows[message] for message in messages}
    rows: dict[str, Row] = {}
    for at in range(0, len(messages), BATCH):
        batch = messages[at : at + BATCH]
        items = await account.backend.get_messages(batch, with_preview=preview, with_thread=thread)
        rows |= {row["id"]: row for row in rows_of(items)}
    return rows


async def chunks_of(account: Account, message: str) -> AsyncIterator[bytes]:
    """The source of a message."""
    download = await account.backend.open_source(message)
    async with aclosing(download.chunks) as chunks:
        async for chunk in chunks:
            yield chunk
