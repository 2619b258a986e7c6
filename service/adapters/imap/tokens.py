"""A response to nested lists of octets, by one compiled expression (RFC 9051, 9).

Quoted strings lose their quotes, literals are taken as they are, NIL is None, everything else is the octets of its
atom.
"""

import re
from typing import TypeAlias

from service.mail.errors import UpstreamProtocol

Token: TypeAlias = "bytes | list[Token] | None"  # noqa: S105 - no secret

MAX_DEPTH = 100
# A FETCH item keeps its section in one token: BODY[HEADER.FIELDS (DATE)]<0>. Whatever fits nothing else is one octet
# and an error, so that no octet is passed over in silence.
_TOKEN = re.compile(
    rb'[()]|"[^"\\]*(?:\\.[^"\\]*)*"|(?:BODY|BINARY)(?:\.SIZE)?\[[^\]\r\n]*\](?:<\d+>)?|[^\s()"]+|\S',
    re.IGNORECASE | re.DOTALL,
)
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
        found += _TOKEN.findall(text, at, announced.start())
        at = end + 2 + int(announced[1])
        found.append(_Octets(text[end + 2 : at]))
    found += _TOKEN.findall(text, at)
    return found


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
    if len(token) == 1:
        raise _broken()
    return re.sub(rb"\\(.)", rb"\1", token[1:-1]) if b"\\" in token else token[1:-1]


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer could not be read.", protocol="imap")
