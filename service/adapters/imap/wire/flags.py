"""Flags on the wire and in JSON (RFC 8621, 4.1.1): ``\\Seen`` is ``$seen``, keywords are as they are, all lower
case."""

from functools import lru_cache

from pydantic_core import to_json

from service.adapters.imap.wire.tokens import Token

MOST_REMEMBERED = 1000
"""Octets of a set of flags: a server may send up to a megabyte of them for each message."""
_WORD_COST = 40
_SYSTEM = {
    "$seen": "\\Seen",
    "$answered": "\\Answered",
    "$flagged": "\\Flagged",
    "$draft": "\\Draft",
    "$deleted": "\\Deleted",
}
_FROM_WIRE = {wire.lower().encode(): name for name, wire in _SYSTEM.items()}


def to_wire(flag: str) -> str:
    """A flag's name in JSON to its name in IMAP."""
    return _SYSTEM.get(flag.lower(), flag)


class _TooLarge(Exception):
    """No error: a set of flags that is not remembered."""


def from_wire(flags: Token) -> tuple[str, ...]:
    """In the server's order. ``\\Recent`` says something of a session, not of the message, and is left out."""
    words = _words(flags)
    try:
        return _named(words)
    except _TooLarge:
        return _read(words)


def json_from_wire(flags: Token) -> bytes:
    """As ``from_wire``, as a JSON array."""
    words = _words(flags)
    try:
        return _json(words)
    except _TooLarge:
        return to_json(_read(words))


def _words(flags: Token) -> tuple[bytes, ...]:
    words = flags if isinstance(flags, list) else ()
    return tuple([word for word in words if isinstance(word, bytes)])


@lru_cache(maxsize=4096)
def _named(words: tuple[bytes, ...]) -> tuple[str, ...]:
    """Messages share a few sets of flags. _TooLarge for a set that would take much memory: what a cached function
    raises is not remembered, and to find a set that is remembered costs no look at its size."""
    if sum(_WORD_COST + len(word) for word in words) > MOST_REMEMBERED:
        raise _TooLarge
    return _read(words)


@lru_cache(maxsize=4096)
def _json(words: tuple[bytes, ...]) -> bytes:
    return to_json(_named(words))


def _read(words: tuple[bytes, ...]) -> tuple[str, ...]:
    found = (_name(word.lower()) for word in words)
    return tuple(dict.fromkeys(flag for flag in found if flag))


def _name(word: bytes) -> str:
    if word == b"\\recent":
        return ""
    return _FROM_WIRE.get(word) or word.decode(errors="replace")
