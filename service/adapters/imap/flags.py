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
_FROM_WIRE = {wire.lower().encode(): name for name, wire in _SYSTEM.items()}


def to_wire(flag: str) -> str:
    """A flag's name in JSON to its name in IMAP."""
    return _SYSTEM.get(flag.lower(), flag)


def from_wire(flags: Token) -> tuple[str, ...]:
    """In the server's order. ``\\Recent`` says something of a session, not of the message, and is left out."""
    return _named(_words(flags))


def json_from_wire(flags: Token) -> bytes:
    """As ``from_wire``, as a JSON array."""
    return _json(_words(flags))


def _words(flags: Token) -> tuple[bytes, ...]:
    words = flags if isinstance(flags, list) else ()
    return tuple([word for word in words if isinstance(word, bytes)])


@lru_cache(maxsize=4096)
def _named(words: tuple[bytes, ...]) -> tuple[str, ...]:
    """Messages share a few sets of flags."""
    found = (_name(word.lower()) for word in words)
    return tuple(dict.fromkeys(flag for flag in found if flag))


@lru_cache(maxsize=4096)
def _json(words: tuple[bytes, ...]) -> bytes:
    return to_json(_named(words))


def _name(word: bytes) -> str:
    if word == b"\\recent":
        return ""
    return _FROM_WIRE.get(word) or word.decode(errors="replace")
