"""Parts as their own headers declare them, for those that the server may have read wrong.

Dovecot, for one, reports ``7bit`` for every encoding that is not quite right (``quoted-printable;``), and cuts names at
a blank that should have been quoted. A wrong encoding corrupts the octets in silence.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from service.adapters.imap.wire.responses import FetchResponse
from service.mail.mime.body import body_charset
from service.mail.mime.headers.fields import split_headers
from service.mail.mime.parts import declare, make_part
from service.mail.model import Part

MAX_LEAVES = 20
"""Parts of a message whose headers are read with it."""
MAX_HEADER = 16 << 10
FIELDS = (
    b"BODY.PEEK[HEADER.FIELDS (DATE SUBJECT FROM SENDER REPLY-TO TO CC BCC IN-REPLY-TO MESSAGE-ID REFERENCES"
    b" CONTENT-TYPE CONTENT-TRANSFER-ENCODING CONTENT-DISPOSITION CONTENT-ID CONTENT-LANGUAGE)]"
)
"""What ``Message`` is made of. The header of a message is that of its only part."""


def doubtful(structure: Part) -> list[bytes]:
    """The items of the headers to read: of parts below the root whose description may be wrong."""
    leaves = (part for part in structure.walk(into_messages=False) if part is not structure and _is_doubtful(part))
    return [header_item(part.id) for part in islice(leaves, MAX_LEAVES)]


def header_item(part_id: str) -> bytes:
    """The header of a part. FIELDS has that of the root."""
    return b"BODY.PEEK[%b.MIME]<0.%d>" % (part_id.encode(), MAX_HEADER)


def _is_doubtful(part: Part) -> bool:
    """A path or a word in place of a file name is half of one."""
    if part.parts is not None or part.type.startswith("multipart/"):
        return False
    name = part.name or ""
    is_cut = (bool(name) or part.disposition == "attachment") and ("." not in name or name[1:2] == "_")
    return part.encoding == "7bit" or is_cut


def read_leaves(structure: Part, row: FetchResponse, root: bytes) -> Part:
    """The tree with those leaves remade whose headers are in the response; ``root`` is the header of the message."""
    blocks = {part.id: _block(row, part) for part in structure.walk(into_messages=False)}
    if structure.parts is None:
        blocks[structure.id] = root
    return _remade(structure, {part_id: block for part_id, block in blocks.items() if block}, body_charset(structure))


def read_leaf(part: Part, row: FetchResponse) -> Part:
    """The part as its own header in the response has it, if that is there."""
    block = _block(row, part)
    return _remade(part, {part.id: block}, None) if block else part


def _block(row: FetchResponse, part: Part) -> bytes:
    item = b"BODY[%b.MIME]" % part.id.encode()
    found = row.get(item + b"<0>", row.get(item))
    return found if isinstance(found, bytes) and len(found) < MAX_HEADER else b""


def _remade(part: Part, blocks: Mapping[str, bytes], charset: str | None) -> Part:
    if part.type.startswith("multipart/"):
        parts = part.parts or ()
        remade = tuple(_remade(each, blocks, charset) for each in parts)
        return part if _are_same(parts, remade) else part.model_copy(update={"parts": remade})
    if part.parts is not None or part.id not in blocks:
        return part
    fields = split_headers(blocks[part.id])
    if not any(name[:8].lower() == "content-" for name, _ in fields):
        return part
    remade_leaf = make_part(part.id, declare(fields, part.type, charset), part.size, ())
    return part if remade_leaf.type.startswith(("multipart/", "message/")) else remade_leaf


def _are_same(parts: Iterable[Part], others: Iterable[Part]) -> bool:
    return all(part is other for part, other in zip(parts, others, strict=True))
