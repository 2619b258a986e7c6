"""Gmail's labels between the wire and JSON (X-GM-LABELS): names in modified UTF-7, as those of folders are.

Gmail's own begin with a backslash (``\\Inbox``), and so may a user's: the wire shows no difference, so they are
kept as Gmail writes them. The label of the selected folder itself is left out by Gmail.
"""

from functools import lru_cache

from pydantic_core import to_json

from service.adapters.imap.wire.tokens import Token
from service.adapters.shared.folder_names import decode_name

MAX_LABELS = 100
"""Of one message, as many as flags."""
_MAX_NAME = 1000
"""Octets: Gmail's names have 225 characters at most. A longer one is left out."""
_MOST_REMEMBERED = 1000
"""Octets of a set of labels that is cached."""


def labels_from_wire(labels: Token) -> tuple[str, ...]:
    """Returns the labels in the server's order, each once."""
    return _read(_words(labels))


def labels_json(labels: Token) -> bytes:
    """As ``labels_from_wire``, but returns a JSON array."""
    words = _words(labels)
    return _json(words) if sum(map(len, words)) <= _MOST_REMEMBERED else to_json(_read(words))


def _words(labels: Token) -> tuple[bytes, ...]:
    words = labels[:MAX_LABELS] if isinstance(labels, list) else ()
    return tuple([word for word in words if isinstance(word, bytes) and len(word) <= _MAX_NAME])


@lru_cache(maxsize=4096)
def _json(words: tuple[bytes, ...]) -> bytes:
    """Cached, because messages share a few sets of labels."""
    return to_json(_read(words))


def _read(words: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(decode_name, words)))
