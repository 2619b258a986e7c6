"""Parts as their own headers declare them, for those that the server may have read wrong.

Dovecot, for one, reports ``7bit`` for every encoding that is not quite right (``quoted-printable;``), and cuts names at
a blank that should have been quoted. A wrong encoding corrupts the octets in silence.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from operator import is_

from service.adapters.imap.wire.responses import FetchResponse
from service.mail.errors import UpstreamProtocol
from service.mail.mime.body import body_charset
from service.mail.mime.headers.fields import RawHeader, split_headers, text_behind
from service.mail.mime.parts import declare, make_part
from service.mail.mime.reports import returned
from service.mail.model import Part

_TEXTS = {"text/plain", "text/html"}
_ESCAPES = re.compile(r"\$[@B]|\([BJ]")
"""What is left of escapes in a name that was not decoded."""
MAX_LEAVES = 20
"""Parts of a message whose headers are read with it."""
MAX_HEADER = 16 << 10
_NAMES = [
    "DATE",
    "SUBJECT",
    "FROM",
    "SENDER",
    "REPLY-TO",
    "TO",
    "CC",
    "BCC",
    "IN-REPLY-TO",
    "MESSAGE-ID",
    "REFERENCES",
    "CONTENT-TYPE",
    "CONTENT-TRANSFER-ENCODING",
    "CONTENT-DISPOSITION",
    "CONTENT-ID",
    "CONTENT-LANGUAGE",
]
FIELDS = (
    b"BODY.PEEK[HEADER.FIELDS (%b)]"
    % " ".join(dict.fromkeys([*_NAMES, *(name.upper() for name in returned.FIELDS)])).encode()
)
"""What ``Message`` is made of. The header of a message is that of its only part."""


def doubtful(structure: Part) -> list[bytes]:
    """The items of the headers to read: of parts below the root whose description may be wrong."""
    leaves = (part for part in structure.walk() if part is not structure and _is_doubtful(part))
    return [header_item(part.id) for part in islice(leaves, MAX_LEAVES)]


def header_item(part_id: str) -> bytes:
    """The header of a part. FIELDS has that of the root."""
    return b"BODY.PEEK[%b.MIME]<0.%d>" % (part_id.encode(), MAX_HEADER)


def _is_doubtful(part: Part) -> bool:
    """A path or a word in place of a file name is half of one, and so is a name of ISO-2022-JP: Dovecot takes its
    backslashes for escapes. A part that is not text should have a name. What should be a message may be text without
    header."""
    if part.parts is not None or part.type.startswith("multipart/"):
        return part.size == 0
    name = part.name or ""
    is_cut = "." not in name or name[0] == "." or name[1:2] == "_" or _ESCAPES.search(name) is not None
    return (
        part.encoding == "7bit"
        or part.size == 0
        or (is_cut and (bool(name) or part.type not in _TEXTS or part.disposition is not None))
    )


Fields = tuple[RawHeader, ...]


def read_leaves(structure: Part, row: FetchResponse, root: Fields) -> Part:
    """The tree with those leaves remade whose headers are in the response; ``root`` is the header of the message.
    Raises UpstreamProtocol if text that the server takes for a header is none: it would be lost."""
    blocks = [(part, block) for part in structure.walk() if (block := _block(row, part)) is not None]
    headers = {part.id: _read_header(block, has_text=part.size != 0) for part, block in blocks}
    if structure.parts is None:
        headers[structure.id] = root
    return _remade(structure, headers, body_charset(structure)) if headers else structure


def _block(row: FetchResponse, part: Part) -> bytes | None:
    item = b"BODY[%b.MIME]" % part.id.encode()
    found = row.get(item + b"<0>", row.get(item))
    return found if isinstance(found, bytes) and len(found) < MAX_HEADER else None


def _remade(part: Part, headers: Mapping[str, Fields], charset: str | None) -> Part:
    if part.type.startswith("multipart/") or part.parts is not None:
        parts = part.parts or ()
        remade = tuple(_remade(each, headers, charset) for each in parts)
        return part if _are_same(parts, remade) else part.model_copy(update={"parts": remade})
    return _remade_leaf(part, headers[part.id], charset) if part.id in headers else part


def _remade_leaf(part: Part, fields: Fields, charset: str | None) -> Part:
    if not any(name[:8].lower() == "content-" for name, _ in fields):
        return part
    leaf = make_part(part.id, declare(fields, part.type, charset), part.size, ())
    has_parts = leaf.type.startswith("multipart/") or leaf.type in {"message/rfc822", "message/global"}
    return part if has_parts and part.type != leaf.type else leaf


def read_root(structure: Part, block: bytes) -> Fields:
    """The header of the message. Raises UpstreamProtocol as ``read_leaves``."""
    return _read_header(block) if structure.parts is None else split_headers(block)


def _read_header(block: bytes, *, has_text: bool = True) -> Fields:
    fields = split_headers(block)
    is_text = not fields and block.strip()
    if is_text or (not has_text and text_behind(block, 0, len(block)) < len(block)):
        raise UpstreamProtocol("The mail server takes text for a header.", protocol="imap")
    return fields


def _are_same(parts: Sequence[Part], others: Sequence[Part]) -> bool:
    return all(map(is_, parts, others))
