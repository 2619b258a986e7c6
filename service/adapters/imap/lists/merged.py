"""One search over several folders, merged.

Each folder is searched on a connection of its own, a few at a time; the matches are sorted by their rows or, for the
order of arrival, by their dates alone. A folder that cannot be searched, or not in time, is named in the answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from service.adapters.imap.lists.page import ANCHORS, behind, list_name
from service.adapters.imap.lists.preview import add_previews
from service.adapters.imap.messages.cache import MessageCache
from service.adapters.imap.messages.folder_messages import FolderMessages
from service.adapters.imap.search.evaluation import FOLDERS, Evaluation, lies_in
from service.adapters.imap.search.sort import sort_keys
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.fetch import find_all
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.wire.pace import ascending
from service.mail.errors import InvalidRequest, NotFound, NotPermitted, UpstreamError, UpstreamTimeout
from service.mail.json_rows import JsonRows
from service.mail.model import EvaluatedBy, Page
from service.mail.search.filter import Condition, Filter, ListQuery, Logic, Order, SortKey

SECONDS = 20.0
"""Folders that take longer are left out and named as unsearched."""
AT_ONCE = 3
MAX_MERGED = 20_000
"""Matches that are sorted. A search that finds more is refused: it has to be narrowed."""
NEWEST_FIRST = (Order(SortKey.RECEIVED_AT, is_descending=True),)
Numbers = tuple[int, int]
"""A message in a cursor: a checksum of folder and UIDVALIDITY, and the UID."""


class _Match(NamedTuple):
    folder: bytes
    uid_validity: int
    uid: int

    @property
    def numbers(self) -> Numbers:
        return crc32(b"%d %b" % (self.uid_validity, self.folder)), self.uid


@dataclass
class _Result:
    """The matches of the folders that were searched so far."""

    keys: dict[_Match, list[tuple[int, str]]] = field(default_factory=dict)
    copies: dict[int, set[tuple[int, _Match]]] = field(default_factory=dict)
    """The matches that are one message in several folders (Gmail), by its number, each with its folder's place."""
    by: set[EvaluatedBy] = field(default_factory=set)
    unsearched: set[bytes] = field(default_factory=set)


