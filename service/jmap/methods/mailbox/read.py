"""Mailbox/get, /changes, /query and /queryChanges."""

from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError, invalid
from service.jmap.core.filters import check_size
from service.jmap.core.known import read_known
from service.jmap.core.limits import MAX_CONDITIONS
from service.jmap.core.paging import Paging
from service.jmap.core.records import get_response, select, wanted_properties
from service.jmap.core.turns import Turns
from service.jmap.values.mailboxes import COUNTS, KIND, PROPERTIES, changed, mailbox, write_state
from service.mail.errors import StaleToken

Mailboxes = dict[str, dict[str, Any]]
_FILTERS = frozenset({"parentId", "name", "role", "hasAnyRole", "isSubscribed", "operator", "conditions"})
_SORTS = frozenset({"name", "sortOrder", "parentId"})
_MAX_DEPTH = 32
MAX_NAME = 1000
"""Characters of a name that is looked for."""


async def mailboxes_of(account: Account) -> Mailboxes:
    """All Mailboxes by id."""
    folders = await account.folders()
    parents = {folder.id: mailbox_id for mailbox_id, folder in folders.items()}
    can = account.backend.capabilities
    return {each: mailbox(each, folder, parents, can) for each, folder in folders.items()}


def state_of(account: Account, mailboxes: Mailboxes) -> str:
    return account.host.states.sign(account.id, write_state(mailboxes))


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Mailbox/get."""
    account.require(arguments)
    properties = wanted_properties(arguments, PROPERTIES)
    ids = arguments.ids("ids")
    if ids is not None:
        ids = [account.resolve(each) for each in ids]
    mailboxes = await mailboxes_of(account)
    return get_response(account.id, state_of(account, mailboxes), select(mailboxes, ids, properties), ids)


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Mailbox/changes. The state says by itself which mailboxes there were."""
    account.require(arguments)
    since = arguments.required_text("sinceState")
    most = arguments.number("maxChanges", least=1)
    mailboxes = await mailboxes_of(account)
    new = state_of(account, mailboxes)
    created, updated, destroyed, only_counts = list[str](), list[str](), list[str](), False
    if new != since:
        created, updated, destroyed, only_counts = changed(_known(account, since), mailboxes)
    if most is not None and len(created) + len(updated) + len(destroyed) > most:
        raise StaleToken("There are more changes than that.")
    return {
        "accountId": account.id,
        "oldState": since,
        "newState": new,
        "hasMoreChanges": False,
        "created": created,
        "updated": updated,
        "destroyed": destroyed,
        "updatedProperties": list(COUNTS) if only_counts else None,
    }


