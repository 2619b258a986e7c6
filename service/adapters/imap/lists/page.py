"""A page of a folder (RFC 9051, 6.4.4 and 6.4.5).

Without criteria, newest first: sequence numbers say where a page lies and UIDs which messages it has, so every page
costs the same, without a search and without reading what lies before it. UIDs are in the order of arrival. With
criteria or a sort the server finds or sorts UIDs, and the page is a slice of those.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from service.adapters.imap.ids import Ids
from service.adapters.imap.lists.preview import add_previews
from service.adapters.imap.messages.cache import MessageCache
from service.adapters.imap.messages.folder_messages import FolderMessages, JsonOf
from service.adapters.imap.messages.repair import is_about_content
from service.adapters.imap.search.evaluation import Evaluation
from service.adapters.imap.search.flag_news import FlagNews
from service.adapters.imap.search.sort import in_order
from service.adapters.imap.session.access import Access, again
from service.adapters.imap.session.connection import Connection
from service.adapters.imap.session.fetch import find_all, folder_numbers
from service.adapters.imap.session.pool import Lane
from service.adapters.imap.session.selection import Selection, state_of
from service.adapters.imap.wire.pace import ascending, paced
from service.adapters.imap.wire.responses import SEQUENCE, FetchResponse, fetch_rows, found_uids
from service.adapters.imap.wire.values.numbers import MAX_UID
from service.mail.errors import StaleToken, UpstreamFailure, UpstreamProtocol
from service.mail.exchange import FoundMessages
from service.mail.json_rows import JsonRows
from service.mail.model import Page
from service.mail.numbers import read_number
from service.mail.search.filter import Filter, ListQuery

K = TypeVar("K", bound=Hashable)
ANCHORS = 40
"""UIDs of a sorted page that its cursor carries. While one of them is left, the next page neither repeats nor skips."""
_EMPTY_ROUNDS = 20
"""Round trips in a row that may bring no row. In a folder that others empty meanwhile, a few do."""


def _ignore() -> None:
    """The default of ``begin``."""


class _After(NamedTuple):
    """The last message shown: its UID, and the sequence number it had, which only falls as others are expunged."""

    uid: int
    sequence: int


class Pages:
    """The pages of single folders."""

    def __init__(self, access: Access, cache: MessageCache) -> None:
        self.access = access
        self._cache = cache

    @again
    async def read(self, folder: bytes, query: ListQuery, begin: Callable[[], None] = _ignore) -> Page:
        """See the port. Calls ``begin`` when a connection is there and reading begins."""
        ids = self.access.ids
        async with self.access.within(folder) as selection:
            begin()
            messages = FolderMessages(self._cache, ids, selection)
            list_of = list_name(folder, query)
            after = () if query.cursor is None else ids.read_cursor(query.cursor, list_of, selection.uid_validity)
            if query.filter is None and not query.sort:
                newest = _After(after[0], after[1]) if len(after) > 1 else None
                cut = await _known_page(messages, query.limit, newest)
                if cut is None:
                    cut = await _newest_page(messages, query.limit, newest)
            else:
                below = after[0] if after else MAX_UID + 1
                found = _sorted_page(messages, query, after) if query.sort else _found_page(messages, query, below)
                cut = await found
            return await _page(messages, ids, query, cut)

    @again
    async def rows(self, folder: bytes, uid_validity: int, uids: Sequence[int], query: ListQuery) -> JsonOf:
        """The rows of these messages of one folder. Raises as ``Access.messages``. One round trip, and those of
        ``add_previews`` if the query asks for previews or threads."""
        async with self.access.messages(folder, uid_validity, uids) as selection:
            messages = FolderMessages(self._cache, self.access.ids, selection)
            items = await messages.summaries(uids)
            is_more = query.with_preview or query.with_thread
            return await add_previews(messages, items, query) if is_more else items

    @again
    async def find(self, folder: bytes, tree: Filter | None, limit: int) -> FoundMessages:
        """See the port."""
        async with self.access.within(folder, Lane.BULK) as selection:
            messages = FolderMessages(self._cache, self.access.ids, selection)
            evaluation = Evaluation(messages)
            if tree is None or not evaluation.is_remote(tree):  # else the search brings the news
                await selection.refresh()
            uids = await find_all(selection) if tree is None else await ascending(await evaluation.find(tree))
            ids = [messages.id(uid) async for uid in paced(uids[: -limit - 1 : -1])]
            return FoundMessages(ids, has_more=len(uids) > limit or evaluation.is_partial)

    @again
    async def state(self, folder: bytes) -> str | None:
        """The folder's ``Page.state`` now; None if the server counts no changes. One round trip."""
        async with self.access.anywhere() as connection:
            return state_of(await folder_numbers(connection, folder)) if connection.has_modseq else None


