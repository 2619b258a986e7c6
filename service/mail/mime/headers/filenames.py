"""File names that are safe to offer for saving, on any system."""

import re
import unicodedata
from pathlib import PurePosixPath

from service.mail.cleaning import is_unseen
from service.mail.mime.headers.words import decode_words

MAX_CHARACTERS = 150
MAX_OCTETS = 240

_RESERVED = re.compile(r'[<>:"|?*]')
# Names of devices on Windows, with any extension.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(?:\.|$)", re.IGNORECASE)


def file_name(raw_name: bytes | str | None) -> str | None:
    """The name alone: no path, no control, direction or invisible characters, at most 150 characters or 240 octets, the
    extension kept. None if nothing remains. A clean name is unchanged."""
    if not raw_name:
        return None
    text = raw_name if isinstance(raw_name, str) and "=?" not in raw_name else decode_words(raw_name)
    text = _trim(_RESERVED.sub("_", _without_path(text)))
    if _DEVICES.match(text):
        text = "_" + text
    return _trim(_shorten(text)) or None


def sent_name(name: str) -> str | None:
    """A name as it is sent: as ``file_name``, but encoded words stay as they are, and so does what only some systems do
    not allow."""
    return _trim(_shorten(_trim(_without_path(name)))) or None


def _without_path(text: str) -> str:
    text = unicodedata.normalize("NFC", text[:4096]).replace("\\", "/").rstrip("/ ")
    return "".join(each for each in text.rpartition("/")[2] if not is_unseen(each))


def _trim(text: str) -> str:
    """Windows drops trailing dots and spaces, which would change the extension; names of only dots are directories."""
    return " ".join(text.split()).rstrip(". ")


def _shorten(text: str) -> str:
    if len(text) <= MAX_CHARACTERS and len(text.encode()) <= MAX_OCTETS:
        return text
    extension = PurePosixPath(text).suffix
    extension = extension if len(extension.encode()) <= 20 else ""
    stem = text[: MAX_CHARACTERS - len(extension)] if extension else text[:MAX_CHARACTERS]
    stem = stem.encode()[: MAX_OCTETS - len(extension.encode())].decode("utf-8", "ignore")
    return stem.removesuffix(extension).rstrip(". ") + extension
