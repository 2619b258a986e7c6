"""Rows of usual messages, made of what the server wrote: most of it is the same for many messages, or not asked for."""

import re
from functools import lru_cache
from typing import NamedTuple

from service.adapters.imap.messages.doubts import has_doubtful_parts, is_small
from service.adapters.imap.messages.envelope import Shown, people, summary_of, tree_of
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import parse
from service.adapters.imap.wire.usual import Described, string
from service.mail.mime.body import body_charset, has_attachment
from service.mail.model import MessageSummary

_MAX_SHAPE = 600
"""Octets of a structure whose shape is kept."""
# Sizes, and boundaries with nothing odd about them: they differ from message to message, and decide nothing here.
_SIZE = re.compile(rb" [1-9]\d*+(?=[ )])")
_BOUNDARY = re.compile(rb'"boundary" "[!#-\[\]-~]{0,69}[!#-,.-\[\]-~]"')


class _Parts(NamedTuple):
    has_attachment: bool | None
    is_doubtful: bool


def read_usual(row: FetchResponse, usual: Described, message_id: str, folder_id: str) -> tuple[MessageSummary, bool]:
    """As ``envelope.read_summary``, and whether there may be other parts than those that the server described."""
    parts = _parts(usual.structure)
    in_doubt = parts.is_doubtful and is_small(row)
    shown = Shown(
        usual.date,
        usual.subject,
        people(usual.from_),
        people(usual.to),
        string(usual.in_reply_to),
        string(usual.message_id),
    )
    summary = summary_of(
        row,
        message_id,
        folder_id,
        shown,
        body_charset=lambda: _charset(usual.structure),
        has_attachment=None if in_doubt else parts.has_attachment,
    )
    return summary, in_doubt


def _parts(structure: bytes) -> _Parts:
    shape = _BOUNDARY.sub(b'"boundary" "b"', _SIZE.sub(b" 1", structure))
    return _known_parts(shape) if len(shape) <= _MAX_SHAPE else _read_parts(shape)


def _read_parts(shape: bytes) -> _Parts:
    [token] = parse(shape)
    tree = tree_of(token)
    return _Parts(has_attachment(tree) if tree else None, has_doubtful_parts(token))


_known_parts = lru_cache(maxsize=2048)(_read_parts)


def _charset(structure: bytes) -> str | None:
    [token] = parse(structure)
    tree = tree_of(token)
    return body_charset(tree) if tree else None
