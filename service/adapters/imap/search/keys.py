"""Translates a filter into the arguments of SEARCH (RFC 9051, 6.4.4)."""

from datetime import date

from service.adapters.imap.search.gmail import raw_key, raw_query
from service.adapters.imap.wire.arguments import Piece, flag_list, string
from service.adapters.imap.wire.values.dates import write_date
from service.adapters.imap.wire.values.flags import to_wire
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, Logic, Operator

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
_UNSET = frozenset(b"UN" + key for key in _SYSTEM_KEYS.values())
_EVERY = (b"UID", b"1:*")


def search_keys(tree: Filter, *, with_raw: bool = False) -> list[Piece]:
    """The search keys of conditions that a server can decide. The tree must not be empty; its depth is bounded by the
    filter grammar. ``with_raw``: in Gmail's own syntax, as far as that means the same."""
    return _keys_with_raw(tree) if with_raw else _keys(tree)


def _keys_with_raw(tree: Filter) -> list[Piece]:
    """X-GM-RAW stands once, and beside other keys alone, not within OR or NOT: Gmail documents no more."""
    conditions = tree.conditions if isinstance(tree, Operator) and tree.logic is Logic.AND else (tree,)
    queries = [query for condition in conditions if (query := raw_query(condition)) is not None]
    others = [condition for condition in conditions if raw_query(condition) is None]
    raw = raw_key(" ".join(queries)) if queries else []
    return [*raw, *(key for condition in others for key in _keys(condition))]


def is_ascii(keys: list[Piece]) -> bool:
    """Whether the search needs no CHARSET."""
    return all(key.isascii() for key in keys)


def _keys(tree: Filter, *, negated: bool = False) -> list[Piece]:
    """NOT is pushed down to the conditions, because Dovecot 2.3 reads ``NOT (SEEN FLAGGED)`` as neither of them."""
    if isinstance(tree, Condition):
        return _condition(tree, negated=negated)
    below = negated is not (tree.logic is Logic.NOT)
    branches = [_keys(condition, negated=below) for condition in tree.conditions]
    return (
        _either(branches) if negated is not (tree.logic is Logic.OR) else [key for branch in branches for key in branch]
    )


def _either(branches: list[list[Piece]]) -> list[Piece]:
    """OR takes two keys; several are nested to the right. Dovecot 2.3 also reads ``OR UNSEEN UNFLAGGED`` as neither of
    them, unless each has a key beside it that is not a flag."""
    branches = [[*branch, *_EVERY] if len(branch) == 1 and branch[0] in _UNSET else branch for branch in branches]
    either = branches[-1]
    for branch in reversed(branches[:-1]):
        either = [b"OR", *_grouped(branch), *_grouped(either)]
    return either


def _grouped(keys: list[Piece]) -> list[Piece]:
    """One search key: several are grouped by parentheses."""
    return [b"(", *keys, b")"] if len(keys) > 1 else keys


def _condition(condition: Condition, *, negated: bool) -> list[Piece]:
    if condition.criterion in {Criterion.HAS_KEYWORD, Criterion.NOT_KEYWORD}:
        has = (condition.criterion is Criterion.HAS_KEYWORD) is not negated
        return _keyword(str(condition.value), has=has)
    return [b"NOT", *_compared(condition)] if negated else _compared(condition)


def _compared(condition: Condition) -> list[Piece]:
    criterion, value = condition.criterion, condition.value
    match criterion:
        case Criterion.MIN_SIZE:
            return [b"LARGER", b"%d" % max(0, int(str(value)) - 1)] if int(str(value)) > 0 else [b"ALL"]
        case Criterion.MAX_SIZE:
            return [b"SMALLER", b"%d" % int(str(value))]
    if criterion in _DATE_KEYS and isinstance(value, date):
        return [_DATE_KEYS[criterion], write_date(value)]
    if isinstance(value, HeaderText):
        if criterion is Criterion.SERVER_THREAD:
            return [value.name.encode(), value.text.encode()]
        return [b"HEADER", string(value.name), string(value.text)]
    return [_TEXT_KEYS[criterion], string(str(value))]


def _keyword(keyword: str, *, has: bool) -> list[Piece]:
    flag = to_wire(keyword)
    if flag in _SYSTEM_KEYS:
        return [_SYSTEM_KEYS[flag] if has else b"UN" + _SYSTEM_KEYS[flag]]
    return [b"KEYWORD" if has else b"UNKEYWORD", flag_list([flag])[1:-1]]
