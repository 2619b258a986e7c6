"""The one search box: a text such as ``from:anna subject:"due date" -is:read larger:5M`` read as a filter tree.

What binds how closely: ``-`` and ``not``, then ``or``, then ``and``, which is the same as a mere space. So
``from:anna or from:bob has:attachment`` is mail of either with an attachment, which is how Google reads such a text
(AIP-160) and what it seems to say; Notmuch (Xapian) reads it the other way round. Parentheses decide, and a field may
have them too: ``subject:(invoice or bill)``.

Operators may be written in either case; in quotes they are words. A quotation mark within a word and a dash that stands
alone are ordinary characters. A word with a colon is a word if it names no field (``12:30``, ``Re:``,
``http://example.org``), but one close to a field's name (``form:anna``) is refused: found nothing would be no answer.

One pass from left to right, no recursion; ``MAX_CONDITIONS`` and ``MAX_DEPTH`` bound the tree.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple, TypeAlias, TypeVar

from service.mail.errors import InvalidQuery
from service.mail.search.filter import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Condition,
    Criterion,
    Filter,
    HeaderText,
    Logic,
    Operator,
    conditions,
)

MAX_SIZE = 2**63 - 1


class Help(NamedTuple):
    """A row of the table that explains the search box. Names are alternatives to ``field``."""

    field: str
    names: tuple[str, ...]
    meaning: str
    example: str


HELP: tuple[Help, ...] = (
    Help("text", (), "Anywhere in headers or body. What has no field is looked for like this.", 'invoice "due date"'),
    Help("from", (), "The sender's name or address.", "from:anna"),
    Help("to", (), "A recipient's name or address.", "to:bob@example.org"),
    Help("cc", (), "A recipient of a copy.", "cc:bob"),
    Help("bcc", (), "A recipient of a blind copy, if the message has it.", "bcc:carol"),
    Help("subject", (), "The subject. Any text field takes several words in parentheses.", "subject:(invoice or bill)"),
    Help("body", (), "What a person reads of the message.", 'body:"kind regards"'),
    Help("header", (), "Any header field by name; without a text, whether it is there.", "header:X-Mailer:mutt"),
    Help("list", (), "The mailing list, by its List-Id.", "list:announce.example.org"),
    Help(
        "is",
        (),
        "One of read, unread, flagged, unflagged, answered, unanswered, draft, deleted; seen, unseen, starred and "
        "unstarred mean the same.",
        "is:unread",
    ),
    Help("has", (), "`attachment` is all it can be.", "has:attachment"),
    Help("keyword", ("tag", "label", "hasKeyword"), "A keyword of the message.", "tag:$forwarded"),
    Help(
        "since",
        ("after", "newer", "newer_than"),
        "Received on that day or later. A day is a date, `today`, `yesterday` or an age in days, weeks, months or "
        "years (7d, 2w, 3m, 1y); a moment such as 2026-01-31T08:00:00Z is taken as well.",
        "after:2026-01-31",
    ),
    Help("before", ("older", "older_than"), "Received before that day, or that moment.", "older_than:1y"),
    Help("on", ("date",), "Received on that day.", "on:yesterday"),
    Help("sentSince", ("sent-after",), "The Date header is of that day or later.", "sent-after:2026-01-31"),
    Help("sentBefore", ("sent-before",), "The Date header is of an earlier day.", "sent-before:2w"),
    Help("larger", ("minSize",), "Octets, at least; K, M and G are powers of 1024.", "larger:5M"),
    Help("smaller", ("maxSize",), "Octets, fewer than.", "smaller:10K"),
    Help("size", (), "Octets by comparison: >, >=, < or <=; a mere number is as with larger.", "size:>1.5M"),
    Help("in", ("folder",), "The folder, by role or id. `spam` is junk and `bin` is trash.", "in:archive"),
)
"""From which the documentation is made; a test holds it against the fields there are."""

_GAP = re.compile(r"\s*+")
_WORD = re.compile(r"[^\s()]++")
_FIELD = re.compile(r"([A-Za-z][A-Za-z_-]{1,19}):(?!//)")
_HEADER_NAME = re.compile(r"[!-9;-~]{1,998}")
_HEADER_START = re.compile(r"([^\s:()\"“„]++):")
_ESCAPED = re.compile(r'\\(["\\“”„])')
_STRAIGHT = re.compile(r'"((?>(?:[^"\\]|\\.)*))"', re.DOTALL)
# What phones and word processors make of the straight ones.
_CURLY = re.compile(r"[“„]((?>(?:[^“”\\]|\\.)*))[“”]", re.DOTALL)
_PHRASES = {'"': _STRAIGHT, "“": _CURLY, "„": _CURLY}

_DATE = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.IGNORECASE,
)
_AGE = re.compile(r"([0-9]{1,5})([dwmy])", re.IGNORECASE)
_NAMED_DAYS = {"today": 0, "yesterday": 1}
_NUMBER = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?(?:([kmg])(?:i?b)?|b)?", re.IGNORECASE)
_COMPARISON = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}

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


_QUOTE_IT = "Put it in quotes to search for the word."


class _BadValueError(Exception):
    """A value that is not valid for its field. The caller knows its position in the text."""


_T = TypeVar("_T")
_Reader: TypeAlias = Callable[[str, date], Filter]
"""From a field's value, and today's date, to what it asks."""


def parse_query(text: str, today: date | None = None) -> Filter:
    """InvalidQuery, with the column of what is wrong, for a text that cannot be read.

    ``today`` is what ages are counted from; without it, the day in UTC.
    """
    return _Parser(text, today or datetime.now(UTC).date()).run()


class _Item(NamedTuple):
    """A piece of the tree, how many operators lie on its longest way down, and where in the text it begins."""

    node: Filter
    depth: int
    column: int


@dataclass(slots=True)
class _Frame:
    """A group while it is open: alternatives, all of which have to hold. ``reader`` reads words without a field."""

    column: int
    reader: _Reader
    groups: list[list[_Item]] = field(default_factory=list)
    joiner: tuple[str, int] | None = None
    """``or`` or ``and`` with its column, as long as nothing follows it."""
    negations: list[int] = field(default_factory=list)

    def join(self, word: str, column: int) -> None:
        if self.joiner or self.negations or not self.groups:
            raise InvalidQuery(f"There is nothing before this {word} that it could join. {_QUOTE_IT}", column)
        self.joiner = word, column

    def add(self, item: _Item) -> None:
        while self.negations:
            item = _negated(item, self.negations.pop())
        if self.joiner and self.joiner[0] == "or":
            self.groups[-1].append(item)
        else:
            self.groups.append([item])
        self.joiner = None

    def close(self) -> _Item:
        if self.negations:
            raise InvalidQuery(f"There is nothing after this not. {_QUOTE_IT}", self.negations[-1])
        if self.joiner:
            raise InvalidQuery(f"There is nothing after this {self.joiner[0]}. {_QUOTE_IT}", self.joiner[1])
        if not self.groups:
            raise InvalidQuery("There is nothing to search for.", self.column)
        return _joined(Logic.AND, [_joined(Logic.OR, group) for group in self.groups])


def _joined(logic: Logic, items: list[_Item]) -> _Item:
    """What is joined alike already is taken in, so that ``a or (b or c)`` is flat."""
    if len(items) == 1:
        return items[0]
    nodes: list[Filter] = []
    depth = 0
    for item in items:
        is_alike = isinstance(item.node, Operator) and item.node.logic is logic
        nodes.extend(item.node.conditions if isinstance(item.node, Operator) and is_alike else [item.node])
        depth = max(depth, item.depth + (not is_alike))
    return _checked(_Item(Operator(logic, tuple(nodes)), depth, items[0].column))


def _negated(item: _Item, column: int) -> _Item:
    if isinstance(item.node, Operator) and item.node.logic is Logic.NOT:
        return _Item(item.node.conditions[0], item.depth - 1, column)
    return _checked(_Item(Operator(Logic.NOT, (item.node,)), item.depth + 1, column))


def _checked(item: _Item) -> _Item:
    if item.depth > MAX_DEPTH:
        raise InvalidQuery(f"This is nested more than {MAX_DEPTH} levels deep.", item.column)
    return item


class _Parser:
    """The place in the text, and the groups that are open there."""

    def __init__(self, text: str, today: date) -> None:
        self._text = text
        self._today = today
        self._at = 0
        self._count = 0
        self._frames = [_Frame(1, _reads_text(Criterion.TEXT))]

    def run(self) -> Filter:
        while self._skip_gap():
            self._read_token()
        if len(self._frames) > 1:
            raise InvalidQuery("This parenthesis is not closed.", self._frames[-1].column)
        return self._frames[0].close().node

    @property
    def _column(self) -> int:
        return self._at + 1

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _skip_gap(self) -> bool:
        self._at = self._take(_GAP).end()
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match

    def _read_token(self) -> None:
        character, frame = self._peek(), self._frames[-1]
        if character == ")":
            self._close()
        elif character == "(" or character in _PHRASES:
            self._read_value(frame.reader, self._column)
        elif character == "-" and _begins_term(self._peek(1)):
            frame.negations.append(self._column)
            self._at += 1
        else:
            self._read_word(frame)

    def _read_word(self, frame: _Frame) -> None:
        column = self._column
        word = self._take(_WORD)[0]
        if word.lower() == "not":
            frame.negations.append(column)
        elif word.lower() in {"and", "or"}:
            frame.join(word.lower(), column)
        elif (match := _FIELD.match(word)) and (
            reader := _field(match[1], column, is_bare=match.end() == len(word) and self._peek() != "(")
        ):
            self._at = column - 1 + match.end()
            self._read_field(reader, column)
        else:
            self._add(frame.reader, word, column)

    def _read_field(self, reader: _Reader, column: int) -> None:
        """``header:Name:`` is a field of its own, so that quotes or a group may follow."""
        match = _HEADER_START.match(self._text, self._at) if reader is _read_header else None
        if match is not None:
            name = _read(_header_name, match[1], self._column)
            self._at, reader = match.end(), _reads_header(name)
        self._read_value(reader, column)

    def _read_value(self, reader: _Reader, column: int) -> None:
        """A word, a phrase or a group, to be read by ``reader``; ``column`` is where the field's name begins."""
        character, start = self._peek(), self._column
        if character == "(":
            self._frames.append(_Frame(start, reader))
            self._at += 1
        elif character in _PHRASES:
            self._add(reader, self._take_phrase(), start)
        elif not character or character.isspace() or character == ")":
            raise InvalidQuery("Nothing follows the colon. The value comes without a space, as in from:anna.", column)
        else:
            self._add(reader, self._take(_WORD)[0], start)

    def _take_phrase(self) -> str:
        match = _PHRASES[self._peek()].match(self._text, self._at)
        if match is None:
            raise InvalidQuery("This quote is not closed.", self._column)
        if not match[1].strip():
            raise InvalidQuery("There is nothing between these quotes.", self._column)
        self._at = match.end()
        return _ESCAPED.sub(r"\1", match[1])

    def _close(self) -> None:
        if len(self._frames) == 1:
            raise InvalidQuery("This parenthesis closes nothing.", self._column)
        item = self._frames.pop().close()
        self._frames[-1].add(item)
        self._at += 1

    def _add(self, reader: _Reader, value: str, column: int) -> None:
        node = _read(lambda text: reader(text, self._today), value, column)
        self._count += sum(1 for _ in conditions(node))
        if self._count > MAX_CONDITIONS:
            raise InvalidQuery(f"This is more than {MAX_CONDITIONS} conditions.", column)
        self._frames[-1].add(_Item(node, 0 if isinstance(node, Condition) else 1, column))


