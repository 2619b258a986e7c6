"""Lists: in the order of arrival by the names of files alone; filtered or sorted by what is read of each message.

What is read is read a few messages at a time, so that others get their turn and a caller who goes away is noticed.
"""

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

from service.adapters.maildir import content
from service.adapters.maildir.cursor import Cursor, read_cursor, short, write_cursor
from service.adapters.maildir.folder import Box, Snapshot
from service.adapters.maildir.names import Entry, arrival
from service.adapters.shared.cache import Rows
from service.mail.errors import MailError, NotFound, NotSupported, StaleToken
from service.mail.ids import account_tag, make_id
from service.mail.mime.headers import list_headers
from service.mail.model import Capability, EvaluatedBy, MessageSummary, Page
from service.mail.search.filter import Criterion, Filter, ListQuery, Order, SortKey, conditions
from service.mail.search.matching import KnownMessage, Need, address_text, holds, needs, sort_value

T = TypeVar("T")
SECONDS = 15.0
"""How long one search may read before what was not reached is left out and said so."""
MAX_SORTED = 10_000
"""Messages that are sorted, whose rows have to be read for it."""
BATCH = 50
NEWEST_FIRST = (Order(SortKey.RECEIVED_AT, is_descending=True),)
THREADS = frozenset({Criterion.ALL_IN_THREAD, Criterion.SOME_IN_THREAD, Criterion.NONE_IN_THREAD})
_HEADERS = frozenset({Criterion.CC, Criterion.BCC})


