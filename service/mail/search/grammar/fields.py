"""The fields of the search box, and how the value of each is read."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from difflib import get_close_matches
from typing import TypeAlias

from service.mail.errors import InvalidQuery
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, Logic, Operator
from service.mail.search.grammar.help import HELP
from service.mail.search.grammar.values import BadValueError, day, moment, size

_HEADER_NAME = re.compile(r"[!-9;-~]{1,998}")
_COMPARISON = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)
_STATES = {
    "read": (Criterion.HAS_KEYWORD, "$seen"),
    "seen": (Criterion.HAS_KEYWORD, "$seen"),
    "unread": (Criterion.NOT_KEYWORD, "$seen"),
    "unseen": (Criterion.NOT_KEYWORD, "$seen"),
    "flagged": (Criterion.HAS_KEYWORD, "$flagged"),
    "starred": (Criterion.HAS_KEYWORD, "$flagged"),
    "unflagged": (Criterion.NOT_KEYWORD, "$flagged"),
    "unstarred": (Criterion.NOT_KEYWORD, "$flagged"),
    "answered": (Criterion.HAS_KEYWORD, "$answered"),
    "unanswered": (Criterion.NOT_KEYWORD, "$answered"),
    "draft": (Criterion.HAS_KEYWORD, "$draft"),
    "deleted": (Criterion.HAS_KEYWORD, "$deleted"),
}
_ROLES = {name: name for name in ("inbox", "sent", "drafts", "trash", "junk", "archive", "all", "flagged")}
_ROLES |= {"spam": "junk", "bin": "trash"}
QUOTE_IT = "Put it in quotes to search for the word."

Reader: TypeAlias = Callable[[str, date], Filter]
"""From a field's value, and today's date, to what it asks."""


def field_named(name: str, column: int, *, is_bare: bool) -> Reader | None:
    """None for a word that only has a colon in it. One without anything behind the colon is prose (``Note: …``)."""
    plain = _plain(name)
    if plain in _READERS or is_bare or len(plain) < 3:
        return _READERS.get(plain)
    for close in get_close_matches(plain, _SUGGESTED, 1, 0.75):
        hint = f"Did you mean {_SUGGESTED[close]}:? {QUOTE_IT}"
        raise InvalidQuery(f"There is no field {name}:. {hint}", column)
    return None


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def reads_text(criterion: Criterion) -> Reader:
    """The reader of a field whose value is any text."""
    return lambda text, _: Condition(criterion, text)


def reads_header(name: str) -> Reader:
    """The reader of a header field of this name."""
    return lambda text, _: Condition(Criterion.HEADER, HeaderText(name, text))


def read_header(text: str, today: date) -> Filter:
    """A name, or in quotes ``Name: text``."""
    name, _, value = text.partition(":")
    return reads_header(header_name(name.strip()))(value.strip(), today)


def header_name(name: str) -> str:
    """The name. BadValueError if no header field can have it."""
    if _HEADER_NAME.fullmatch(name) is None:
        raise BadValueError("Not the name of a header field. Write header:Name:text.")
    return name


def _read_state(text: str, _: date) -> Filter:
    if text.lower() not in _STATES:
        close = get_close_matches(text.lower()[:20], _STATES, 1)
        hint = f"Did you mean is:{close[0]}?" if close else f"It can be {', '.join(_STATES)}."
        raise BadValueError(f"Mail is never that. {hint}")
    return Condition(*_STATES[text.lower()])


def _read_has(text: str, _: date) -> Filter:
    if text.lower() not in {"attachment", "attachments"}:
        raise BadValueError("Only has:attachment can be asked.")
    return Condition(Criterion.HAS_ATTACHMENT, True)


def _read_keyword(text: str, _: date) -> Filter:
    return Condition(Criterion.HAS_KEYWORD, text.lower())


def _read_folder(text: str, _: date) -> Filter:
    """Roles in any letter case; ids as they are."""
    return Condition(Criterion.IN_FOLDER, _ROLES.get(text.lower(), text))


def _reads_moment(criterion: Criterion) -> Reader:
    return lambda text, today: Condition(criterion, moment(text) or day(text, today))


def _reads_day(criterion: Criterion) -> Reader:
    return lambda text, today: Condition(criterion, day(text, today))


def _read_on(text: str, today: date) -> Filter:
    on = day(text, today)
    if on == date.max:
        raise BadValueError("There is no day after that one.")
    limits = Condition(Criterion.SINCE, on), Condition(Criterion.BEFORE, on + timedelta(days=1))
    return Operator(Logic.AND, limits)


def _reads_size(criterion: Criterion) -> Reader:
    return lambda text, _: Condition(criterion, size(text))


def _read_size(text: str, _: date) -> Filter:
    """Sizes are whole octets, so that every comparison is one of "at least" and "fewer than"."""
    match = _COMPARISON.fullmatch(text)
    assert match is not None
    octets = size(match[2])
    is_least = match[1] in {None, ">", ">="}
    return Condition(
        Criterion.MIN_SIZE if is_least else Criterion.MAX_SIZE, octets + 1 if match[1] in {">", "<="} else octets
    )


FIELDS: dict[str, Reader] = {
    "text": reads_text(Criterion.TEXT),
    "from": reads_text(Criterion.FROM),
    "to": reads_text(Criterion.TO),
    "cc": reads_text(Criterion.CC),
    "bcc": reads_text(Criterion.BCC),
    "subject": reads_text(Criterion.SUBJECT),
    "body": reads_text(Criterion.BODY),
    "header": read_header,
    "list": reads_header("List-Id"),
    "is": _read_state,
    "has": _read_has,
    "keyword": _read_keyword,
    "since": _reads_moment(Criterion.SINCE),
    "before": _reads_moment(Criterion.BEFORE),
    "on": _read_on,
    "sentSince": _reads_day(Criterion.SENT_SINCE),
    "sentBefore": _reads_day(Criterion.SENT_BEFORE),
    "larger": _reads_size(Criterion.MIN_SIZE),
    "smaller": _reads_size(Criterion.MAX_SIZE),
    "size": _read_size,
    "in": _read_folder,
}
_READERS = {_plain(name): FIELDS[row.field] for row in HELP for name in (row.field, *row.names)}
# Of shorter names almost every short word is a misspelling.
_SUGGESTED = {_plain(name): name for row in HELP for name in (row.field, *row.names) if len(name) >= 4}
