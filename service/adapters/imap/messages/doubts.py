"""Signs in a FETCH response that the server has read a message otherwise than its octets say. Then the message is read
here.
"""

import re
from collections.abc import Iterator

from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import Token
from service.mail.numbers import read_number

MAX_REREAD = 1 << 20
"""Octets of the largest message that is read whole on a mere doubt."""
_MOST = 4000
"""Tokens that are looked at."""
# What servers write for a mailbox or a domain that is not there: Dovecot, UW IMAP, Exchange, Cyrus.
_PLACEHOLDER = re.compile(
    rb"missing_mailbox|missing_domain|syntax_error|\.?missing-host-name\.?|\.?syntax-error\.?|missing-mailbox"
    rb"|invalid_address|unexpected_data_after_address|unspecified-domain|unknown-domain",
    re.IGNORECASE,
)
_MAX_BOUNDARY = 70


def is_placeholder(octets: bytes) -> bool:
    """Whether a server says by this that an address has no mailbox or no domain. A header may really say it."""
    return len(octets) <= 40 and _PLACEHOLDER.fullmatch(octets) is not None


def is_doubtful(row: FetchResponse) -> bool:
    """Whether a small message may have other parts than the server found: in a multipart that has nothing, as a lost
    boundary leaves it, or whose boundary mail software has padded or cut. A message without any field that an ENVELOPE
    has may be one without a header."""
    if not is_small(row):
        return False
    envelope = row.get(b"ENVELOPE")
    return (isinstance(envelope, list) and not any(envelope)) or has_doubtful_parts(row.get(b"BODYSTRUCTURE"))


def is_small(row: FetchResponse) -> bool:
    """Whether the message may be read whole on a mere doubt."""
    size = read_number(row.get(b"RFC822.SIZE"))
    return size is not None and size <= MAX_REREAD


def has_doubtful_parts(structure: Token) -> bool:
    """Whether there may be other parts than those of this BODYSTRUCTURE."""
    if isinstance(structure, list) and structure and len(structure) < 9 and structure[0] == b"text":
        return False  # most messages
    return any(map(_is_doubtful, _parts(structure)))


def _parts(structure: Token) -> Iterator[list[Token]]:
    pending = [structure]
    for _ in range(_MOST):
        if not pending:
            return
        part = pending.pop()
        if isinstance(part, list) and part:
            yield part
            pending += part if isinstance(part[0], list) else part[8:9]


def _is_doubtful(part: list[Token]) -> bool:
    if isinstance(part[0], list):
        count = next((at for at, each in enumerate(part) if not isinstance(each, list)), len(part))
        has_parts = count > 1 or not _is_empty_text(part[0])
        is_usual = count + 1 >= len(part) or _has_usual_boundary(part[count + 1])
        return not (has_parts and is_usual)
    return part[0] == b"" or _is_word(part[:2], b"message", b"global")  # servers do not look into the latter


def _is_empty_text(part: Token) -> bool:
    return isinstance(part, list) and _is_word(part[:1], b"text") and read_number(part[6] if part[6:] else None) == 0


def _is_word(tokens: list[Token], *words: bytes) -> bool:
    return [token.lower() for token in tokens if isinstance(token, bytes)] == [*words]


def _has_usual_boundary(parameters: Token) -> bool:
    fields = parameters if isinstance(parameters, list) else []
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if isinstance(name, bytes) and isinstance(value, bytes) and name.lower() == b"boundary":
            # ``boundary=----=_a`` without quotes ends at the second equals sign for some.
            return (
                bool(value.strip(b"-")) and value == value.rstrip() and len(value) <= _MAX_BOUNDARY and value.isascii()
            )
    return False
