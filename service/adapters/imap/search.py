"""A filter to the arguments of SEARCH (RFC 9051, 6.4.4)."""

from datetime import date

from service.adapters.imap.arguments import Piece, flag_list, string
from service.adapters.imap.flags import to_wire
from service.mail.errors import InvalidRequest
from service.mail.query import MAX_CONDITIONS, MAX_DEPTH, Condition, Criterion, Filter, Logic, Operator

_TEXT_KEYS = {
    Criterion.TEXT: b"TEXT",
    Criterion.FROM: b"FROM",
    Criterion.TO: b"TO",
    Criterion.CC: b"CC",
    Criterion.BCC: b"BCC",
    Criterion.SUBJECT: b"SUBJECT",
    Criterion.BODY: b"BODY",
}
_DATE_KEYS = {
    Criterion.SINCE: b"SINCE",
    Criterion.BEFORE: b"BEFORE",
    Criterion.SENT_SINCE: b"SENTSINCE",
    Criterion.SENT_BEFORE: b"SENTBEFORE",
}
_SYSTEM_KEYS = {
    "\\Seen": b"SEEN",
    "\\Answered": b"ANSWERED",
    "\\Flagged": b"FLAGGED",
    "\\Draft": b"DRAFT",
    "\\Deleted": b"DELETED",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def search_keys(tree: Filter) -> list[Piece]:
    """The search keys; InvalidRequest for a tree too deep or too wide."""
    keys = _keys(tree, 0)
    if len(keys) > 3 * MAX_CONDITIONS:
        raise InvalidRequest(f"A search may have {MAX_CONDITIONS} conditions.")
    return keys


def is_ascii(keys: list[Piece]) -> bool:
    """Whether the search needs no CHARSET."""
    return all(key.isascii() for key in keys)


def _keys(tree: Filter, depth: int) -> list[Piece]:
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"A search may nest {MAX_DEPTH} deep.")
    if isinstance(tree, Condition):
        return _condition(tree)
    return _operator(tree, depth)


def _operator(tree: Operator, depth: int) -> list[Piece]:
    if not tree.conditions:
        raise InvalidRequest("An operator needs conditions.")
    branches = [_keys(condition, depth + 1) for condition in tree.conditions]
    if tree.logic is Logic.AND:
        return [key for branch in branches for key in branch]
    if tree.logic is Logic.NOT:
        return [key for branch in branches for key in (b"NOT", *_grouped(branch))]
    found = _grouped(branches[-1])
    for branch in reversed(branches[:-1]):
        found = [b"OR", *_grouped(branch), *found]
    return found


def _grouped(keys: list[Piece]) -> list[Piece]:
    """One search key; several are taken together by parentheses, which spaces may surround."""
    return [b"(", *keys, b")"] if len(keys) > 1 else keys


def _condition(condition: Condition) -> list[Piece]:
    criterion, value = condition.criterion, condition.value
    match criterion:
        case Criterion.HAS_KEYWORD | Criterion.NOT_KEYWORD:
            return _keyword(str(value), has=criterion is Criterion.HAS_KEYWORD)
        case Criterion.MIN_SIZE:
            return [b"LARGER", b"%d" % max(0, int(str(value)) - 1)] if int(str(value)) > 0 else [b"ALL"]
        case Criterion.MAX_SIZE:
            return [b"SMALLER", b"%d" % int(str(value))]
    if criterion in _DATE_KEYS and isinstance(value, date):
        return [_DATE_KEYS[criterion], _date(value)]
    return [_TEXT_KEYS[criterion], string(str(value))]


def _keyword(keyword: str, *, has: bool) -> list[Piece]:
    flag = to_wire(keyword)
    if flag in _SYSTEM_KEYS:
        return [_SYSTEM_KEYS[flag] if has else b"UN" + _SYSTEM_KEYS[flag]]
    return [b"KEYWORD" if has else b"UNKEYWORD", flag_list([flag])[1:-1]]


def _date(day: date) -> bytes:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}".encode()
