"""List rows: from the cache, or from headers if the server returns them without the whole message."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from service.adapters.pop3.cursor import MARKS, Cursor
from service.adapters.pop3.session.maildrop import Maildrop
from service.adapters.pop3.session.session import WHOLE, Session
from service.adapters.shared.cache import RowCache
from service.adapters.shared.threads import in_thread
from service.mail.errors import NotFound
from service.mail.ids import account_tag, make_id
from service.mail.mime.charset import is_foreign
from service.mail.mime.message import read_summary, text_charset
from service.mail.model import MessageSummary, Page
from service.telemetry import metrics

AT_ONCE = 50
"""How many headers are in memory at a time: 200 of the largest would take 50 MiB."""


class Listing:
    """The lists of one account. Its only folder is ``inbox``."""

    def __init__(self, account: str, inbox: str, rows: RowCache) -> None:
        self._account = account
        self._inbox = inbox
        self._tag = account_tag(account)
        self._rows = rows

    async def page(self, cursor: Cursor | None, limit: int, session: Session, *, last: bool) -> Page | None:
        """A page. None if the session ended with reading the header of a large message, which is cached now: call
        again, in a new session. With ``last``, rows of such messages come without the fields of the header."""
        maildrop = await session.maildrop()
        older = await _older(session, maildrop, cursor)
        numbers = older[:limit]
        rows = await self._known(session, maildrop, numbers)
        missing = [number for number in numbers if number not in rows]
        if not last and await self._cut_one(session, maildrop, missing):
            return None
        for number in missing:
            rows[number] = self._row(await session.key(number), b"", maildrop.sizes[number])
        onward = None
        if len(older) > limit:
            marks = [await session.key(number) for number in reversed(numbers[-MARKS:])]
            onward = Cursor(numbers[-1], tuple(marks)).write(self._tag)
        return Page(items=tuple(rows[number] for number in numbers), next_cursor=onward, total=len(maildrop.sizes))

    async def rows_at(self, keys: Sequence[bytes], session: Session) -> dict[bytes, MessageSummary]:
        """The rows of those messages that exist. If the server returns a header only with the whole message, the row
        comes without the fields of the header."""
        maildrop = await session.maildrop()
        numbers: dict[int, bytes] = {}
        for key in keys:
            with suppress(NotFound):
                number, *_ = await session.find(key)
                numbers[number] = key
        rows = await self._known(session, maildrop, list(numbers))
        missing = {
            number: self._row(numbers[number], b"", maildrop.sizes[number]) for number in numbers.keys() - rows.keys()
        }
        return {numbers[number]: row for number, row in (rows | missing).items()}

    def forget(self, key: bytes) -> None:
        """The message was deleted."""
        self._rows.forget(self._account, key)

    async def _known(self, session: Session, maildrop: Maildrop, numbers: Sequence[int]) -> dict[int, MessageSummary]:
        kept = {number: self._kept(maildrop, number) for number in numbers}
        rows = {number: row for number, row in kept.items() if row is not None}
        missing = [number for number in numbers if number not in rows]
        metrics.rows("pop3", len(rows), len(missing))
        for start in range(0, len(missing), AT_ONCE):
            blocks = await session.blocks(missing[start : start + AT_ONCE])
            beginnings = await session.beginnings([number for number in blocks if await hides_charset(blocks[number])])
            for number, block in blocks.items():
                key = await session.key(number)
                await asyncio.sleep(0)  # a header may take 10 ms to read: other tasks run in between
                make = self._keep if block else self._row  # a refused header may be available later
                beginning = beginnings.get(number, b"")
                reading = partial(make, key, block, maildrop.sizes[number], beginning)
                rows[number] = await in_thread(reading, len(block) + len(beginning))
        return rows

    async def _cut_one(self, session: Session, maildrop: Maildrop, numbers: Iterable[int]) -> bool:
        """Reads the header of the first large message of these, which ends the session. False if there is none."""
        for number in numbers:
            if maildrop.sizes[number] > WHOLE and number in maildrop.uidls:
                block = await session.cut(number)
                await in_thread(partial(self._keep, maildrop.uidls[number], block, maildrop.sizes[number]), len(block))
                return True
        return False

    def _kept(self, maildrop: Maildrop, number: int) -> MessageSummary | None:
        key = maildrop.uidls.get(number)
        return None if key is None else self._rows.get(self._account, key, maildrop.sizes[number])

    def _keep(self, key: bytes, block: bytes, size: int, beginning: bytes = b"") -> MessageSummary:
        row = self._row(key, block, size, beginning)
        self._rows.keep(self._account, key, row)
        return row

    def _row(self, key: bytes, block: bytes, size: int, beginning: bytes = b"") -> MessageSummary:
        charset = text_charset(beginning)
        return read_summary(block, id=make_id("m", self._tag, key), folder_id=self._inbox, size=size, charset=charset)


async def hides_charset(block: bytes) -> bool:
    """Whether text in a header is in a charset that only the body names."""
    if not is_foreign(block):
        return False
    await asyncio.sleep(0)  # a header may take 10 ms to read: other tasks run in between
    return await in_thread(partial(text_charset, block), len(block)) is None


async def _older(session: Session, maildrop: Maildrop, cursor: Cursor | None) -> list[int]:
    """The numbers of the messages after the cursor, newest first."""
    newest_first = list(reversed(maildrop.sizes))
    if cursor is None:
        return newest_first
    last = cursor.number
    for mark in cursor.marks:
        try:
            last = (await session.find(mark))[-1]
            break
        except NotFound:
            continue
    return [number for number in newest_first if number < last]
