"""SEARCH keys (RFC 3501, 6.4.4), decided for one letter."""

from collections.abc import Callable, Iterator
from datetime import datetime

from tests.servers.providers.arguments import Argument, Quoted, members
from tests.servers.providers.mail import Letter

Matches = Callable[[int, Letter], bool]
Extra = Callable[[bytes, Iterator[Argument]], Matches | None]
"""A server's own keys: reads its arguments too."""
_FLAGS = {
    "SEEN": "\\Seen",
    "ANSWERED": "\\Answered",
    "FLAGGED": "\\Flagged",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
}


class NoSuchKey(Exception):
    """A key or an argument that the server does not know."""


def all_of(arguments: list[Argument], has: Callable[[str, str], bool], extra: Extra) -> Matches:
    """All keys hold. ``has`` compares a text with what is searched for in it."""
    rest = iter(arguments)
    keys = list(_keys(rest, has, extra))
    return lambda uid, letter: all(key(uid, letter) for key in keys)


def _keys(rest: Iterator[Argument], has: Callable[[str, str], bool], extra: Extra) -> Iterator[Matches]:
    for argument in rest:
        yield _key(argument, rest, has, extra)


def _key(argument: Argument, rest: Iterator[Argument], has: Callable[[str, str], bool], extra: Extra) -> Matches:
    if isinstance(argument, list):
        return all_of(argument, has, extra)
    word = argument.upper().decode()
    if (own := extra(argument.upper(), rest)) is not None:
        return own
    if word == "NOT":
        inner = _key(next(rest), rest, has, extra)
        return lambda uid, letter: not inner(uid, letter)
    if word == "OR":
        first, second = _key(next(rest), rest, has, extra), _key(next(rest), rest, has, extra)
        return lambda uid, letter: first(uid, letter) or second(uid, letter)
    return _simple(word, argument, rest, has)


def _simple(word: str, argument: bytes, rest: Iterator[Argument], has: Callable[[str, str], bool]) -> Matches:
    if word == "ALL":
        return lambda uid, letter: True
    if word == "UID" or word[0].isdigit():
        numbers = _octets(rest) if word == "UID" else argument
        return lambda uid, letter: bool(members(numbers, [uid]))
    if word in _FLAGS or word.removeprefix("UN") in _FLAGS:
        flag, is_set = _FLAGS[word.removeprefix("UN") if word not in _FLAGS else word], word in _FLAGS
        return lambda uid, letter: (flag in letter.flags) is is_set
    if word in {"KEYWORD", "UNKEYWORD"}:
        keyword = _octets(rest).decode()
        return lambda uid, letter: (keyword in letter.flags) is (word == "KEYWORD")
    if word in {"SINCE", "BEFORE"}:
        day = datetime.strptime(_octets(rest).decode(), "%d-%b-%Y").date()  # noqa: DTZ007 - only the date
        return lambda uid, letter: (letter.sent.date() >= day) is (word == "SINCE")
    if word in {"LARGER", "SMALLER"}:
        size = int(_octets(rest))
        return lambda uid, letter: len(letter.octets) > size if word == "LARGER" else len(letter.octets) < size
    if word in {"SUBJECT", "FROM", "TO", "CC", "BCC", "TEXT", "BODY"}:
        text = _octets(rest).decode()
        return lambda uid, letter: has(words_of(letter, word), text)
    raise NoSuchKey(word)


def words_of(letter: Letter, key: str) -> str:
    """The text in which the key looks."""
    fields = {
        "SUBJECT": letter.subject,
        "FROM": letter.from_,
        "TO": letter.to,
        "CC": letter.cc,
        "BCC": "",
        "BODY": letter.text,
    }
    return fields[key] if key in fields else "\n".join((*fields.values(), letter.attachment))


def _octets(rest: Iterator[Argument]) -> bytes:
    value = next(rest)
    assert isinstance(value, bytes | Quoted)
    return value
