"""Email/query and /queryChanges."""

from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError
from service.jmap.core.paging import MAX_LIMIT, Paging
from service.jmap.methods.email.changes import changed_since
from service.jmap.methods.email.conversations import split
from service.jmap.methods.email.walk import Found, Query, Walk
from service.jmap.values.filters import only_folder, read_filter, read_sort
from service.mail.errors import InvalidRequest, NotFound, NotSupported
from service.mail.search.filter import Condition, Criterion, Filter, Operator

MAX_COMPARED = 1000
"""The longest list whose changes are calculated: all of it has to be read."""


async def query(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/query."""
    account.require(arguments)
    paging = Paging.read(arguments)
    wanted = await _read(account, arguments)
    state = await account.state()
    found = await _search(account, wanted, paging)
    return {
        "accountId": account.id,
        "queryState": state,
        "canCalculateChanges": _can_tell_changes(wanted),
        "collapseThreads": wanted.collapses,
        **paging.page(found.emails, found.total),
    }


async def query_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/queryChanges: for lists that depend on nothing but the Emails in them, and are not long."""
    account.require(arguments)
    since = arguments.required_text("sinceQueryState")
    most, up_to = arguments.number("maxChanges", least=1), arguments.text("upToId")
    wanted = await _read(account, arguments)
    if not _can_tell_changes(wanted):
        raise MethodError("cannotCalculateChanges", "This list depends on other Emails than those in it.")
    changed = await changed_since(account, since)
    touched = {*changed.created, *changed.updated, *changed.destroyed}
    found = Found([], 0)
    if touched or arguments.flag("calculateTotal"):
        found = await _search(account, wanted, Paging(0, None, 0, MAX_LIMIT, None, with_total=True, counts_all=True))
    if len(found.emails) > MAX_COMPARED or changed.has_more:
        raise MethodError("cannotCalculateChanges", "The list is too long.")
    end = found.emails.index(up_to) if up_to in found.emails else len(found.emails)
    added = [{"id": email, "index": at} for at, email in enumerate(found.emails) if email in touched and at <= end]
    if most is not None and len(added) + len(touched) > most:
        raise MethodError("tooManyChanges")
    return {
        "accountId": account.id,
        "oldQueryState": since,
        "newQueryState": changed.state,
        **({"total": len(found.emails)} if arguments.flag("calculateTotal") else {}),
        "removed": sorted(touched),
        "added": added,
    }


def _can_tell_changes(wanted: Query) -> bool:
    return not wanted.needs_threads and all(each.condition is None for each in wanted.sort)


async def _search(account: Account, wanted: Query, paging: Paging) -> Found:
    if wanted.folder is not None:
        try:
            wanted.folder = await account.folder_id(account.resolve(wanted.folder))
        except NotFound:
            return Found([], 0)
    try:
        return await Walk(account, wanted).window(paging)
    except NotSupported as error:
        raise MethodError("unsupportedFilter" if wanted.tree else "unsupportedSort", error.detail) from None


async def _read(account: Account, arguments: Arguments) -> Query:
    try:
        tree = read_filter(arguments.get("filter"))
    except InvalidRequest as error:
        raise MethodError("unsupportedFilter", error.detail) from None
    sort = read_sort(arguments.get("sort"))
    rest, of_threads = split(tree)
    mailbox, rest = only_folder(rest)
    rest = None if rest is None else await _with_folders(account, rest)
    return Query(mailbox, rest, sort, of_threads, collapses=arguments.flag("collapseThreads"))


async def _with_folders(account: Account, tree: Filter) -> Filter:
    """The filter with folders in place of Mailboxes; the ids of those that do not exist match nothing."""
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
