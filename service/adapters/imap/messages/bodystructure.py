"""BODYSTRUCTURE to a tree of Part (RFC 9051, 7.5.2)."""

import re
from collections.abc import Mapping
from functools import lru_cache

from service.adapters.imap.wire.tokens import Token
from service.mail.cleaning import clean_text
from service.mail.errors import UpstreamProtocol
from service.mail.mime.charset import in_utf8, is_hint
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.parts import decoded_size, known_type
from service.mail.mime.transfer.decoding import is_identity
from service.mail.model import Part
from service.mail.numbers import read_number

MAX_PARTS = 1000
"""The limit of ``mime.structure`` too, so that a message has the same parts by either way."""
_ENCODINGS = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})
_FIELDS = 13
"""Of a leaf: those of an attached message, with its extensions."""
_MISSING: list[Token] = [None] * _FIELDS
_CACHED = 1000
"""Octets of parameters that are kept for the next part."""
_PLAIN = re.compile(rb"[\x20-\x29\x2b-\x3c\x3e-\x7e]+=(?!.*=\?)[\x20-\x7e]*\Z")


class _State:
    """What has been read before a part: how many parts, and the charset of the first text that declares one."""

    def __init__(self) -> None:
        self.charset: str | None = None
        self._left = MAX_PARTS

    def take(self) -> bool:
        """Whether there may be one more part."""
        self._left -= 1
        return self._left >= 0


def read_structure(token: Token) -> Part:
    """The tree, with ids as IMAP numbers parts. Raises UpstreamProtocol if it is not a BODYSTRUCTURE; then the
    structure can be read from the message's source."""
    state = _State()
    if not isinstance(token, list) or not token:
        raise _broken()
    return _multipart(token, "", state) if isinstance(token[0], list) else _leaf(token, "1", state)


def _part(token: Token, part_id: str, state: _State) -> Part:
    if not isinstance(token, list) or not token or not state.take():
        raise _broken()
    return _multipart(token, part_id, state) if isinstance(token[0], list) else _leaf(token, part_id, state)


def _multipart(token: list[Token], parent_id: str, state: _State) -> Part:
    """``parent_id`` is empty for the root; the root of an attached message ends in a dot."""
    prefix = parent_id if not parent_id or parent_id.endswith(".") else parent_id + "."
    children = [child for child in token if isinstance(child, list)]
    size = next((at for at, child in enumerate(token) if not isinstance(child, list)), len(token))
    parts = tuple(_part(child, f"{prefix}{number}", state) for number, child in enumerate(children[:size], 1))
    rest = token[size:]
    disposition, _ = _disposition(_at(rest, 2))
    return Part(
        id=f"{parent_id}0" if not parent_id or parent_id.endswith(".") else parent_id,
        type=f"multipart/{_word(_at(rest, 0)) or 'mixed'}",
        disposition=disposition,
        language=_language(_at(rest, 3)),
        parts=parts,
    )


def _leaf(token: list[Token], part_id: str, state: _State) -> Part:
    fields = [*token[:_FIELDS], *_MISSING]
    encoding = _word(fields[5])
    _require_plausible(fields, encoding)
    media_type = _media_type(_word(fields[0]) or "", _word(fields[1]) or "")
    parameters = _parameters(fields[2])
    own = parameters.get("charset", "").lower()
    hint = own if _is_hint(own) else state.charset
    if hint is not None:
        state.charset = state.charset or (hint if media_type.startswith("text/") else None)
        parameters = _parameters(fields[2], hint)
    extension = 7
    parts: tuple[Part, ...] | None = None
    if media_type == "message/rfc822" and (isinstance(fields[8], list) or read_number(fields[9]) is not None):
        extension = 10  # the number is that of lines; Office 365, for one, may have NIL before it
        # Of an encoded message (RFC 2046, 5.2.1, forbids it) the server describes the code, not what it says.
        is_described = isinstance(fields[8], list) and is_identity(encoding)
        parts = (_attached(fields[8], part_id, state),) if is_described else None
    elif media_type.startswith("text/"):
        extension = 8
    disposition, disposed = _disposition(fields[extension + 1], hint)
    size = read_number(fields[6])
    return Part(
        id=part_id,
        type=media_type,
        name=file_name(disposed.get("filename")) or file_name(parameters.get("name")),
        size=size,
        decoded_size=decoded_size(size, encoding),
        encoding=encoding,
        disposition=disposition,
        cid=_cid(fields[3]),
        charset=own or None,
        language=_language(fields[extension + 2]),
        parts=parts,
    )


