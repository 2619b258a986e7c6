"""Translates flags between the wire and JSON (RFC 8621, 4.1.1): ``\\Seen`` is ``$seen``, keywords stay as they are, all
lower case."""

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
    """Returns the IMAP name of a flag, given its name in JSON."""
    return _SYSTEM.get(flag.lower(), flag)


class _TooLarge(Exception):
    """Not an error: the set of flags is too large for the cache."""


def is_system(word: str) -> bool:
    """Whether this IMAP name is that of a flag that every server knows."""
    return word.lower().encode() in _FROM_WIRE


def from_wire(flags: Token) -> tuple[str, ...]:
    """Returns the flags in the server's order. ``\\Recent`` describes a session, not the message, and is left out."""
    words = _words(flags)
    try:
        return _named(words)
    except _TooLarge:
        return _read(words)


def json_from_wire(flags: Token) -> bytes:
    """As ``from_wire``, but returns a JSON array."""
    if isinstance(flags, bytes) and len(flags) <= MOST_REMEMBERED:
        return _json_of_text(flags)
    words = _words(flags)
    try:
        return _json(words)
    except _TooLarge:
        return to_json(_read(words))


def _words(flags: Token) -> tuple[bytes, ...]:
    """The flags of a list of tokens, or of what stands between its parentheses. ``NIL`` is a keyword as others."""
    if isinstance(flags, bytes):
        return tuple(flags.split())
    words = flags if isinstance(flags, list) else ()
    return tuple([b"NIL" if word is None else word for word in words if not isinstance(word, list)])


@lru_cache(maxsize=4096)
def _json_of_text(flags: bytes) -> bytes:
    return to_json(_read(_words(flags)))


@lru_cache(maxsize=4096)
def _named(words: tuple[bytes, ...]) -> tuple[str, ...]:
    """Cached, because messages share a few sets of flags. Raises _TooLarge for a set that would take much memory: an
    exception is not cached, and a set that is in the cache is found without a look at its size."""
    if sum(_WORD_COST + len(word) for word in words) > MOST_REMEMBERED:
        raise _TooLarge
    return _read(words)


@lru_cache(maxsize=4096)
def _json(words: tuple[bytes, ...]) -> bytes:
    return to_json(_named(words))


def _read(words: tuple[bytes, ...]) -> tuple[str, ...]:
    names = (_name(word.lower()) for word in words)
    return tuple(dict.fromkeys(name for name in names if name))


def _name(word: bytes) -> str:
    if word == b"\\recent":
        return ""
    return _FROM_WIRE.get(word) or word.decode(errors="replace")
