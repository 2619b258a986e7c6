"""Signs in a FETCH response that the server has read a message otherwise than its octets say. Then the message is read
here.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto

from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import Token
from service.mail.numbers import read_number

MAX_REREAD = 1 << 20
"""Octets of the largest message that is read whole on a mere doubt."""
_MOST = 4000
"""Tokens that are looked at."""
# What servers write for a mailbox or a domain that is not there: Dovecot, UW IMAP and its kin, Cyrus.
_PLACEHOLDER = re.compile(
    rb"missing_mailbox|missing_domain|syntax_error|\.?missing-host-name\.?|\.?syntax-error\.?|missing-mailbox"
    rb"|invalid_address|unexpected_data_after_address|unspecified-domain|unknown-domain",
    re.IGNORECASE,
)
_MAX_BOUNDARY = 70


def is_placeholder(octets: bytes) -> bool:
    """Whether a server says by this that an address has no mailbox or no domain. A header may really say it."""
    return len(octets) <= 40 and _PLACEHOLDER.fullmatch(octets) is not None


class Doubt(Enum):
    """What of a description is in doubt."""

    NOTHING = auto()
    TEXT = auto()
    """A text may be missing."""
    PARTS = auto()
    """There may be other parts."""


def doubt(row: FetchResponse) -> Doubt:
    """What is in doubt of a small message. An empty text may stand in a header without end. There may be other parts in
    a multipart that has nothing, as a lost boundary leaves it, or whose boundary mail software has padded or cut. A
    message without any field that an ENVELOPE has may be one without a header."""
    size = read_number(row.get(b"RFC822.SIZE"))
    if size is None or size > MAX_REREAD:
        return Doubt.NOTHING
    envelope = row.get(b"ENVELOPE")
    if isinstance(envelope, list) and not any(envelope):
        return Doubt.PARTS
    doubts = {_doubt(part, is_root=is_root) for part, is_root in _parts(row.get(b"BODYSTRUCTURE"))}
    return next((each for each in (Doubt.PARTS, Doubt.TEXT) if each in doubts), Doubt.NOTHING)


def _parts(structure: Token) -> Iterator[tuple[list[Token], bool]]:
    pending: list[tuple[Token, bool]] = [(structure, True)]
    for _ in range(_MOST):
        if not pending:
            return
        part, is_root = pending.pop()
        if isinstance(part, list) and part:
            yield part, is_root
            children = part if isinstance(part[0], list) else part[8:9]
            pending += [(child, False) for child in children if isinstance(child, list)]


def _doubt(part: list[Token], *, is_root: bool) -> Doubt:
    if isinstance(part[0], list):
        count = next((at for at, each in enumerate(part) if not isinstance(each, list)), len(part))
        has_parts = count > 1 or not _is_empty_text(part[0])
        is_usual = count + 1 >= len(part) or _has_usual_boundary(part[count + 1])
        return Doubt.NOTHING if has_parts and is_usual else Doubt.PARTS
    if part[0] == b"" or _is_word(part[:2], b"message", b"global"):  # servers do not look into the latter
        return Doubt.PARTS
    return Doubt.TEXT if _is_empty_text(part) and not is_root else Doubt.NOTHING


def _is_empty_text(part: Token) -> bool:
    return isinstance(part, list) and _is_word(part[:1], b"text") and read_number(part[6] if part[6:] else None) == 0


def _is_word(tokens: list[Token], *words: bytes) -> bool:
    return [token.lower() for token in tokens if isinstance(token, bytes)] == [*words]


def _has_usual_boundary(parameters: Token) -> bool:
    fields = parameters if isinstance(parameters, list) else []
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if isinstance(name, bytes) and isinstance(value, bytes) and name.lower() == b"boundary":
            return value == value.rstrip() and 0 < len(value) <= _MAX_BOUNDARY and value.isascii()
    return False
