"""Email/query and /queryChanges: a walk through the pages of the port, as far as the window asks for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import Row, is_visible, rows_of
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError
from service.jmap.core.limits import MAX_RESULTS
from service.jmap.core.paging import Paging
from service.jmap.values.filters import Comparator, only_folder, read_filter, read_sort
from service.mail.errors import InvalidRequest, NotFound, NotSupported
from service.mail.model import Page
from service.mail.search.filter import MAX_PAGE, Condition, Criterion, Filter, ListQuery, Logic, Operator

_TOO_FAR = f"Results can be read up to number {MAX_RESULTS}. Narrow the filter."


@dataclass(slots=True)
class Query:
    """What is searched, and where: ``folder`` is a single one, None means all."""

    folder: str | None
    tree: Filter | None
    sort: Sequence[Comparator]
    with_thread: bool = False

    def page_query(self, limit: int, cursor: str | None) -> ListQuery:
        order = tuple(each.order for each in self.sort if each.key is not None)
        return ListQuery(limit, cursor, self.tree, order, with_thread=self.with_thread)


@dataclass(slots=True)
class Found:
    """Emails in order. ``total`` of all that match, None if the walk did not come to the end."""

    emails: list[str]
    total: int | None = None


async def query(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/query."""
    account.require(arguments)
    paging = Paging.read(arguments)
    wanted = await _read(account, arguments)
    state = await account.state()
    collapses = arguments.flag("collapseThreads")
    try:
        found = await search(account, wanted, paging, collapses=collapses)
    except NotSupported as error:
        raise MethodError("unsupportedFilter" if wanted.tree else "unsupportedSort", error.detail) from None
    return {
        "accountId": account.id,
        "queryState": state,
        "canCalculateChanges": False,
        "collapseThreads": collapses,
        **paging.page(found.emails, found.total),
    }


