"""Filters and sorts of Email/query (RFC 8621, 4.4.1 and 4.4.2), as those of the port."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from service.jmap.core.arguments import MAX_INT, read_utc
from service.jmap.core.errors import MethodError, invalid
from service.jmap.core.filters import check_size
from service.jmap.core.limits import MAX_CONDITIONS
from service.mail.search.filter import (
    Condition,
    Criterion,
    Filter,
    HeaderText,
    Logic,
    Operator,
    Order,
    SortKey,
    check_filter,
)

EVERYTHING = Condition(Criterion.MIN_SIZE, 0)
NOTHING = Operator(Logic.NOT, (EVERYTHING,))
MAX_TEXT = 1000
MAX_SORT = 10
_MAX_DEPTH = 64
KEYWORD_SORTS = {
    "hasKeyword": Criterion.HAS_KEYWORD,
    "allInThreadHaveKeyword": Criterion.ALL_IN_THREAD,
    "someInThreadHaveKeyword": Criterion.SOME_IN_THREAD,
}
SORTS = (*(key.value for key in SortKey), *KEYWORD_SORTS)


class Comparator(NamedTuple):
    """One key of a sort: one of the port's, or whether a condition holds."""

    is_ascending: bool
    key: SortKey | None = None
    condition: Condition | None = None

    @property
    def is_of_threads(self) -> bool:
        return self.condition is not None and self.condition.criterion is not Criterion.HAS_KEYWORD

    @property
    def order(self) -> Order:
        assert self.key is not None
        return Order(self.key, is_descending=not self.is_ascending)


def read_filter(value: Any) -> Filter | None:
    """None: everything matches. Raises unsupportedFilter or invalidArguments."""
    if value is None or value == {}:
        return None
    check_size(value, 4 * MAX_CONDITIONS)
    tree = _filter(value, 0)
    check_filter(tree)
    return tree


def _filter(value: Any, depth: int) -> Filter:
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        raise invalid("A filter is an object, and nests at most 32 deep.")
    if "operator" in value:
        return _operator(value, depth)
    conditions = tuple(_condition(name, each) for name, each in value.items())
    if len(conditions) == 1:
        return conditions[0]
    return Operator(Logic.AND, conditions) if conditions else EVERYTHING


def _operator(value: dict[str, Any], depth: int) -> Filter:
    conditions = value.get("conditions")
    if value["operator"] not in ("AND", "OR", "NOT") or not isinstance(conditions, list) or len(value) > 2:
        raise invalid("An operator is AND, OR or NOT, and has conditions and nothing else.")
    logic = Logic(value["operator"])
    if not conditions:
        return NOTHING if logic is Logic.OR else EVERYTHING
    return Operator(logic, tuple(_filter(each, depth + 1) for each in conditions))


def _condition(name: str, value: Any) -> Filter:
    read = _READERS.get(name)
    if read is None:
        raise MethodError("unsupportedFilter", f"There is no condition {name[:100]}.")
    return read(name, value)


