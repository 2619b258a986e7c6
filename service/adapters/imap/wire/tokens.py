"""A response to nested lists of octets, by one compiled expression (RFC 9051, 9).

Quoted strings lose their quotes, literals are taken as they are, NIL is None, everything else is the octets of its
atom.
"""

import re
from itertools import islice
from typing import TypeAlias

from service.mail.errors import UpstreamProtocol

Token: TypeAlias = "bytes | list[Token] | None"  # noqa: S105 - no secret

MAX_DEPTH = 100
MAX_TOKENS = 40_000
"""In one response: more than a thousand parts or five thousand addresses have, and 20 ms of work."""
_SHORT = 64 << 10
"""Octets that hold few enough tokens, whatever they are."""
# A FETCH item keeps its section in one token: BODY[HEADER.FIELDS (DATE)]<0>. A quote or a bracket that nobody closes
# takes all that is left, so that no octet is looked at from two beginnings: the expression is linear.
_TOKEN = re.compile(
    rb'[()]|"(?>[^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)'
    rb'|(?:BODY|BINARY)(?:\.SIZE)?\[(?>[^\]]*)(?:\](?:<\d+>)?|\Z)|[^\s()"]+|\S',
    re.IGNORECASE | re.DOTALL,
)
_CLOSED = re.compile(rb'"(?>[^"\\]*(?:\\.[^"\\]*)*)"\Z', re.DOTALL)
_LITERAL = re.compile(rb"~?\{(\d+)\}\Z")
_OPEN, _CLOSE, _QUOTE = b"(", b")", ord('"')


class _Octets(bytes):
    """A literal's octets, so that one that reads ``(`` or ``NIL`` is not mistaken for it."""


def _flat(text: bytes, at: int) -> list[bytes]:
    """All tokens from ``at``. Text holds no CRLF but those that follow a literal's announcement."""
    found: list[bytes] = []
    while (end := text.find(b"\r\n", at)) >= 0:
        announced = _LITERAL.search(text, max(at, end - 24), end)
        if announced is None:
            raise _broken()
        _find(text, at, announced.start(), found)
        at = end + 2 + int(announced[1])
        found.append(_Octets(text[end + 2 : at]))
    _find(text, at, len(text), found)
    return found


def _find(text: bytes, start: int, stop: int, found: list[bytes]) -> None:
    """Adds the tokens between two places. Counted before they are made if there may be too many."""
    if stop - start > _SHORT:
        if text.count(b"\\", start, stop) > MAX_TOKENS:
            raise _too_many()
        found += (match[0] for match in islice(_TOKEN.finditer(text, start, stop), MAX_TOKENS + 1))
    else:
        found += _TOKEN.findall(text, start, stop)
    if len(found) > MAX_TOKENS:
        raise _too_many()
    if stop > start and found and found[-1][:1] == b'"' and type(found[-1]) is bytes and not _CLOSED.match(found[-1]):
        raise _broken()  # only the last can be a quote that nobody closes


def parse(text: bytes, at: int = 0) -> list[Token]:
    """The values from ``at`` to the end; UpstreamProtocol where they do not nest. A list below ``MAX_DEPTH`` is empty:
    one message that nests deeper must not cost the rows of others in the same answer."""
    top: list[Token] = []
    here = top
    stack: list[list[Token]] = []
    below = 0
    for token in _flat(text, at):
        if below:
            below += _step(token)
        elif type(token) is _Octets:
            here.append(token)
        elif token == _OPEN and len(stack) == MAX_DEPTH:
            here.append([])
            below = 1
        elif token == _OPEN:
            inner: list[Token] = []
            here.append(inner)
            stack.append(here)
            here = inner
        elif token == _CLOSE:
            if not stack:
                raise _broken()
            here = stack.pop()
        elif token[0] == _QUOTE:
            here.append(_unquoted(token))
        else:
            here.append(None if len(token) == 3 and token.upper() == b"NIL" else token)
    if stack or below:
        raise _broken()
    return top


def _step(token: bytes) -> int:
    """How much deeper it is behind this token."""
    return 0 if type(token) is _Octets else (token == _OPEN) - (token == _CLOSE)


def _unquoted(token: bytes) -> bytes:
    text = token[1:-1]
    if b"\\" in text:
        text = b"\\".join(piece.replace(b"\\", b"") for piece in text.split(b"\\\\"))
    return text


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer could not be read.", protocol="imap")


def _too_many() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer has more parts than can be read.", protocol="imap")
