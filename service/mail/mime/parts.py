"""What the header of a part declares (RFC 2045, RFC 2183), as a value."""

import re
from typing import NamedTuple

from service.mail.mime.headers.fields import RawHeader, parse_message_ids
from service.mail.mime.headers.filenames import file_name
from service.mail.mime.headers.parameters import parse_parameters
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

    @property
    def boundary(self) -> bytes:
        """RFC 2046, 5.1.1: no boundary ends in white space, so what mail software added there goes."""
        return self.parameters.get("boundary", "").encode("latin-1").rstrip()


def declare(headers: tuple[RawHeader, ...], default: str) -> Declared:
    """``default`` is the type of a part that names none. Of several fields of a name the first counts."""
    fields: dict[str, bytes] = {}
    for name, raw in headers:
        if name[:8].lower() == "content-":
            fields.setdefault(name.lower(), raw)
    value, parameters = parse_parameters(fields.get("content-type", b""))
    return Declared(_type(value, default), parameters, _lone(fields.get("content-transfer-encoding")), fields)


def make_part(part_id: str, declared: Declared, size: int | None, children: tuple[Part, ...]) -> Part:
    """The value; names are clean, all else is as the mail declares it."""
    fields = declared.fields
    disposition, parameters = parse_parameters(fields.get("content-disposition", b""))
    cids = parse_message_ids(fields.get("content-id"))
    return Part(
        id=part_id,
        type=declared.type,
        name=file_name(parameters.get("filename")) or file_name(declared.parameters.get("name")),
        size=size,
        encoding=declared.encoding or None,
        disposition=disposition or None,
        cid=cids[0] if cids else None,
        charset=declared.parameters.get("charset", "").lower() or None,
        language=_languages(fields.get("content-language")),
        parts=children or None,
    )


def _type(value: str, default: str) -> str:
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