def _read(read: Callable[[str], _T], value: str, column: int) -> _T:
    try:
        return read(value)
    except _BadValueError as error:
        raise InvalidQuery(str(error), column) from None


def _begins_term(character: str) -> bool:
    return bool(character) and not character.isspace() and character not in "-)"


def _field(name: str, column: int, *, is_bare: bool) -> _Reader | None:
    """None for a word that only has a colon in it. One without anything behind the colon is prose (``Note: …``)."""
    plain = _plain(name)
    if plain in _READERS or is_bare or len(plain) < 3:
        return _READERS.get(plain)
    for close in get_close_matches(plain, _SUGGESTED, 1, 0.75):
        hint = f"Did you mean {_SUGGESTED[close]}:? {_QUOTE_IT}"
        raise InvalidQuery(f"There is no field {name}:. {hint}", column)
    return None


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _reads_text(criterion: Criterion) -> _Reader:
    return lambda text, _: Condition(criterion, text)


def _reads_header(name: str) -> _Reader:
    return lambda text, _: Condition(Criterion.HEADER, HeaderText(name, text))


def _read_header(text: str, today: date) -> Filter:
    """A name, or in quotes ``Name: text``."""
    name, _, value = text.partition(":")
    return _reads_header(_header_name(name.strip()))(value.strip(), today)