async def _page(messages: FolderMessages, ids: Ids, query: ListQuery, cut: "_Cut") -> Page:
    items, total, next_numbers, evaluation = cut
    if query.with_preview or query.with_thread:
        items = await add_previews(messages, items, query)
    list_of = list_name(messages.name, query)
    return Page(
        items=JsonRows(items.values()),
        next_cursor=ids.cursor(list_of, messages.uid_validity, next_numbers) if next_numbers else None,
        total=total,
        evaluated_by=evaluation.by if evaluation else None,
        unsearched=(messages.folder_id,) if evaluation and evaluation.is_partial else None,
        state=messages.selection.state,
    )


def list_name(folders: bytes, query: ListQuery) -> bytes:
    """Names the list, so that a cursor of one list is refused by another."""
    return folders + repr((query.filter, query.sort)).encode() if query.filter or query.sort else folders


class _Patience:
    """Limits the round trips for messages that never come. A server that counts or finds messages which it does not
    have would otherwise be asked for all of them, a page at a time."""

    def __init__(self) -> None:
        self._size = -1
        self._left = _EMPTY_ROUNDS

    def note(self, items: JsonOf) -> None:
        """Called before each round trip. Raises UpstreamProtocol after too many that brought nothing."""
        self._left = _EMPTY_ROUNDS if len(items) > self._size else self._left - 1
        self._size = len(items)
        if self._left < 0:
            raise UpstreamProtocol("The mail server names messages that it does not have.", protocol="imap")


class _Cut(NamedTuple):
    """A page's messages by UID in order, how many match, the numbers of the next cursor, and who found them."""

    items: JsonOf
    total: int
    next: Sequence[int] = ()
    by: Evaluation | None = None


async def _known_page(messages: FolderMessages, limit: int, after: _After | None) -> _Cut | None:
    """The page at the place where it was last shown, in one round trip with the news. None if there is news, or if the
    place does not hold exactly one page: then the place has to be found first."""
    below = MAX_UID + 1 if after is None else after.uid
    lowest = messages.page_end(limit, below)
    if lowest is None:
        return None
    uids = b"%d:*" % lowest if after is None else b"%d:%d" % (lowest, below - 1)
    selection = messages.selection
    if selection.is_fresh or selection.connection.is_legacy:  # nothing newer to ask for, or no way to ask
        return None
    untagged = (await selection.refresh_with([b"UID", b"FETCH", uids, messages.items.changing])).untagged()
    responses = await fetch_rows(untagged or ())
    fitting = sorted((uid for uid in responses if lowest <= uid < below), reverse=True)
    if len(fitting) != limit:
        return None
    items = messages.read(fitting, responses, await messages.get(fitting))
    return _Cut(items, selection.exists, _next(fitting[-1], _sequence(responses[fitting[-1]])))


async def _newest_page(messages: FolderMessages, limit: int, after: _After | None) -> _Cut:
    """The newest messages below the cursor. The cursor's sequence number only falls as others are expunged, so all
    messages below its UID are below its number; those in between are dropped by UID."""
    selection = messages.selection
    below = MAX_UID + 1 if after is None else after.uid
    fetched = await _fetch_with_news(messages, limit, after)
    high = _highest(selection, after)
    items: JsonOf = {}
    patience = _Patience()
    last = 0
    while high > 0 and len(items) < limit:
        patience.note(items)
        low = max(1, high - (limit - len(items)) + 1)
        responses = await _fetch_page(messages, low, high, below) if fetched is None else fetched
        fetched = None
        if len(responses) <= high - low:
            responses = {**await _flags_between(messages, low, high), **responses}
        fitting = [uid for uid in sorted(responses, reverse=True) if uid < below]
        items |= messages.read(fitting, responses, await messages.get(fitting, responses))
        last = min((_sequence(responses[uid]) for uid in fitting), default=last)
        high = low - 1 if fitting or after is None else min(low - 1, await _count_below(messages.connection, after.uid))
    if len(items) == limit:
        messages.keep_page(limit, below, min(items))
    return _Cut(items, selection.exists, _next(min(items), last) if items else ())


def _highest(selection: Selection, after: _After | None) -> int:
    """The highest sequence number that the page may have."""
    return selection.exists if after is None else min(selection.exists, after.sequence - 1)


