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


def is_structure_doubtful(row: FetchResponse) -> bool:
    """Whether the parts of a small message may be others than the server found: a multipart of nothing, as a lost
    boundary leaves it; an empty text, which may stand in a header without end; a boundary that mail software has
    padded or cut; no field that an ENVELOPE has, so perhaps no header at all."""
    size = read_number(row.get(b"RFC822.SIZE"))
    if size is None or size > MAX_REREAD:
        return False
    envelope = row.get(b"ENVELOPE")
    if isinstance(envelope, list) and not any(envelope):
        return True
    return any(_is_doubtful(part, is_root=is_root) for part, is_root in _parts(row.get(b"BODYSTRUCTURE")))


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


def _is_doubtful(part: list[Token], *, is_root: bool) -> bool:
    if isinstance(part[0], list):
        children = next((at for at, each in enumerate(part) if not isinstance(each, list)), len(part))
        return children + 1 < len(part) and not _has_usual_boundary(part[children + 1])
    if part[0] == b"" or _is_word(part[:2], b"message", b"global"):  # servers do not look into the latter
        return True
    return not is_root and _is_word(part[:1], b"text") and read_number(part[6] if len(part) > 6 else None) == 0


def _is_word(tokens: list[Token], *words: bytes) -> bool:
    return [token.lower() for token in tokens if isinstance(token, bytes)] == [*words]


def _has_usual_boundary(parameters: Token) -> bool:
    fields = parameters if isinstance(parameters, list) else []
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        if isinstance(name, bytes) and isinstance(value, bytes) and name.lower() == b"boundary":
            return value == value.rstrip() and 0 < len(value) <= _MAX_BOUNDARY and value.isascii()
    return False