class Run(Protocol):
    """Does work on the disk, apart."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]: ...


class Where(NamedTuple):
    """A folder of a list."""

    id: str
    role: str | None
    box: Box


class Place(NamedTuple):
    """A message of a list, and the folder as it was when the list was made."""

    folder: Where
    snapshot: Snapshot
    entry: Entry


class Listing:
    """Of one account."""

    def __init__(self, account: str, rows: Rows, run: Run) -> None:
        self._account = account
        self._tag = account_tag(account)
        self._rows = rows
        self._run = run

    def id(self, box: Box, unique: str) -> str:
        """A message's id: what is unique in its file's name, and its folder."""
        return make_id("m", self._tag, os.fsencode(unique) + b"/" + box.wire)

    async def page(self, folders: Sequence[Where], query: ListQuery, *, is_merged: bool = False) -> Page:
        """See the port. Of merged folders, in the order of receipt where no other is asked for."""
        places = await self._run(lambda: _places(folders))
        sort = query.sort or (NEWEST_FIRST if is_merged else ())
        unsearched: tuple[str, ...] = ()
        if query.filter is not None:
            places, unsearched = await self._matching(places, query.filter)
        if sort:
            places = await self._sorted(places, sort)
        name = repr(([folder.box.wire for folder in folders], query.filter, sort))
        start = 0 if query.cursor is None else self._behind(places, read_cursor(self._tag, name, query.cursor), sort)
        shown = places[start : start + query.limit]
        rows = await self._run(lambda: [row for place in shown if (row := self._shown(place, query)) is not None])
        onward = None
        if start + query.limit < len(places):
            marks = [self._place_id(place) for place in places[: start + query.limit]] if sort else []
            onward = write_cursor(self._tag, name, marks, shown[-1].entry.unique)
        return Page(
            items=tuple(rows),
            next_cursor=onward,
            total=len(places),
            evaluated_by=EvaluatedBy.LOCAL if query.filter or query.sort else None,
            unsearched=unsearched or None,
        )

    def row(self, place: Place) -> MessageSummary | None:
        """None where the message is gone by now. One that cannot be read has a row of what its name tells."""
        unique, flags = place.entry.unique, place.snapshot.flags(place.entry)
        try:
            file = place.folder.box.file(unique)
        except NotFound:
            return None
        except (MailError, OSError):
            return MessageSummary(id=self._place_id(place), folder_id=place.folder.id, flags=flags)
        key = os.fsencode(unique) + b"/" + place.folder.box.wire
        row = self._rows.get(self._account, key, file.size)
        if row is None:
            row = content.summary(file, self._place_id(place), place.folder.id)
            self._rows.keep(self._account, key, row)
        return row.model_copy(update={"flags": flags, "received_at": file.received_at})

    def _place_id(self, place: Place) -> str:
        return self.id(place.folder.box, place.entry.unique)

    def _shown(self, place: Place, query: ListQuery) -> MessageSummary | None:
        row = self.row(place)
        if row is None or not query.with_preview:
            return row
        preview = ""
        with suppress(MailError, OSError):
            preview = " ".join(content.text(place.folder.box.file(place.entry.unique)).split())[:256]
        return row.model_copy(update={"preview": preview or None})

    async def _matching(self, places: Sequence[Place], tree: Filter) -> tuple[list[Place], tuple[str, ...]]:
        """Those for which the filter holds, and the folders that were not read to their end in time."""
        until = time.monotonic() + SECONDS
        found: list[Place] = []
        for at in range(0, len(places), BATCH):
            if time.monotonic() > until:
                return found, tuple(dict.fromkeys(place.folder.id for place in places[at:]))
            batch = places[at : at + BATCH]
            found += await self._run(lambda: [place for place in batch if self._holds(tree, place)])  # noqa: B023
        return found, ()

    def _holds(self, tree: Filter, place: Place) -> bool:
        known = self._known(tree, place)
        return known is not None and holds(tree, known)

    def _known(self, tree: Filter, place: Place) -> KnownMessage | None:
        """What the filter asks of a message; None where it is gone, or cannot be read."""
        folder = place.folder
        known = KnownMessage(
            flags=place.snapshot.flags(place.entry),
            folder=(folder.id, folder.role) if folder.role else (folder.id,),
        )
        wanted = needs(tree)
        if not wanted - {Need.FLAGS}:
            return known
        row = self.row(place)
        if row is None:
            return None
        known = replace(
            known,
            size=row.size,
            received_at=row.received_at,
            sent_at=row.sent_at,
            has_attachment=row.has_attachment,
            subject=row.subject,
            from_=address_text(row.from_),
            to=address_text(row.to),
        )
        if not {Need.HEADERS, Need.BODY} & wanted and not any(one.criterion in _HEADERS for one in conditions(tree)):
            return known
        return self._read(known, place, wanted)

    def _read(self, known: KnownMessage, place: Place, wanted: frozenset[Need]) -> KnownMessage | None:
        try:
            file = place.folder.box.file(place.entry.unique)
        except (MailError, OSError):
            return None
        headers = list_headers(content.header(file))
        cc, bcc = (
            ", ".join(each.value for each in headers if each.name.lower() == name) or None for name in ("cc", "bcc")
        )
        text = content.text(file) if Need.BODY in wanted else None
        return replace(known, headers=headers, cc=cc, bcc=bcc, text=text)

    async def _sorted(self, places: Sequence[Place], sort: Sequence[Order]) -> list[Place]:
        """Equals stay in the order of arrival."""
        if len(places) > MAX_SORTED:
            detail = f"Only lists of up to {MAX_SORTED} messages are sorted. Narrow this one by criteria."
            raise NotSupported(Capability.SORT, detail)
        rows: list[MessageSummary | None] = []
        for at in range(0, len(places), BATCH):
            batch = places[at : at + BATCH]
            rows += await self._run(lambda: [self.row(place) for place in batch])  # noqa: B023
        found = [(place, row) for place, row in zip(places, rows, strict=True) if row is not None]
        return await self._run(lambda: _in_order(found, sort))

    def _behind(self, places: Sequence[Place], cursor: Cursor, sort: Sequence[Order]) -> int:
        marks, last = cursor
        if not sort:
            return next((at for at, one in enumerate(places) if arrival(one.entry.unique) < arrival(last)), len(places))
        left = [at for at, place in enumerate(places) if short(self._place_id(place)) in marks]
        if not left:
            raise StaleToken
        return left[-1] + 1


def _in_order(found: list[tuple[Place, MessageSummary]], sort: Sequence[Order]) -> list[Place]:
    """Equals stay in the order of arrival, the oldest first; ``found`` begins with the newest."""
    found.reverse()
    for order in reversed(sort):
        found.sort(key=lambda pair: sort_value(order.key, pair[1]), reverse=order.is_descending)
    return [place for place, _ in found]


def _places(folders: Sequence[Where]) -> list[Place]:
    """The newest first, folder by folder."""
    return [place for folder in folders for place in newest_first(folder)]


def newest_first(folder: Where) -> Iterator[Place]:
    """Its messages."""
    snapshot = folder.box.snapshot()
    for entry in reversed(list(snapshot.entries.values())):
        yield Place(folder, snapshot, entry)
