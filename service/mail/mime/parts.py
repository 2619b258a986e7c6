"""What the header of a part declares (RFC 2045, RFC 2183), as a value."""

import re
from typing import NamedTuple

from service.mail.mime.charset import in_utf8, is_hint
from service.mail.mime.headers.fields import RawHeader, parse_message_ids
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
from service.mail.mime.transfer.decoding import is_identity
from service.mail.model import Part

_WORD = r"[a-z0-9!#$&^_.+'%*`{|}~-]{1,127}"
_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_BARE_TYPES = {"text": "text/plain", "multipart": "multipart/mixed", "message": "message/rfc822"}
_BINARY_KINDS = {"image", "audio", "video", "application", "font", "model"}


class Declared(NamedTuple):
    """The content fields of a header, read as far as the tree needs them."""

    type: str
    parameters: dict[str, str]
    encoding: str
    fields: dict[str, bytes]
    hint: str | None = None
    """The charset that text in the header has if it is neither ASCII nor UTF-8."""

    @property
    def boundary(self) -> bytes:
        """RFC 2046, 5.1.1: no boundary ends in white space, so what mail software added there goes."""
        return self.parameters.get("boundary", "").encode("latin-1").rstrip()

    @property
    def charset(self) -> str | None:
        """RFC 2045, 5.2: a text that names none is US-ASCII."""
        named = self.parameters.get("charset", "").lower()
        return named or ("us-ascii" if self.type.startswith("text/") else None)


def declare(headers: tuple[RawHeader, ...], default: str, charset: str | None = None) -> Declared:
    """``default`` is the type of a part that names none, ``charset`` that of a text before it. Of several fields of a
    name the first counts."""
    fields: dict[str, bytes] = {}
    for name, raw in headers:
        if name[:8].lower() == "content-":
            fields.setdefault(name.lower(), raw)
    content_type = fields.get("content-type", b"")
    value, parameters = parse_parameters(content_type)
    own = parameters.get("charset")
    hint = own if is_hint(own) else charset
    if in_utf8(content_type, hint) != content_type:
        value, parameters = parse_parameters(in_utf8(content_type, hint))
    return Declared(
        known_type(value, default), parameters, _lone(fields.get("content-transfer-encoding")), fields, hint
    )


def make_part(part_id: str, declared: Declared, size: int | None, children: tuple[Part, ...]) -> Part:
    """The value; names are clean, all else is as the mail declares it, or as RFC 2045 says of what it does not. A
    multipart has what a server says of one (RFC 9051, 7.5.2)."""
    fields = declared.fields
    disposed, parameters = parse_parameters(in_utf8(fields.get("content-disposition", b""), declared.hint))
    disposition, language = disposed or None, _languages(fields.get("content-language"))
    if declared.type.startswith("multipart/"):
        return Part(id=part_id, type=declared.type, disposition=disposition, language=language, parts=children or None)
    cids = parse_message_ids(fields.get("content-id"))
    return Part(
        id=part_id,
        type=declared.type,
        name=file_name(parameters.get("filename")) or file_name(declared.parameters.get("name")),
        size=size,
        decoded_size=decoded_size(size, declared.encoding),
        encoding=declared.encoding or "7bit",
        disposition=disposition,
        cid=cids[0] if cids else None,
        charset=declared.charset,
        language=language,
        parts=children or None,
    )


def decoded_size(size: int | None, encoding: str | None) -> int | None:
    """The size of the content, as far as it is known without reading it: that with which it is stored, if it is stored
    as it is. How much base64 decodes to depends on its line ends and padding."""
    return size if is_identity(encoding) else None


def known_type(value: str, default: str) -> str:
    """RFC 2045, 5.2: without a valid type it is text; a type that is only half there is at least no text."""
    if _TYPE.fullmatch(value):
        return value
    if not value:
        return default
    kind = value.partition("/")[0]
    return _BARE_TYPES.get(kind, "application/octet-stream" if kind in _BINARY_KINDS else "text/plain")


def _lone(raw: bytes | None) -> str:
    """A token freed of comments, quotes and parameters."""
    return parse_parameters(raw)[0] if raw else ""


def _languages(raw: bytes | None) -> tuple[str, ...] | None:
    if not raw:
        return None
    tags = (tag.strip().lower() for tag in raw.decode("ascii", "replace").split(","))
    return tuple(tag for tag in tags if re.fullmatch(r"[a-z0-9-]{1,35}", tag))[:20] or None