def _text(name: str, value: Any) -> Filter:
    """An empty text is in everything."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise invalid(f"{name} is a text of at most {MAX_TEXT} characters.")
    words = _phrases(value)
    if not words:
        return EVERYTHING
    conditions = tuple(Condition(Criterion(name), word) for word in words)
    return conditions[0] if len(conditions) == 1 else Operator(Logic.AND, conditions)


def _phrases(text: str) -> list[str]:
    """Words must all be found, in any order; what is in quotes as it stands (RFC 8621, 4.4.1)."""
    phrases: list[str] = []
    for number, piece in enumerate(text.replace("'", '"').split('"') if _is_quoted(text) else [text]):
        phrases += [piece] if number % 2 else piece.split()
    return list(dict.fromkeys(filter(str.strip, phrases)))[:32]


def _is_quoted(text: str) -> bool:
    """Apostrophes within words are not quotes."""
    return len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] and text.count(text[0]) == 2


def _keyword(name: str, value: Any) -> Filter:
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise invalid(f"{name} is a keyword.")
    return Condition(Criterion(name), value.lower())


def _number(name: str, value: Any) -> Filter:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INT:
        raise invalid(f"{name} is a number.")
    return Condition(Criterion(name), min(value, 2**32 - 1))


def _date(name: str, value: Any) -> Filter:
    moment: datetime | None = read_utc(value)
    if moment is None:
        raise invalid(f"{name} is a UTC date.")
    return Condition(Criterion.BEFORE if name == "before" else Criterion.SINCE, moment)


def _flag(name: str, value: Any) -> Filter:
    if not isinstance(value, bool):
        raise invalid(f"{name} is true or false.")
    return Condition(Criterion(name), value)


def _mailbox(name: str, value: Any) -> Filter:
    if not isinstance(value, str):
        raise invalid(f"{name} is an id.")
    return Condition(Criterion.IN_FOLDER, value)


def _mailboxes(name: str, value: Any) -> Filter:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise invalid(f"{name} is a list of ids.")
    if len(value) > MAX_CONDITIONS:
        raise MethodError("unsupportedFilter", f"{name} has at most {MAX_CONDITIONS} ids.")
    return Condition(Criterion.IN_FOLDER_OTHER_THAN, tuple(value)) if value else EVERYTHING


def _header(name: str, value: Any) -> Filter:
    match value:
        case [str() as field] | [str() as field, ""] if field.strip():
            return Condition(Criterion.HEADER, HeaderText(field[:MAX_TEXT]))
        case [str() as field, str() as text] if field.strip():
            return Condition(Criterion.HEADER, HeaderText(field[:MAX_TEXT], text[:MAX_TEXT]))
    raise invalid(f"{name} is a list of a field's name and, perhaps, a text.")


_READERS: Mapping[str, Callable[[str, Any], Filter]] = {
    "inMailbox": _mailbox,
    "inMailboxOtherThan": _mailboxes,
    "before": _date,
    "after": _date,
    "minSize": _number,
    "maxSize": _number,
    **dict.fromkeys(("allInThreadHaveKeyword", "someInThreadHaveKeyword", "noneInThreadHaveKeyword"), _keyword),
    **dict.fromkeys(("hasKeyword", "notKeyword"), _keyword),
    "hasAttachment": _flag,
    **dict.fromkeys(("text", "from", "to", "cc", "bcc", "subject", "body"), _text),
    "header": _header,
}


def read_sort(value: Any) -> list[Comparator]:
    """Raises unsupportedSort for a property that cannot be sorted by, and invalidArguments."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_SORT:
        raise invalid(f"sort is a list of at most {MAX_SORT} comparators.")
    return [_comparator(each) for each in value]


def _comparator(value: Any) -> Comparator:
    if not isinstance(value, dict) or not isinstance(value.get("property"), str):
        raise invalid("A comparator has a property.")
    is_ascending, name = value.get("isAscending", True), value["property"]
    if not isinstance(is_ascending, bool):
        raise invalid("isAscending is true or false.")
    collation = value.get("collation")
    if collation not in (None, "i;unicode-casemap", "i;ascii-casemap"):
        raise MethodError("unsupportedSort", "There is no such collation.")
    if name in KEYWORD_SORTS:
        keyword = _keyword(name, value.get("keyword"))
        assert isinstance(keyword, Condition)
        return Comparator(is_ascending, condition=Condition(KEYWORD_SORTS[name], keyword.value))
    if name not in SORTS:
        raise MethodError("unsupportedSort", f"Emails cannot be sorted by {name[:100]}.")
    return Comparator(is_ascending, key=SortKey(name))


def only_folder(tree: Filter | None) -> tuple[str | None, Filter | None]:
    """The folder that all matches must lie in, and the rest of the filter; None if there is no such folder."""
    if isinstance(tree, Condition):
        return (str(tree.value), None) if tree.criterion is Criterion.IN_FOLDER else (None, tree)
    if tree is None or tree.logic is not Logic.AND:
        return None, tree
    for number, condition in enumerate(tree.conditions):
        folder, inner = only_folder(condition)
        if folder is not None:
            rest: Sequence[Filter] = [
                *tree.conditions[:number],
                *([inner] if inner else []),
                *tree.conditions[number + 1 :],
            ]
            return folder, _all_of(rest)
    return None, tree


def _all_of(conditions: Sequence[Filter]) -> Filter | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return Operator(Logic.AND, tuple(conditions))