_is_hint = lru_cache(maxsize=256)(is_hint)


@lru_cache(maxsize=1024)
def _media_type(kind: str, subtype: str) -> str:
    return known_type(f"{kind}/{subtype}".strip("/"), "text/plain")


def _require_plausible(fields: list[Token], encoding: str | None) -> None:
    """Raises UpstreamProtocol if encoding or size cannot be what they are: a quote that a server did not escape has
    shifted the fields, and a wrong encoding would corrupt the octets in silence. A multipart written as a leaf (GMX,
    Exchange) hides its parts."""
    size = fields[6]
    is_shifted = isinstance(fields[2], bytes) or (encoding or "").isdecimal()
    has_size = isinstance(size, bytes) and size[:1].isdigit()
    if is_shifted or (not has_size and encoding not in _ENCODINGS) or _word(fields[0]) == "multipart":
        raise _broken()


def _attached(token: Token, part_id: str, state: _State) -> Part:
    """The body of an attached message: its parts are numbered below the attachment's."""
    if isinstance(token, list) and token and isinstance(token[0], list):
        return _multipart(token, f"{part_id}.", state)
    return _part(token, f"{part_id}.1", state)


def _at(token: list[Token], index: int) -> Token:
    return token[index] if index < len(token) else None


def _word(token: Token) -> str | None:
    """At most 255 octets of it: types have 127 on either side of the slash (RFC 6838, 4.2)."""
    return _lower(token[:255]) if isinstance(token, bytes) else None


@lru_cache(maxsize=1024)
def _lower(octets: bytes) -> str | None:
    """Media types, encodings and charsets are few."""
    return clean_text(octets.decode(errors="replace")).strip().lower() or None


def _cid(token: Token) -> str | None:
    """At most 998 octets of it, which a line has (RFC 5322, 2.1.1)."""
    if not isinstance(token, bytes):
        return None
    return clean_text(token[:998].decode(errors="replace")).strip().strip("<>") or None


def _parameters(token: Token, charset: str | None = None) -> dict[str, str]:
    """Most are plain words; what is encoded, cut in pieces or 8-bit is read as it would be in a header (RFC 2231).
    ``charset`` is that of 8-bit text which is not UTF-8."""
    if not isinstance(token, list):
        return {}
    pairs = [
        (name, in_utf8(value, charset))
        for name, value in zip(token[::2], token[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes)
    ]
    is_usual = sum(len(name) + len(value) for name, value in pairs) <= _CACHED
    return dict((_known_pairs if is_usual else _read_pairs)(tuple(pairs)))


def _read_pairs(pairs: tuple[tuple[bytes, bytes], ...]) -> Mapping[str, str]:
    """The charset alone, most of the time."""
    if all(_PLAIN.match(name + b"=" + value) for name, value in pairs):
        return {name.decode().lower(): value.decode() for name, value in reversed(pairs)}  # the first counts
    quoted = (b'%b="%b"' % (name, value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')) for name, value in pairs)
    return parse_parameters(b"x; " + b"; ".join(quoted))[1]


_known_pairs = lru_cache(maxsize=1024)(_read_pairs)


def _disposition(token: Token, charset: str | None = None) -> tuple[str | None, dict[str, str]]:
    """Exchange and pymap send a string instead of a list: the word alone, or the field with its parameters."""
    if isinstance(token, bytes):
        word, parameters = parse_parameters(token[:_CACHED])
        return word or None, parameters
    if not isinstance(token, list) or not token:
        return None, {}
    return _word(token[0]), _parameters(_at(token, 1), charset)


def _language(token: Token) -> tuple[str, ...] | None:
    words = token if isinstance(token, list) else [token]
    return tuple(word for word in map(_word, words[:20]) if word) or None


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's description of the message could not be read.", protocol="imap")