class MergedSearch:
    """A search over ``folders``, which are their names on the wire. A message that Gmail shows in several of them is
    found in the first."""

    def __init__(self, access: Access, cache: MessageCache, folders: Sequence[bytes], query: ListQuery) -> None:
        self.access = access
        self._ids = access.ids
        self._cache = cache
        self._folders = folders
        self._query = query
        self._sort = query.sort or NEWEST_FIRST
        self._result = _Result()

    async def page(self) -> Page:
        """The page asked for."""
        list_of = list_name(b"\0".join(sorted(self._folders)), self._query)
        after = self._ids.read_cursor(self._query.cursor, list_of, 0) if self._query.cursor is not None else ()
        await self._search_all()
        order = self._merged()
        numbers = [match.numbers for match in order]
        start = behind(numbers, list(zip(after[::2], after[1::2], strict=False)))
        page = order[start : start + self._query.limit]
        stop = start + len(page)
        shown = numbers[max(start, stop - ANCHORS // 2) : stop]
        summaries = await self._summaries(page)
        return Page(
            items=JsonRows(summaries[match] for match in page if match in summaries),
            next_cursor=self._ids.cursor(list_of, 0, [n for pair in shown for n in pair])
            if stop < len(order)
            else None,
            total=len(order),
            evaluated_by=EvaluatedBy.MIXED if len(self._result.by) > 1 else next(iter(self._result.by), None),
            unsearched=tuple(self._ids.folder(name) for name in sorted(self._result.unsearched)) or None,
        )

    async def _search_all(self) -> None:
        """Searches a few folders at a time, until all are done or time is up."""
        turn = asyncio.Semaphore(AT_ONCE)
        names = [
            name for name in self._folders if self._query.filter is None or self._may_hold(self._query.filter, name)
        ]
        tasks = {asyncio.create_task(self._search_one(name, turn)): name for name in names}
        if not tasks:
            return
        try:
            done, late = await asyncio.wait(tasks, timeout=SECONDS, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
        self._result.unsearched.update(tasks[task] for task in late)
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            task.result()

    def _may_hold(self, tree: Filter, name: bytes) -> bool:
        """False if the filter excludes the whole folder."""
        if isinstance(tree, Condition):
            return tree.criterion not in FOLDERS or lies_in(tree, self._ids.folder(name))
        return tree.logic is not Logic.AND or all(self._may_hold(condition, name) for condition in tree.conditions)

    async def _search_one(self, name: bytes, turn: asyncio.Semaphore) -> None:
        """An error of one folder concerns that folder only; an unreachable mailbox ends the search."""
        async with turn:
            try:
                await self._search_in(name)
            except (NotFound, NotPermitted, UpstreamError, UpstreamTimeout):
                self._result.unsearched.add(name)

    @again
    async def _search_in(self, name: bytes) -> None:
        async with self.access.within(name, Lane.BULK) as selection:
            await selection.refresh()
            await self._collect(FolderMessages(self._cache, self._ids, selection))

    async def _collect(self, messages: FolderMessages) -> None:
        evaluation = Evaluation(messages)
        tree = self._query.filter
        uids = await ascending(await evaluation.find(tree)) if tree is not None else await find_all(messages.selection)
        if len(self._result.keys) + len(uids) > MAX_MERGED:
            raise InvalidRequest(f"More than {MAX_MERGED} messages match. Name folders, or narrow the search.")
        keys = await self._keys(messages, uids)
        self._result.keys |= {_Match(messages.name, messages.uid_validity, uid): key for uid, key in keys.items()}
        self._result.by.add(evaluation.by)
        if evaluation.is_partial:
            self._result.unsearched.add(messages.name)

    async def _keys(self, messages: FolderMessages, uids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
        if all(order.key is SortKey.RECEIVED_AT for order in self._sort):
            arrivals = await messages.arrivals(uids)
            self._note_copies(messages, {uid: arrival.email_id for uid, arrival in arrivals.items()})
            return {uid: [(_seconds(each.received_at), "")] * len(self._sort) for uid, each in arrivals.items()}
        cached = await messages.get(uids)
        self._note_copies(messages, {uid: message.email_id for uid, message in cached.items()})
        return await sort_keys(cached, self._sort)

    def _note_copies(self, messages: FolderMessages, email_ids: Mapping[int, int | None]) -> None:
        """Remember which matches are one message."""
        place = self._folders.index(messages.name)
        for uid, email_id in email_ids.items():
            if email_id is not None:
                copies = self._result.copies.setdefault(email_id, set())
                copies.add((place, _Match(messages.name, messages.uid_validity, uid)))

    def _merged(self) -> list[_Match]:
        """Sorts by the least significant key first, because sorting is stable. Equal matches are grouped by folder, the
        newest first."""
        keys = self._result.keys
        order = sorted(keys.keys() - self._repeated(), key=lambda match: (match.numbers[0], -match.uid))
        for at in reversed(range(len(self._sort))):
            order.sort(
                key=lambda match: keys[match][min(at, len(keys[match]) - 1)], reverse=self._sort[at].is_descending
            )
        return order

    def _repeated(self) -> set[_Match]:
        """The matches that are left out because an earlier folder shows the same message."""
        found = ([copy for copy in copies if copy[1] in self._result.keys] for copies in self._result.copies.values())
        return {match for copies in found if len(copies) > 1 for _, match in sorted(copies)[1:]}

    async def _summaries(self, page: Sequence[_Match]) -> dict[_Match, bytes]:
        summaries: dict[_Match, bytes] = {}
        for name in dict.fromkeys(match.folder for match in page):
            matches = {match.uid: match for match in page if match.folder == name}

            summaries |= await self._read(name, matches)
        return summaries

    @again
    async def _read(self, name: bytes, matches: Mapping[int, _Match]) -> dict[_Match, bytes]:
        async with self.access.within(name, Lane.BULK) as selection:
            messages = FolderMessages(self._cache, self._ids, selection)
            items = await messages.summaries(list(matches))
            if self._query.with_preview or self._query.with_thread:
                items = await add_previews(messages, items, self._query)
            return {
                matches[uid]: summary
                for uid, summary in items.items()
                if matches[uid].uid_validity == messages.uid_validity
            }


def _seconds(when: datetime | None) -> int:
    return int(when.timestamp()) if when else 0