async def _fetch_with_news(
    messages: FolderMessages, limit: int, after: _After | None
) -> dict[int, FetchResponse] | None:
    """As ``_fetch_page``, in one round trip with the news. None if there was news, which may have moved the page, or if
    that cannot be done; the selection is fresh then all the same."""
    selection = messages.selection
    high = _highest(selection, after)
    if selection.is_fresh or selection.connection.is_legacy or not high:
        await selection.refresh()
        return None
    low = max(1, high - limit + 1)
    below = MAX_UID + 1 if after is None else after.uid
    items = messages.items.row if messages.is_unread(below) else messages.items.changing
    try:
        untagged = (await selection.refresh_with([b"FETCH", b"%d:%d" % (low, high), items])).untagged()
    except UpstreamFailure as error:
        if not is_about_content(error) or not messages.connection.is_open:
            raise
        await selection.refresh()
        return None
    return None if untagged is None else await _rows_between(untagged, low, high)


def _next(uid: int, sequence: int) -> Sequence[int]:
    """The numbers of the cursor after the last row of a page; empty after the last page."""
    return (uid, sequence) if sequence > 1 else ()


async def _fetch_page(messages: FolderMessages, low: int, high: int, below: int) -> dict[int, FetchResponse]:
    """Everything of messages that were never read, else their flags. Flags too if the server refuses to describe one of
    them: ``FolderMessages.get`` finds out which. Without responses about others that come in between."""
    if messages.is_unread(below):
        try:
            answer = await messages.connection.run([b"FETCH", b"%d:%d" % (low, high), messages.items.row])
        except UpstreamFailure as error:
            if not is_about_content(error) or not messages.connection.is_open:
                raise
            await messages.has_false_labels()
        else:
            return await _rows_between(answer.untagged, low, high)
    return await _flags_between(messages, low, high)


async def _flags_between(messages: FolderMessages, low: int, high: int) -> dict[int, FetchResponse]:
    """The flags of all these messages: a server may leave out one that it cannot describe, and say OK. One round
    trip."""
    answer = await messages.connection.run([b"FETCH", b"%d:%d" % (low, high), messages.items.changing])
    return await _rows_between(answer.untagged, low, high)


async def _rows_between(untagged: Iterable[bytes], low: int, high: int) -> dict[int, FetchResponse]:
    responses = await fetch_rows(untagged, as_usual=True)
    return {uid: row for uid, row in responses.items() if low <= _sequence(row) <= high}


async def _count_below(connection: Connection, uid: int) -> int:
    """How many messages have a smaller UID, which is the sequence number of the highest of them."""
    answer = await connection.run([b"SEARCH", b"UID", b"1:%d" % (uid - 1)]) if uid > 1 else None
    return len(await found_uids(answer.untagged)) if answer else 0


async def _found_page(messages: FolderMessages, query: ListQuery, below: int) -> _Cut:
    """The matches below a UID, newest first."""
    assert query.filter is not None
    news = FlagNews(messages)
    evaluation = Evaluation(messages, flag_news=news)
    if not evaluation.is_remote(query.filter):  # else the search brings the news
        await messages.selection.refresh()
    uids = (await ascending(await evaluation.find(query.filter)))[::-1]
    older = [uid for uid in uids if uid < below]
    page = older[: query.limit]
    known = news.rows(page)
    items, shown = await _filled(messages, older, query.limit) if known is None else (known, len(page))
    return _Cut(items, len(uids), (older[shown - 1],) if shown < len(older) else (), evaluation)


async def _sorted_page(messages: FolderMessages, query: ListQuery, anchors: Sequence[int]) -> _Cut:
    evaluation = Evaluation(messages)
    await messages.selection.refresh()
    uids = await in_order(evaluation, query.filter, query.sort)
    start = behind(uids, anchors)
    items, shown = await _filled(messages, uids[start:], query.limit)
    stop = start + shown
    return _Cut(items, len(uids), uids[max(start, stop - ANCHORS) : stop] if stop < len(uids) else (), evaluation)


def behind(order: Sequence[K], anchors: Sequence[K]) -> int:
    """The index at which the page begins that follows the one whose last messages were ``anchors``. The order of those
    that stay never changes, so the messages after the last anchor left were not shown yet."""
    places = {uid: at for at, uid in enumerate(order)} if anchors else {}
    left = [places[uid] for uid in anchors if uid in places]
    if anchors and not left:
        raise StaleToken("All messages around this cursor are gone. Start the list again.")
    return max(left) + 1 if left else 0


async def _filled(messages: FolderMessages, uids: Sequence[int], limit: int) -> tuple[JsonOf, int]:
    """The first ``limit`` messages that still exist, and how many of the UIDs were read to find them."""
    items: JsonOf = {}
    patience = _Patience()
    used = 0
    while used < len(uids) and len(items) < limit:
        patience.note(items)
        batch = uids[used : used + limit - len(items)]
        items |= await messages.summaries(batch)
        used += len(batch)
    return items, used


def _sequence(row: FetchResponse) -> int:
    return read_number(row[SEQUENCE], MAX_UID) or 0