def _header_name(name: str) -> str:
    if _HEADER_NAME.fullmatch(name) is None:
        raise _BadValueError("Not the name of a header field. Write header:Name:text.")
    return name


def _read_state(text: str, _: date) -> Filter:
    if text.lower() not in _STATES:
        close = get_close_matches(text.lower()[:20], _STATES, 1)
        hint = f"Did you mean is:{close[0]}?" if close else f"It can be {', '.join(_STATES)}."
        raise _BadValueError(f"Mail is never that. {hint}")
    return Condition(*_STATES[text.lower()])


def _read_has(text: str, _: date) -> Filter:
    if text.lower() not in {"attachment", "attachments"}:
        raise _BadValueError("Only has:attachment can be asked.")
    return Condition(Criterion.HAS_ATTACHMENT, True)


def _read_keyword(text: str, _: date) -> Filter:
    return Condition(Criterion.HAS_KEYWORD, text.lower())


def _read_folder(text: str, _: date) -> Filter:
    """Roles in any letter case; ids as they are."""
    return Condition(Criterion.IN_FOLDER, _ROLES.get(text.lower(), text))


def _reads_moment(criterion: Criterion) -> _Reader:
    return lambda text, today: Condition(criterion, _moment(text) or _day(text, today))


def _reads_day(criterion: Criterion) -> _Reader:
    return lambda text, today: Condition(criterion, _day(text, today))


