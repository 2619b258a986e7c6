"""Flags on the wire and in JSON (RFC 8621, 4.1.1): ``\\Seen`` is ``$seen``, keywords are as they are, all lower
case."""

from functools import lru_cache

from pydantic_core import to_json

from service.adapters.imap.tokens import Token

_SYSTEM = {
    "$seen": "\\Seen",
    "$answered": "\\Answered",
    "$flagged": "\\Flagged",
    "$draft": "\\Draft",
    "$deleted": "\\Deleted",
}
_CACHED = 1000
"""Octets of a message's flags that are kept for the next message."""
_FROM_WIRE = {wire.lower().encode(): name for name, wire in _SYSTEM.items()}


def to_wire(flag: str) -> str:
    """A flag's name in JSON to its name in IMAP."""
    return _SYSTEM.get(flag.lower(), flag)


def from_wire(flags: Token) -> tuple[str, ...]:
    """In the server's order. ``\\Recent`` says something of a session, not of the message, and is left out."""
    words = _words(flags)
    return _known_names(words) if _is_usual(words) else _named(words)


def json_from_wire(flags: Token) -> bytes:
    """As ``from_wire``, as a JSON array."""
    words = _words(flags)
    return _known_json(words) if _is_usual(words) else _json(words)


def _words(flags: Token) -> tuple[bytes, ...]:
    words = flags if isinstance(flags, list) else ()
    return tuple([word for word in words if isinstance(word, bytes)])


def _is_usual(words: tuple[bytes, ...]) -> bool:
    """Whether they may be kept: messages share a few sets of flags."""
    return len(words) <= 30 and sum(map(len, words)) <= _CACHED


def _named(words: tuple[bytes, ...]) -> tuple[str, ...]:
    found = (_name(word.lower()) for word in words)
    return tuple(dict.fromkeys(flag for flag in found if flag))


def _json(words: tuple[bytes, ...]) -> bytes:
    return to_json(_named(words))


_known_names = lru_cache(maxsize=4096)(_named)
_known_json = lru_cache(maxsize=4096)(_json)


def _name(word: bytes) -> str:
    if word == b"\\recent":
        return ""
    return _FROM_WIRE.get(word) or word.decode(errors="replace")
