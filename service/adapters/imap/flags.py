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

_FEW = 100
"""Flags of a message that are worth being kept; more are rare, and may be any number."""


def to_wire(flag: str) -> str:
    """A flag's name in JSON to its name in IMAP."""
    return _SYSTEM.get(flag.lower(), flag)


def from_wire(flags: Token) -> tuple[str, ...]:
    """In the server's order. ``\\Recent`` says something of a session, not of the message, and is left out."""
    words = _words(flags)
    return _named(words) if len(words) <= _FEW else _named.__wrapped__(words)


def json_from_wire(flags: Token) -> bytes:
    """As ``from_wire``, as a JSON array."""
    words = _words(flags)
    return _json(words) if len(words) <= _FEW else to_json(from_wire(flags))


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
