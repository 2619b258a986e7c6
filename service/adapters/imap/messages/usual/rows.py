"""Rows of usual messages as JSON, made at once of what the server wrote: most of it is the same for many messages, or
not asked for. Models that are filled in and written take three times as long.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import to_json

from service.adapters.imap.messages.doubts import has_doubtful_parts, is_small
from service.adapters.imap.messages.envelope import (
    Shown,
    has_more,
    people_of,
    summary_of,
    text,
    tree_of,
    values_of,
)
from service.adapters.imap.messages.usual.people import people
from service.adapters.imap.wire.responses import FetchResponse, header_fields
from service.adapters.imap.wire.tokens import parse
from service.adapters.imap.wire.usual import Described, string
from service.adapters.imap.wire.values.dates import read_date_time
from service.mail.json_rows import row_json
from service.mail.mime.body import body_charset, has_attachment
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import parse_message_ids
from service.mail.numbers import read_number

_MAX_SHAPE = 600
"""Octets of a structure whose shape is kept."""
_MAX_STRUCTURE = 1000
"""Octets of a structure that has a shape: in a longer one a text may be so long that it counts where it ends."""
# What differs from message to message and decides nothing here, with nothing odd about it: sizes, ids of contents,
# boundaries and file names. One expression that begins with a space finds them all in the time that one of them takes.
# What stands before one of these strings may only end like the name of a parameter, as any value or description may;
# then what follows it is another name, an encoding or a disposition, and stays.
_SIZE = rb"[1-9]\d*+(?=[ )])"
_CID = rb'(?<=[)L] ")<[!#-;=?-\[\]-~]{1,200}>"(?= [N"])'
_OTHER = rb'(?!(?:attachment|boundary|charset|(?:file)?name)(?:\*[\d*]*)? *")'
_BOUNDARY = rb'(?<="boundary" ")%b[!#-\[\]-~]{0,69}[!#-,.-\[\]-~]"(?=\)| ")' % _OTHER
_NAME = rb'(?<=name" ")%b[A-Za-z0-9][A-Za-z0-9 ._()-]{0,200}"(?=\)| ")' % _OTHER
_INDIVIDUAL = re.compile(rb' (?:%b|"(?:%b|%b|%b))' % (_SIZE, _CID, _BOUNDARY, _NAME), re.IGNORECASE)
_ODD = re.compile(rb'"boundary" "', re.IGNORECASE)
"""In a shape: a boundary that is not a usual one."""


class _Parts(NamedTuple):
    has_attachment: bool | None
    is_doubtful: bool


def read_usual(row: FetchResponse, usual: Described, message_id: str, folder_id: str) -> tuple[bytes, bool]:
    """The JSON of ``envelope.read_summary`` without flags, and whether there may be other parts than those that the
    server described."""
    parts = _parts(usual.structure)
    in_doubt = parts.is_doubtful and is_small(row)
    attached = None if in_doubt else parts.has_attachment
    from_, to = people(usual.from_), people(usual.to)
    block = header_fields(row)
    if has_more(block, usual.date, usual.subject, from_, to):
        return _by_header(row, block, usual, message_id, folder_id, attached), in_doubt
    ids = parse_message_ids(string(usual.message_id))
    first = _members(id=message_id, folderId=folder_id, subject=text(usual.subject))
    last = _members(
        receivedAt=read_date_time(row.get(b"INTERNALDATE")),
        sentAt=parse_date(usual.date),
        size=read_number(row.get(b"RFC822.SIZE")),
        hasAttachment=attached,
        messageId=ids[0] if ids else None,
        inReplyTo=parse_message_ids(string(usual.in_reply_to)) or None,
    )
    return b'{%b,"from":%b,"to":%b%b%b}' % (first, from_.json, to.json, b"," if last else b"", last), in_doubt


def _members(**values: Any) -> bytes:
    """Members of an object, without those that are None."""
    return to_json({name: value for name, value in values.items() if value is not None})[1:-1]


def _by_header(
    row: FetchResponse, block: bytes, usual: Described, message_id: str, folder_id: str, attached: bool | None
) -> bytes:
    """The same by way of the model, because the header has to be read."""
    shown = Shown(
        usual.date,
        usual.subject,
        people_of(parse(usual.from_)[0]),
        people_of(parse(usual.to)[0]),
        string(usual.in_reply_to),
        string(usual.message_id),
    )
    values = values_of(block, lambda: _charset(usual.structure))
    return row_json(summary_of(row, message_id, folder_id, shown, values, has_attachment=attached))


def _parts(structure: bytes) -> _Parts:
    if len(structure) <= _MAX_STRUCTURE:
        shape = _INDIVIDUAL.sub(b" 1", structure)
        if len(shape) <= _MAX_SHAPE and not _ODD.search(shape):
            return _known_parts(shape)
    return _read_parts(structure)


def _read_parts(structure: bytes) -> _Parts:
    [token] = parse(structure)
    tree = tree_of(token)
    return _Parts(has_attachment(tree) if tree else None, has_doubtful_parts(token))


_known_parts = lru_cache(maxsize=2048)(_read_parts)


def _charset(structure: bytes) -> str | None:
    [token] = parse(structure)
    tree = tree_of(token)
    return body_charset(tree) if tree else None
