"""Rows of messages: from memory, else from headers the server gives at a fair price."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from service.adapters.pop3.cursor import MARKS, Cursor
from service.adapters.pop3.session.maildrop import Drop
from service.adapters.pop3.session.session import WHOLE, Session
from service.adapters.shared.cache import Rows
from service.adapters.shared.threads import apart
from service.mail.errors import NotFound
from service.mail.ids import account_tag, make_id
from service.mail.mime.message import read_summary
from service.mail.model import MessageSummary, Page
from service.telemetry import metrics

AT_ONCE = 50
"""Headers in memory at a time: 200 of the largest would be 50 MiB."""


class Listing:
    """Lists of one account, whose only folder is ``inbox``."""

    def __init__(self, account: str, inbox: str, rows: Rows) -> None:
        self._account = account
        self._inbox = inbox
        self._tag = account_tag(account)
        self._rows = rows

    async def page(self, cursor: Cursor | None, limit: int, session: Session, *, last: bool) -> Page | None:
        """None where the session was spent on the header of a large message: ask again, it is known now. The ``last``
        time such rows come without what a header says."""
        drop = await session.drop()
        older = await _older(session, drop, cursor)
        numbers = older[:limit]
        rows = await self._known(session, drop, numbers)
        missing = [number for number in numbers if number not in rows]
        if not last and await self._cut_one(session, drop, missing):
            return None
        for number in missing:
            rows[number] = self._row(await session.place(number), b"", drop.sizes[number])
        onward = None
        if len(older) > limit:
            marks = [await session.place(number) for number in reversed(numbers[-MARKS:])]
            onward = Cursor(numbers[-1], tuple(marks)).write(self._tag)
        return Page(items=tuple(rows[number] for number in numbers), next_cursor=onward, total=len(drop.sizes))

    async def rows_at(self, places: Sequence[bytes], session: Session) -> dict[bytes, MessageSummary]:
        """The rows of those that are there. What the server gives only with the whole message is told without its
        header."""
        drop = await session.drop()
        numbers: dict[int, bytes] = {}
        for place in places:
            with suppress(NotFound):
                number, *_ = await session.find(place)
                numbers[number] = place
        rows = await self._known(session, drop, list(numbers))
        missing = {
            number: self._row(numbers[number], b"", drop.sizes[number]) for number in numbers.keys() - rows.keys()
        }
        return {numbers[number]: row for number, row in (rows | missing).items()}

    def forget(self, place: bytes) -> None:
        """It was deleted."""
        self._rows.forget(self._account, place)

    async def _known(self, session: Session, drop: Drop, numbers: Sequence[int]) -> dict[int, MessageSummary]:
        kept = {number: self._kept(drop, number) for number in numbers}
        rows = {number: row for number, row in kept.items() if row is not None}
        missing = [number for number in numbers if number not in rows]
        metrics.rows("pop3", len(rows), len(missing))
        for start in range(0, len(missing), AT_ONCE):
            for number, block in (await session.blocks(missing[start : start + AT_ONCE])).items():
                place = await session.place(number)
                await asyncio.sleep(0)  # a header may take 10 ms to read: others go in between
                make = self._keep if block else self._row  # what was refused may be given another time
                rows[number] = await apart(partial(make, place, block, drop.sizes[number]), len(block))
        return rows

    async def _cut_one(self, session: Session, drop: Drop, numbers: Iterable[int]) -> bool:
        """Read the header of the first large message of these, at the price of the session."""
        for number in numbers:
            if drop.sizes[number] > WHOLE and number in drop.uidls:
                block = await session.cut(number)
                await apart(partial(self._keep, drop.uidls[number], block, drop.sizes[number]), len(block))
                return True
        return False

    def _kept(self, drop: Drop, number: int) -> MessageSummary | None:
        place = drop.uidls.get(number)
        return None if place is None else self._rows.get(self._account, place, drop.sizes[number])

    def _keep(self, place: bytes, block: bytes, size: int) -> MessageSummary:
        row = self._row(place, block, size)
        self._rows.keep(self._account, place, row)
        return row

    def _row(self, place: bytes, block: bytes, size: int) -> MessageSummary:
        return read_summary(block, id=make_id("m", self._tag, place), folder_id=self._inbox, size=size)


async def _older(session: Session, drop: Drop, cursor: Cursor | None) -> list[int]:
    """The numbers a list goes on with, newest first."""
    newest_first = list(reversed(drop.sizes))
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
