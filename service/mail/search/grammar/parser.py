"""Reads the text of the search box in one pass from left to right."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

from service.mail.errors import InvalidQuery
from service.mail.search.filter import MAX_CONDITIONS, Condition, Criterion, Filter, conditions
from service.mail.search.grammar.fields import Reader, field_named, header_name, read_header, reads_header, reads_text
from service.mail.search.grammar.tree import Frame, Item
from service.mail.search.grammar.values import BadValueError

_GAP = re.compile(r"\s*+")
_WORD = re.compile(r"[^\s()]++")
_FIELD = re.compile(r"([A-Za-z][A-Za-z_-]{1,19}):(?!//)")
_HEADER_START = re.compile(r"([^\s:()\"“„]++):")
_ESCAPED = re.compile(r'\\(["\\“”„])')
_STRAIGHT = re.compile(r'"((?>(?:[^"\\]|\\.)*))"', re.DOTALL)
# What phones and word processors make of the straight ones.
_CURLY = re.compile(r"[“„]((?>(?:[^“”\\]|\\.)*))[“”]", re.DOTALL)
_PHRASES = {'"': _STRAIGHT, "“": _CURLY, "„": _CURLY}

_T = TypeVar("_T")


def parse_query(text: str, today: date | None = None) -> Filter:
    """InvalidQuery, with the column of what is wrong, for a text that cannot be read.

    ``today`` is what ages are counted from; without it, the day in UTC.
    """
    return _Parser(text, today or datetime.now(UTC).date()).run()


class _Parser:
    """The place in the text, and the groups that are open there."""

    def __init__(self, text: str, today: date) -> None:
        self._text = text
        self._today = today
        self._at = 0
        self._count = 0
        self._frames = [Frame(1, reads_text(Criterion.TEXT))]

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

    def _read_word(self, frame: Frame) -> None:
        column = self._column
        word = self._take(_WORD)[0]
        if word.lower() == "not":
            frame.negations.append(column)
        elif word.lower() in {"and", "or"}:
            frame.join(word.lower(), column)
        elif (match := _FIELD.match(word)) and (
            reader := field_named(match[1], column, is_bare=match.end() == len(word) and self._peek() != "(")
        ):
            self._at = column - 1 + match.end()
            self._read_field(reader, column)
        else:
            self._add(frame.reader, word, column)

    def _read_field(self, reader: Reader, column: int) -> None:
        """``header:Name:`` is a field of its own, so that quotes or a group may follow."""
        match = _HEADER_START.match(self._text, self._at) if reader is read_header else None
        if match is not None:
            name = _read(header_name, match[1], self._column)
            self._at, reader = match.end(), reads_header(name)
        self._read_value(reader, column)

    def _read_value(self, reader: Reader, column: int) -> None:
        """A word, a phrase or a group, to be read by ``reader``; ``column`` is where the field's name begins."""
        character, start = self._peek(), self._column
        if character == "(":
            self._frames.append(Frame(start, reader))
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

    def _add(self, reader: Reader, value: str, column: int) -> None:
        node = _read(lambda text: reader(text, self._today), value, column)
        self._count += sum(1 for _ in conditions(node))
        if self._count > MAX_CONDITIONS:
            raise InvalidQuery(f"This is more than {MAX_CONDITIONS} conditions.", column)
        self._frames[-1].add(Item(node, 0 if isinstance(node, Condition) else 1, column))


def _read(read: Callable[[str], _T], value: str, column: int) -> _T:
    try:
        return read(value)
    except BadValueError as error:
        raise InvalidQuery(str(error), column) from None


def _begins_term(character: str) -> bool:
    return bool(character) and not character.isspace() and character not in "-)"
