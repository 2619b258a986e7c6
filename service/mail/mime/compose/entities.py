"""Parts: their Content fields and their bodies (RFC 2045, RFC 2046, RFC 2183)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from service.mail.cleaning import clean_text
from service.mail.errors import InvalidRequest
from service.mail.mime.compose.base64_lines import Base64Lines
from service.mail.mime.compose.checks import is_id, one_line, shown
from service.mail.mime.compose.parameters import fallback, file_names, parameters
from service.mail.mime.compose.texts import canonical, has_short_lines, transferred
from service.mail.mime.compose.values import Copied, Piece, Resolved
from service.mail.mime.compose.words import fold, subject_field
from service.mail.mime.headers.filenames import sent_name
from service.mail.mime.headers.parameters import parse_parameters

MAX_CID = 500
_MAX_DESCRIPTION = 1000
_MAX_PARAMETERS = 20
_CRLF = b"\r\n"
_WORD = r"[a-z0-9!#$&^_.+'%*`{|}~-]{1,127}"
_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_STORED = frozenset({"7bit", "8bit", "quoted-printable", "base64"})
_IDENTITIES = frozenset({"7bit", "8bit", "binary"})
# RFC 2046, 5.2: these are never encoded. RFC 6532 allows it for message/global.
_NEVER_ENCODED = frozenset({"message/rfc822", "message/partial", "message/external-body"})
_BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Entity:
    """A part: its Content fields, without the empty line behind them, and its body."""

    head: bytes
    body: tuple[Piece, ...]
    is_8bit: bool = False


@dataclass(frozen=True, slots=True)
class _Content:
    """How the content of an attachment is written."""

    type: str
    encoding: str
    body: Piece


def text_part(text: str, subtype: str) -> Entity:
    """A text in UTF-8."""
    encoding, octets = transferred(canonical(text))
    return Entity(_type_field(f"text/{subtype}", ["charset=utf-8"]) + _encoding_field(encoding), (octets,))


def multipart(subtype: str, parts: Sequence[Entity], boundary: str, words: Iterable[str] = ()) -> Entity:
    """The parts between delimiters, without a line end behind the last. One part stands for itself."""
    if len(parts) == 1:
        return parts[0]
    delimiter = b"--" + boundary.encode()
    is_8bit = any(part.is_8bit for part in parts)
    head = _type_field(f"multipart/{subtype}", [*words, f'boundary="{boundary}"'])
    body: list[Piece] = []
    for part in parts:
        body += [delimiter, _CRLF, part.head, _CRLF, *part.body, _CRLF]
    return Entity(head + (_encoding_field("8bit") if is_8bit else b""), (*body, delimiter, b"--"), is_8bit)


def attachment(resolved: Resolved) -> Entity:
    """Raises InvalidRequest if the type cannot be written, or the Content-ID of a part that is not copied. Of the name
    the path and controls are left out."""
    kind, words = _declared(resolved)
    content = _content(resolved, kind)
    name = sent_name(resolved.name or "")
    words = words if content.type == kind else []
    named = [*words, *parameters([("name", fallback(name))] if name else [])]
    head = _type_field(content.type, named) + _encoding_field(content.encoding)
    disposition = "inline" if resolved.disposition == "inline" else "attachment"
    head += fold("Content-Disposition", _separated([disposition, *(file_names(name) if name else [])]))
    if cid := _cid(resolved):
        head += fold("Content-ID", [f"<{cid}>"])
    if description := clean_text(resolved.description or "").strip()[:_MAX_DESCRIPTION]:
        head += subject_field("Content-Description", description)
    body = (_in_base64(content.body),) if _is_to_encode(content) else (content.body,)
    return Entity(head, body, content.encoding == "8bit")


def media_type(resolved: Resolved) -> str:
    """Without parameters. Raises InvalidRequest if it is not one, or a multipart."""
    return _declared(resolved)[0]


def _declared(resolved: Resolved) -> tuple[str, list[str]]:
    """The type and the words of its parameters."""
    kind, values = parse_parameters(one_line(resolved.type, "The media type"))
    if not _TYPE.fullmatch(kind) or kind.startswith("multipart/"):
        raise InvalidRequest(f"{shown(resolved.type)} cannot be the media type of an attachment.")
    if resolved.charset and kind.startswith("text/"):
        values.setdefault("charset", resolved.charset)
    kept = [(name, value) for name, value in values.items() if name not in {"name", "boundary"}]
    return kind, parameters(kept[:_MAX_PARAMETERS])


def _content(resolved: Resolved, kind: str) -> _Content:
    body, encoding = resolved.body, resolved.encoding
    if kind in _NEVER_ENCODED:
        return _message(resolved, kind)
    if isinstance(body, Copied) and body.encoded and encoding in _STORED:
        return _Content(kind, encoding, body)
    return _Content(kind, "base64", replace(body, encoded=False) if isinstance(body, Copied) else body)


def _message(resolved: Resolved, kind: str) -> _Content:
    """A message as it is. One whose octets could not travel so, or are not known yet, is attached as a file."""
    body, encoding = resolved.body, resolved.encoding
    if isinstance(body, bytes) and b"\0" not in body and has_short_lines(body):
        return _Content(kind, "7bit" if body.isascii() else "8bit", body)
    if isinstance(body, Copied) and (body.part is None or (body.encoded and encoding in _IDENTITIES)):
        return _Content(kind, "7bit" if encoding == "7bit" else "8bit", replace(body, encoded=True))
    if isinstance(body, Copied) and body.encoded and encoding in _STORED:
        return _Content(_BINARY, encoding, body)
    return _Content(_BINARY, "base64", replace(body, encoded=False) if isinstance(body, Copied) else body)


def _is_to_encode(content: _Content) -> bool:
    return isinstance(content.body, bytes) and content.encoding == "base64"


def _in_base64(body: Piece) -> bytes:
    assert isinstance(body, bytes)
    lines = Base64Lines()
    return lines.feed(body) + lines.finish()


def _cid(resolved: Resolved) -> str | None:
    """What a stranger's message names a part may be left out; the user's is not."""
    if not resolved.cid or is_id(resolved.cid, MAX_CID):
        return resolved.cid
    if isinstance(resolved.body, Copied):
        return None
    raise InvalidRequest(f"{shown(resolved.cid)} cannot be a cid: it has printable ASCII without spaces, < and >.")


def _type_field(kind: str, words: Iterable[str]) -> bytes:
    return fold("Content-Type", _separated([kind, *words]))


def _encoding_field(encoding: str) -> bytes:
    return fold("Content-Transfer-Encoding", [encoding])


def _separated(words: Sequence[str]) -> list[str]:
    return [*(f"{word};" for word in words[:-1]), words[-1]]