async def query(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Mailbox/query."""
    account.require(arguments)
    paging = Paging.read(arguments)
    mailboxes = await mailboxes_of(account)
    page = paging.page(await matching_ids(arguments, mailboxes))
    state = state_of(account, mailboxes)
    return {"accountId": account.id, "queryState": state, "canCalculateChanges": _can_tell_changes(arguments), **page}


def _can_tell_changes(arguments: Arguments) -> bool:
    """In a tree the place of a mailbox depends on others."""
    return not (arguments.flag("sortAsTree") or arguments.flag("filterAsTree"))


async def query_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Mailbox/queryChanges: what changed is removed, and added again at its present index."""
    account.require(arguments)
    since = arguments.required_text("sinceQueryState")
    most = arguments.number("maxChanges", least=1)
    mailboxes = await mailboxes_of(account)
    present = state_of(account, mailboxes)
    ids = await matching_ids(arguments, mailboxes)
    touched: set[str] = set()
    if since != present:
        if not _can_tell_changes(arguments):
            raise MethodError("cannotCalculateChanges", "In a tree the place of a mailbox depends on others.")
        created, updated, destroyed, _ = changed(_known(account, since), mailboxes)
        touched = {*created, *updated, *destroyed}
    added = [{"id": mailbox, "index": at} for at, mailbox in enumerate(ids) if mailbox in touched]
    if most is not None and len(touched) + len(added) > most:
        raise MethodError("tooManyChanges")
    return {
        "accountId": account.id,
        "oldQueryState": since,
        "newQueryState": present,
        **({"total": len(ids)} if arguments.flag("calculateTotal") else {}),
        "removed": sorted(touched),
        "added": added,
    }


def _known(account: Account, since: str) -> dict[str, list[str]]:
    """What a state says of the mailboxes at its time. Raises StaleToken."""
    return read_known(KIND, account.host.states.open(account.id, since))


async def matching_ids(arguments: Arguments, mailboxes: Mailboxes) -> list[str]:
    """The ids of all results, in order. With turns for others: many conditions on many mailboxes take long."""
    tree, sort = arguments.object("filter"), _sort(arguments)
    check_size(tree, MAX_CONDITIONS)
    matching, turns = Mailboxes(), Turns()
    for each, record in mailboxes.items():
        await turns.pause()
        if not tree or _holds(tree, record, 0):
            matching[each] = record
    if arguments.flag("filterAsTree"):
        matching = {each: record for each, record in matching.items() if _has_line(record, mailboxes, matching)}
    ordered = _ordered(list(matching.values()), sort)
    if arguments.flag("sortAsTree"):
        ordered = _as_tree(ordered, _ordered(list(mailboxes.values()), sort))
    return [record["id"] for record in ordered]


def _holds(tree: dict[str, Any], record: dict[str, Any], depth: int) -> bool:
    if not isinstance(tree, dict) or depth > _MAX_DEPTH:
        raise invalid("A filter is an object, and nests at most 32 deep.")
    if unknown := tree.keys() - _FILTERS:
        raise MethodError("unsupportedFilter", f"There is no condition {min(unknown)[:100]}.")
    if "operator" in tree:
        return _combined(tree, record, depth)
    if "conditions" in tree:
        raise invalid("Conditions are those of an operator.")
    return all(_condition(name, value, record) for name, value in tree.items())


def _combined(tree: dict[str, Any], record: dict[str, Any], depth: int) -> bool:
    operator, conditions = tree["operator"], tree.get("conditions")
    if operator not in ("AND", "OR", "NOT") or not isinstance(conditions, list) or len(tree) > 2:
        raise invalid("An operator is AND, OR or NOT, and has conditions and nothing else.")
    held = [_holds(each, record, depth + 1) for each in conditions]
    return all(held) if operator == "AND" else any(held) == (operator == "OR")


def _condition(name: str, value: Any, record: dict[str, Any]) -> bool:
    if name == "hasAnyRole" and isinstance(value, bool):
        return (record["role"] is not None) == value
    if name == "isSubscribed" and isinstance(value, bool):
        return bool(record["isSubscribed"] == value)
    if name == "name" and isinstance(value, str) and len(value) <= MAX_NAME:
        return value.casefold() in record["name"].casefold()
    if name in ("parentId", "role") and (value is None or isinstance(value, str)):
        return bool(record[name] == value)
    raise invalid(f"{name[:100]} has the wrong type, or is too long.")


def _sort(arguments: Arguments) -> list[tuple[str, bool]]:
    comparators = arguments.get("sort")
    if comparators is None:
        return [("sortOrder", True), ("name", True)]
    if not isinstance(comparators, list):
        raise invalid("sort is a list of comparators.")
    return [_sort_key(each) for each in comparators[:10]]


def _sort_key(comparator: Any) -> tuple[str, bool]:
    wanted = comparator if isinstance(comparator, dict) else {}
    name, is_ascending = wanted.get("property"), wanted.get("isAscending", True)
    if not isinstance(name, str) or not isinstance(is_ascending, bool):
        raise invalid("A comparator has a property, and isAscending is true or false.")
    if name not in _SORTS:
        raise MethodError("unsupportedSort", f"Mailboxes cannot be sorted by {name[:100]}.")
    return name, is_ascending


def _ordered(records: list[dict[str, Any]], sort: list[tuple[str, bool]]) -> list[dict[str, Any]]:
    ordered = sorted(records, key=lambda record: record["id"])
    for name, is_ascending in reversed(sort):
        ordered.sort(key=lambda record: _key(record[name]), reverse=not is_ascending)
    return ordered


def _key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value if value is not None else ""


def _as_tree(ordered: list[dict[str, Any]], all_ordered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each mailbox directly before those below it."""
    children: dict[str | None, list[dict[str, Any]]] = {}
    for record in all_ordered:
        children.setdefault(record["parentId"], []).append(record)
    chosen = {record["id"] for record in ordered}
    result, pending = [], list(reversed(children.get(None, [])))
    while pending:
        record = pending.pop()
        result.append(record)
        pending.extend(reversed(children.get(record["id"], [])))
    return [record for record in result if record["id"] in chosen]


def _has_line(record: dict[str, Any], mailboxes: Mailboxes, matching: Mailboxes) -> bool:
    """Whether all mailboxes above it match too."""
    parent, seen = record["parentId"], set()
    while parent is not None and parent in mailboxes and parent not in seen:
        if parent not in matching:
            return False
        seen.add(parent)
        parent = mailboxes[parent]["parentId"]
    return True
