"""A walk through the results of a query, page by page, as far as the window asks for."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from service.jmap.account.account import Account
from service.jmap.account.emails import DELETED, Row, is_visible, rows_of
from service.jmap.core.errors import MethodError
from service.jmap.core.limits import MAX_RESULTS
from service.jmap.core.paging import Paging
from service.jmap.methods.email.conversations import OF_THREADS, ThreadTest, members
from service.jmap.values.emails import thread_of
from service.jmap.values.filters import Comparator
from service.mail.errors import NotSupported
from service.mail.model import Capability, Page
from service.mail.search.filter import MAX_PAGE, Condition, Criterion, Filter, ListQuery, Logic, Operator

MAX_MERGED = 4000
"""The same of several folders: each page of them is a search of its own."""
LEAST = 50
"""Messages of a page at least, if some may not become results."""
_TOO_FAR = f"Results can be read up to number {MAX_RESULTS}, over several folders {MAX_MERGED}. Narrow the filter."


@dataclass(slots=True)
class Query:
    """What is searched, and where: ``folder`` is a single one, None means all. ``of_threads`` are conditions that the
    thread of each result has to meet."""

    folder: str | None
    tree: Filter | None
    sort: Sequence[Comparator] = ()
    of_threads: Sequence[Condition] = ()
    collapses: bool = False

    @property
    def needs_threads(self) -> bool:
        return self.collapses or bool(self.of_threads) or any(each.is_of_threads for each in self.sort)

    def page_query(self, limit: int, cursor: str | None, extras: Collection[str] = ()) -> ListQuery:
        order = tuple(each.order for each in self.sort if each.key is not None)
        return ListQuery(
            limit,
            cursor,
            self.tree,
            order,
            with_preview="preview" in extras,
            with_thread=self.needs_threads or "threadId" in extras,
        )


@dataclass(slots=True)
class Found:
    """Emails in order. ``total`` of all that match, None if that is unknown before the end of the walk."""

    emails: list[str]
    total: int | None = None


class Walk:
    """One walk."""

    def __init__(self, account: Account, wanted: Query) -> None:
        self._account, self._wanted = account, wanted
        self._is_exact = wanted.collapses or wanted.folder is None or bool(wanted.of_threads)
        """Whether results have to be seen to be counted: a message may be found twice, or be left out."""
        self._emails: dict[str, None] = {}
        self._thread_of: dict[str, str] = {}
        self._threads: set[str] = set()
        self._tests: list[ThreadTest] = []
        self._hidden = 0

    async def window(self, paging: Paging) -> Found:
        """The Emails up to the end of the window, or all if they have to be counted. Raises requestTooLarge if that
        lies too far behind."""
        if any(each.condition for each in self._wanted.sort):
            return await self._sorted_by_conditions()
        counts_apart = paging.with_total and not paging.needs_all and self._can_count_apart
        needs_all = paging.needs_all or (paging.with_total and self._is_exact and not counts_apart)
        if paging.anchor is None and paging.position >= MAX_RESULTS:
            return await self._behind_all(paging.position)
        end = paging.position + paging.limit
        total: int | None = None
        await self._prepare()
        async for page in self._pages(None if needs_all else end, with_extras=not needs_all):
            total = page.total
            await self._take(rows_of(page.items), has_extras=not needs_all)
            if not needs_all and len(self._emails) >= end:
                break
        else:
            exact = self._is_exact or total is None
            return Found(list(self._emails), len(self._emails) if exact else (total or 0) - self._hidden)
        if counts_apart:
            return Found(list(self._emails), await self._count())
        return Found(list(self._emails), total - await self._hidden_in_all() if paging.with_total and total else total)

    async def _hidden_in_all(self) -> int:
        """How many of the results in one folder are marked as deleted: a search. The number of all in the folder is
        kept for as long as nothing changes."""
        account, folder, tree = self._account, self._wanted.folder, self._wanted.tree
        assert folder is not None
        token = await account.token()
        hidden = account.host.pages.hidden_at(token, account.id, folder) if tree is None else None
        if hidden is None:
            deleted: Filter = Condition(Criterion.HAS_KEYWORD, DELETED)
            sought = deleted if tree is None else Operator(Logic.AND, (tree, deleted))
            try:
                hidden = len((await account.backend.find_messages(folder, sought, MAX_RESULTS)).ids)
            except NotSupported:
                hidden = self._hidden
            if tree is None:
                account.host.pages.keep_hidden(token, account.id, folder, hidden)
        return hidden

    @property
    def _can_count_apart(self) -> bool:
        """Whether the results can be counted by ids alone, without their rows."""
        return self._wanted.folder is None and not self._wanted.needs_threads

    async def _count(self) -> int:
        """All results in all folders: one round trip for each, and those of ids that are not known yet."""
        shown: Filter = Condition(Criterion.NOT_KEYWORD, DELETED)
        if self._wanted.tree is not None:
            shown = Operator(Logic.AND, (self._wanted.tree, shown))
        emails: set[str] = set()
        for folder in await self._all_folders():
            found = await self._account.backend.find_messages(folder, shown, MAX_RESULTS)
            emails.update((await self._account.index.emails_of(found.ids)).values())
            if found.has_more or len(emails) > MAX_RESULTS:
                raise MethodError("requestTooLarge", _TOO_FAR)
        return len(emails)

    async def threads(self) -> frozenset[str]:
        """The threads of all results."""
        async for page in self._pages(None):
            await self._take(rows_of(page.items))
        return frozenset(self._thread_of.values())

    async def _prepare(self) -> None:
        for condition in self._wanted.of_threads:
            self._tests.append(await self._test(condition))

    async def _test(self, condition: Condition) -> ThreadTest:
        tree, is_among = members(condition)
        inner = Query(None, tree, of_threads=[condition])
        return ThreadTest(await Walk(self._account, inner).threads(), is_among)

    async def _behind_all(self, position: int) -> Found:
        """The window begins far behind: it is empty, if the list is not longer."""
        async for page in self._pages(1):
            if page.total is not None and page.total <= position:
                return Found([], page.total)
            raise MethodError("requestTooLarge", _TOO_FAR)
        return Found([], 0)

    async def _sorted_by_conditions(self) -> Found:
        """All results in the order of the port's keys; then, stably, by whether conditions hold, the first last."""
        conditions = [each for each in self._wanted.sort if each.condition is not None]
        if list(self._wanted.sort[: len(conditions)]) != conditions:
            raise MethodError("unsupportedSort", "Conditions come first in a sort.")
        await self._prepare()
        async for page in self._pages(None):
            await self._take(rows_of(page.items))
        emails = list(self._emails)
        for comparator in reversed(conditions):
            assert comparator.condition is not None
            holding = await self._holding(comparator.condition)
            emails.sort(key=lambda email: email in holding, reverse=not comparator.is_ascending)
        return Found(emails, len(emails))

    async def _holding(self, condition: Condition) -> set[str]:
        """The results for which the condition holds."""
        if condition.criterion in OF_THREADS:
            test = await self._test(condition)
            return {email for email in self._emails if test.holds(self._thread_of[email])}
        tree = self._wanted.tree
        narrowed = condition if tree is None else Operator(Logic.AND, (tree, condition))
        inner = Walk(self._account, Query(self._wanted.folder, narrowed))
        async for page in inner._pages(None):
            await inner._take(rows_of(page.items))
        return set(inner._emails)

    async def _pages(self, end: int | None, *, with_extras: bool = False) -> AsyncIterator[Page]:
        """The pages, each as long as is still needed. Raises requestTooLarge behind ``MAX_RESULTS``."""
        seen, cursor = 0, None
        extras = self._account.extras if with_extras and self._can_have_threads else frozenset[str]()
        folders = [self._wanted.folder] if self._wanted.folder is not None else await self._all_folders()
        least = LEAST if self._is_exact else 1
        most = MAX_MERGED if len(folders) > 1 else MAX_RESULTS
        while folders:
            limit = MAX_PAGE if end is None else min(MAX_PAGE, max(least, end - len(self._emails)))
            asked = self._wanted.page_query(limit, cursor, extras)
            if len(folders) == 1:
                page = await self._account.page(folders[0], asked)
            else:
                page = await self._account.backend.search_messages(folders, asked)
            seen += len(page.items)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return
            if seen >= most:
                raise MethodError("requestTooLarge", _TOO_FAR)

    async def _all_folders(self) -> list[str]:
        listed = (await self._account.folders()).values()
        return [each.id for each in listed if each.is_selectable and each.total_messages != 0]

    @property
    def _can_have_threads(self) -> bool:
        """Of a mailbox that has none, rows are read without."""
        return Capability.THREADS in self._account.backend.capabilities

    async def _take(self, rows: Sequence[Row], *, has_extras: bool = False) -> None:
        """``has_extras``: they may be used again by a later call."""
        visible = [row for row in rows if is_visible(row)]
        self._hidden += len(rows) - len(visible)
        emails = await self._account.index.emails_of(row["id"] for row in visible)
        for row in visible:
            email = emails[row["id"]]
            if has_extras:
                self._account.rows[row["id"]] = row
            if self._wanted.needs_threads and not self._fits(email, row):
                continue
            self._emails[email] = None

    def _fits(self, email: str, row: Row) -> bool:
        thread = self._thread_of[email] = thread_of(email, row)
        if not all(test.holds(thread) for test in self._tests):
            return False
        is_new = thread not in self._threads
        self._threads.add(thread)
        return is_new or not self._wanted.collapses or email in self._emails