def _read_on(text: str, today: date) -> Filter:
    day = _day(text, today)
    if day == date.max:
        raise _BadValueError("There is no day after that one.")
    limits = Condition(Criterion.SINCE, day), Condition(Criterion.BEFORE, day + timedelta(days=1))
    return Operator(Logic.AND, limits)


def _moment(text: str) -> datetime | None:
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _BadValueError("There is no such moment.") from None


def _day(text: str, today: date) -> date:
    try:
        if (match := _DATE.fullmatch(text)) is not None:
            return date(int(match[1]), int(match[3]), int(match[4]))
        if (match := _AGE.fullmatch(text)) is not None:
            return _days_ago(today, int(match[1]), match[2].lower())
        if text.lower() in _NAMED_DAYS:
            return today - timedelta(days=_NAMED_DAYS[text.lower()])
    except (ValueError, OverflowError):
        raise _BadValueError("There is no such day.") from None
    raise _BadValueError("Not a date. Write 2026-01-31, an age such as 7d, 2w, 3m or 1y, today or yesterday.")


def _days_ago(today: date, number: int, unit: str) -> date:
    """A month ago is the same day of the month before, or its last."""
    if unit in {"d", "w"}:
        return today - timedelta(days=number * (7 if unit == "w" else 1))
    year, month = divmod(today.year * 12 + today.month - 1 - number * (12 if unit == "y" else 1), 12)
    if year < 1:
        raise ValueError(number)
    return date(year, month + 1, min(today.day, monthrange(year, month + 1)[1]))


def _reads_size(criterion: Criterion) -> _Reader:
    return lambda text, _: Condition(criterion, _size(text))


def _read_size(text: str, _: date) -> Filter:
    """Sizes are whole octets, so that every comparison is one of "at least" and "fewer than"."""
    match = _COMPARISON.fullmatch(text)
    assert match is not None
    size = _size(match[2])
    is_least = match[1] in {None, ">", ">="}
    return Condition(
        Criterion.MIN_SIZE if is_least else Criterion.MAX_SIZE, size + 1 if match[1] in {">", "<="} else size
    )


def _size(text: str) -> int:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise _BadValueError("Not a size. Write octets, or 10K, 1.5M, 1G.")
    fraction = match[2] or ""
    size: int = int(match[1] + fraction) * _UNITS[(match[3] or "").lower()] // 10 ** len(fraction)
    if size >= MAX_SIZE:
        raise _BadValueError("No mail is that large.")
    return size


_FIELDS: dict[str, _Reader] = {
    "text": _reads_text(Criterion.TEXT),
    "from": _reads_text(Criterion.FROM),
    "to": _reads_text(Criterion.TO),
    "cc": _reads_text(Criterion.CC),
    "bcc": _reads_text(Criterion.BCC),
    "subject": _reads_text(Criterion.SUBJECT),
    "body": _reads_text(Criterion.BODY),
    "header": _read_header,
    "list": _reads_header("List-Id"),
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
_READERS = {_plain(name): _FIELDS[row.field] for row in HELP for name in (row.field, *row.names)}
# Of shorter names almost every short word is a misspelling.
_SUGGESTED = {_plain(name): name for row in HELP for name in (row.field, *row.names) if len(name) >= 4}