async def query_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/queryChanges: only that nothing changed can be said."""
    account.require(arguments)
    since = arguments.required_text("sinceQueryState")
    await _read(account, arguments)
    present = await account.state()
    if since != present:
        raise MethodError("cannotCalculateChanges")
    return {"accountId": account.id, "oldQueryState": since, "newQueryState": present, "removed": [], "added": []}


async def _read(account: Account, arguments: Arguments) -> Query:
    try:
        tree = read_filter(arguments.get("filter"))
    except InvalidRequest as error:
        raise MethodError("unsupportedFilter", error.detail) from None
    sort = read_sort(arguments.get("sort"))
    mailbox, rest = only_folder(tree)
    rest = None if rest is None else await _with_folders(account, rest)
    return Query(mailbox, rest, sort, with_thread=arguments.flag("collapseThreads"))


async def _with_folders(account: Account, tree: Filter) -> Filter:
    """The filter with folders in place of Mailboxes; of those that do not exist the ids stay, and match nothing."""
    if isinstance(tree, Operator):
        return Operator(tree.logic, tuple([await _with_folders(account, each) for each in tree.conditions]))
    if tree.criterion is Criterion.IN_FOLDER:
        return Condition(tree.criterion, await _folder_or_id(account, str(tree.value)))
    if tree.criterion is Criterion.IN_FOLDER_OTHER_THAN and isinstance(tree.value, tuple):
        return Condition(tree.criterion, tuple([await _folder_or_id(account, each) for each in tree.value]))
    return tree


async def _folder_or_id(account: Account, mailbox: str) -> str:
    try:
        return await account.folder_id(account.resolve(mailbox))
    except NotFound:
        return f"missing {mailbox}"


async def search(account: Account, wanted: Query, paging: Paging, *, collapses: bool = False) -> Found:
    """The Emails up to the end of the window. Raises requestTooLarge if that lies too far behind."""
    if wanted.folder is not None:
        try:
            wanted.folder = await account.folder_id(account.resolve(wanted.folder))
        except NotFound:
            return Found([], 0)
    walk = _Walk(account, wanted, paging, collapses=collapses)
    return await (walk.sorted_by_conditions() if any(each.condition for each in wanted.sort) else walk.in_order())


class _Walk:
    """One walk through the results."""

    def __init__(self, account: Account, wanted: Query, paging: Paging, *, collapses: bool) -> None:
        self._account, self._wanted, self._paging = account, wanted, paging
        self._collapses = collapses
        self._is_exact = collapses or wanted.folder is None
        """Whether a message found twice counts once, so that the number of messages is not that of Emails."""
        self._emails: dict[str, None] = {}
        self._threads: set[str] = set()
        self._hidden = 0

    async def in_order(self) -> Found:
        """Stops at the end of the window, unless all have to be counted."""
        total: int | None = None
        needs_all = self._paging.needs_all or (self._paging.with_total and self._is_exact)
        end = self._paging.position + self._paging.limit
        if self._paging.anchor is None and self._paging.position >= MAX_RESULTS:
            return await self._behind_all()
        async for page in self._pages(None if needs_all else end):
            total = page.total
            await self._take(rows_of(page.items))
            if not needs_all and len(self._emails) >= end:
                break
        else:
            return Found(list(self._emails), self._count(total))
        return Found(list(self._emails), None if total is None else total - self._hidden)

    def _count(self, total: int | None) -> int:
        """All pages were read: what was seen is the number, in one folder the one that the server says."""
        return len(self._emails) if self._is_exact or total is None else total - self._hidden

    async def _behind_all(self) -> Found:
        """The window begins far behind: it is empty, if the list is not longer."""
        async for page in self._pages(1):
            if page.total is not None and page.total <= self._paging.position:
                return Found([], page.total)
        raise MethodError("requestTooLarge", _TOO_FAR)

    async def sorted_by_conditions(self) -> Found:
        """All matches in the order of the other keys, then sorted by whether conditions hold."""
        async for page in self._pages(None):
            await self._take(rows_of(page.items))
        emails = list(self._emails)
        for number, comparator in reversed(list(enumerate(self._wanted.sort))):
            if comparator.condition is None:
                emails = await self._again(emails, self._wanted.sort[number:])
            else:
                holding = await self._holding(comparator.condition)
                emails.sort(key=lambda email: email in holding, reverse=not comparator.is_ascending)
        return Found(emails, len(emails))

    async def _again(self, emails: list[str], sort: Sequence[Comparator]) -> list[str]:
        """The pages come in the order of the port's keys, and sorting is stable: only the first such key matters here,
        if a condition stands behind it."""
        if all(each.condition is None for each in sort):
            return emails
        raise MethodError("unsupportedSort", "Conditions come first in a sort.")

    async def _holding(self, condition: Condition) -> set[str]:
        tree = self._wanted.tree
        narrowed = condition if tree is None else Operator(Logic.AND, (tree, condition))
        inner = _Walk(self._account, Query(self._wanted.folder, narrowed, ()), self._paging, collapses=False)
        async for page in inner._pages(None):
            await inner._take(rows_of(page.items))
        return set(inner._emails)

    async def _pages(self, end: int | None) -> AsyncIterator[Page]:
        """The pages, each as long as is still needed. Raises requestTooLarge behind ``MAX_RESULTS``."""
        seen, cursor, folders = 0, None, None
        backend, folder = self._account.backend, self._wanted.folder
        if folder is None:
            listed = (await self._account.folders()).values()
            folders = [each.id for each in listed if each.is_selectable and each.total_messages != 0]
            if not folders:
                return
        while True:
            limit = MAX_PAGE if end is None else max(1, min(MAX_PAGE, end - len(self._emails)))
            asked = self._wanted.page_query(limit, cursor)
            if folder is not None:
                page = await backend.list_messages(folder, asked)
            elif folders is not None and len(folders) == 1 and self._wanted.tree is None:
                page = await backend.list_messages(folders[0], asked)
            else:
                page = await backend.search_messages(folders, asked)
            seen += len(page.items)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return
            if seen >= MAX_RESULTS:
                raise MethodError("requestTooLarge", _TOO_FAR)

    async def _take(self, rows: Sequence[Row]) -> None:
        visible = [row for row in rows if is_visible(row)]
        self._hidden += len(rows) - len(visible)
        emails = await self._account.index.emails_of(row["id"] for row in visible)
        for row in visible:
            email = emails[row["id"]]
            if self._collapses:
                thread = row.get("threadId") or email
                if thread in self._threads:
                    continue
                self._threads.add(thread)
            self._emails[email] = None
            self._account.rows[row["id"]] = row
