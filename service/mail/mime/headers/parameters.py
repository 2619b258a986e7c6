"""Values with parameters: Content-Type and Content-Disposition (RFC 2045, RFC 2183, RFC 2231)."""

import re
from urllib.parse import unquote_to_bytes

from service.mail.cleaning import clean_text
from service.mail.mime.charset import decode_text
from service.mail.mime.headers.words import MAX_VALUE, decode_words, unfold

MAX_PARAMETERS = 4000

_SEGMENT = re.compile(rb"(?>(?:[^;\"\\]|\"(?>(?:[^\"\\]|\\.)*)\"|\\.|[\"\\])+)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*+\)")
_SLASH = re.compile(rb"(?<!\s)\s*+/\s*+")
# Some senders end a parameter with the line only.
_LINE_FOR_SEMICOLON = re.compile(rb"\r?\n[ \t]++(?=[A-Za-z0-9*-]{1,64}=(?![?=]))")
_QUOTED = re.compile(rb"\"((?>(?:[^\"\\]|\\.)*))\"", re.DOTALL)
_ESCAPED = re.compile(rb"\\([\"\\])")
_PIECE = re.compile(r"([^*]{1,64})(?:\*(\d{1,4}))?(\*)?")
_NAMES_FILE = {"name", "filename"}


class _Pieces(dict[int, tuple[bytes, bool]]):
    """The pieces of one parameter by number; True beside those that are percent-encoded."""

    def text(self) -> str:
        parts = [self[number] for number in range(len(self)) if number in self] or list(self.values())
        first, is_encoded = parts[0]
        if not is_encoded:
            return _text(b"".join(_unquote(*part) for part in parts))
        charset, _, rest = first.partition(b"'")
        _, apostrophe, value = rest.partition(b"'")
        if not apostrophe:
            charset, value = b"", first
        octets = unquote_to_bytes(value) + b"".join(_unquote(*part) for part in parts[1:])
        return clean_text(decode_text(octets, charset.decode("ascii", "replace") or None).text)


def parse_parameters(raw: bytes | str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon and the parameters, names and value in lower case.

    64 KiB are read. A ``boundary`` is given octet for octet as Latin-1; all others are decoded and clean.
    """
    octets = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    unfolded = unfold(_LINE_FOR_SEMICOLON.sub(b";", octets[:MAX_VALUE]))
    segments = _SEGMENT.findall(unfolded)[:MAX_PARAMETERS]
    if unfolded.startswith(b";"):
        segments.insert(0, b"")  # the value is what is missing
    if not segments:
        return "", {}
    plain: dict[str, str] = {}
    pieces: dict[str, _Pieces] = {}
    value, _, lost = segments[0].strip().partition(b" ")
    if b"=" in lost:
        # The semicolon before the first parameter is what senders forget.
        segments[:1] = [value, lost]
    for segment in segments[1:]:
        _sort(segment, plain, pieces)
    return _value(segments[0]), plain | {name: numbered.text() for name, numbered in pieces.items()}


def _value(segment: bytes) -> str:
    text = _COMMENT.sub(b" ", segment).replace(b'"', b"")
    words = _SLASH.sub(b"/", text).split()
    return _text(words[0]).lower() if words else ""


def _sort(segment: bytes, plain: dict[str, str], pieces: dict[str, _Pieces]) -> None:
    key, equals, value = segment.partition(b"=")
    match = _PIECE.fullmatch(_text(key.strip()[:100]).lower()) if equals else None
    if match is None:
        return
    name, number, star = match[1].rstrip(), match[2], match[3]
    if number or star:
        of_name = pieces.setdefault(name, _Pieces())
        of_name.setdefault(int(number or 0), (_unquoted(value, name), bool(star)))
    elif name == "boundary":
        plain.setdefault(name, _unquoted(value, name).decode("latin-1"))
    else:
        plain.setdefault(name, _text(_unquoted(value, name)))


def _unquoted(value: bytes, name: str) -> bytes:
    """Only quotes and backslashes are unescaped: Windows paths in file names are never escaped. Nor are quotes, by some
    senders: the last one ends the name."""
    value = value.strip()
    if value.startswith(b'"'):
        match = _QUOTED.match(value)
        if match and match.end() < len(value) and name in _NAMES_FILE and value.endswith(b'"'):
            return value[1:-1]
        return _ESCAPED.sub(rb"\1", match[1]) if match else value[1:]
    return value if name in _NAMES_FILE else value.split(b" (", 1)[0].rstrip()


def _unquote(octets: bytes, is_encoded: bool) -> bytes:
    return unquote_to_bytes(octets) if is_encoded else octets


def _text(octets: bytes) -> str:
    is_plain = octets.isascii() and b"=?" not in octets and b"\x1b" not in octets
    return clean_text(octets.decode("ascii")) if is_plain else decode_words(octets)
