"""Gmail's labels between the wire and JSON (X-GM-LABELS): names in modified UTF-7, as those of folders are.

Gmail's own begin with a backslash (``\\Inbox``), and so may a user's: nothing on the wire tells them apart, so they are
kept as Gmail writes them. The label of the selected folder itself is left out by Gmail.
"""

from functools import lru_cache

from pydantic_core import to_json

from service.adapters.imap.wire.flags import is_large, words_of
from service.adapters.imap.wire.tokens import Token
from service.adapters.shared.folder_names import decode_name


def labels_from_wire(labels: Token) -> tuple[str, ...]:
    """Returns the labels in the server's order, each once."""
    return _read(words_of(labels))


def labels_json(labels: Token) -> bytes:
    """As ``labels_from_wire``, but returns a JSON array."""
    words = words_of(labels)
    return _large_json(words) if is_large(words) else _json(words)


@lru_cache(maxsize=4096)
def _json(words: tuple[bytes, ...]) -> bytes:
    """Cached, because messages share a few sets of labels."""
    return _large_json(words)


def _large_json(words: tuple[bytes, ...]) -> bytes:
    return to_json(_read(words))


def _read(words: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(decode_name, words)))
