"""Names of folders: as stored, ``Name.Child`` in modified UTF-7 (Maildir++), and as people read them."""

import unicodedata
from collections.abc import Iterable

from service.adapters.shared.folder_names import decode_name, encode_name
from service.mail.errors import InvalidRequest

MAX_LENGTH = 255


def path_of(stored: bytes) -> tuple[str, ...]:
    """The steps of the name as people read them."""
    return tuple(decode_name(step) for step in stored.split(b"."))


def folded(stored: bytes) -> list[str]:
    """For comparing names without regard to case."""
    return [step.casefold() for step in path_of(stored)]


def parent_of(stored: bytes) -> bytes | None:
    """The stored name of the folder above; None at the root."""
    return stored.rpartition(b".")[0] or None


def ancestors(stored: bytes) -> Iterable[bytes]:
    """The stored names of all folders above."""
    steps = stored.split(b".")
    return (b".".join(steps[:count]) for count in range(1, len(steps)))


def join(parent: bytes | None, step: bytes) -> bytes:
    """The stored name of a folder in ``parent``, or at the root."""
    return parent + b"." + step if parent else step


def is_within(stored: bytes, ancestor: bytes) -> bool:
    """Whether the folder is ``ancestor``, or in it at any depth."""
    return stored == ancestor or stored.startswith(ancestor + b".")


def encode_step(name: str) -> bytes:
    """The stored form of one step. Raises InvalidRequest."""
    is_plain = name == name.strip() and name.isprintable() and "/" not in name and "." not in name
    if not name or not is_plain or len(name) > MAX_LENGTH:
        raise InvalidRequest("A folder's name has no slash, dot or control character, and no space at its ends.")
    try:
        return encode_name(unicodedata.normalize("NFC", name))
    except UnicodeEncodeError:
        raise InvalidRequest("The name cannot be stored.") from None
