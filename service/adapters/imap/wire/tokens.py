"""Reads a response into nested lists of octets, by one compiled expression (RFC 9051, 9).

Quoted strings lose their quotes, literals are taken as they are, NIL is None, everything else is the octets of its
atom.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

from service.mail.errors import UpstreamProtocol

Token: TypeAlias = "bytes | list[Token] | None"  # noqa: S105 - no secret

MAX_DEPTH = 100
MAX_TOKENS = 40_000
"""In one response: more than a message of a thousand parts or five thousand addresses has, and 20 ms of work."""
_SHORT = 64 << 10
"""Text of up to this many octets is tokenised without a count beforehand: it cannot hold much more."""
# A FETCH item keeps its section in one token: BODY[HEADER.FIELDS (DATE)]<0>. What only begins like one is a keyword
# (``BODY[``), an atom as others. A quote that is never closed takes the rest of the text, so that no octet is examined
# from more than two starting points: the expression is linear.
_TOKEN = re.compile(
    rb'[()]|"(?>[^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)'
    rb'|(?:BODY|BINARY)(?:\.SIZE|\.PEEK)?\[(?>[A-Z0-9.]* *(?:\([^()\[\]]*\) *)?)\](?:<\d+(?:\.\d+)?>)?|[^\s()"]+|\S',
    re.IGNORECASE | re.DOTALL,
)
_CLOSED = re.compile(rb'"(?>[^"\\]*(?:\\.[^"\\]*)*)"\Z', re.DOTALL)
_LITERAL = re.compile(rb"~?\{(\d+)\}\Z")
_OPEN, _CLOSE, _QUOTE = b'()"'
_BACKSLASH = b"\\"


class _Octets(bytes):
    """A literal's octets: a type of its own, so that a literal ``(`` or ``NIL`` is not mistaken for the token."""


def _flat(text: bytes, start: int) -> list[bytes]:
    """Returns all tokens from ``start``. The only CRLFs in the text follow the announcement of a literal."""
    tokens: list[bytes] = []
    while (end := text.find(b"\r\n", start)) >= 0:
        announcement = _LITERAL.search(text, max(start, end - 24), end)
        if announcement is None:
            raise _broken()
        _find(text, start, announcement.start(), tokens)
        start = end + 2 + int(announcement[1])
        tokens.append(_Octets(memoryview(text)[end + 2 : start]))
    _find(text, start, len(text), tokens)
    return tokens


def _find(text: bytes, start: int, stop: int, tokens: list[bytes]) -> None:
    """Adds the tokens between two positions. If there may be too many, they are counted before they are created."""
    if stop - start > _SHORT:
        if text.count(b"\\", start, stop) > MAX_TOKENS:
            raise _too_many()
        tokens += (match[0] for match in islice(_TOKEN.finditer(text, start, stop), MAX_TOKENS + 1))
    else:
        tokens += _TOKEN.findall(text, start, stop)
    if len(tokens) > MAX_TOKENS:
        raise _too_many()
    last = tokens[-1] if stop > start and tokens else b""
    if last[:1] == b'"' and type(last) is bytes and not _CLOSED.match(last):
        raise _broken()  # only the last token can be a quote that is never closed


def parse(text: bytes, start: int = 0) -> list[Token]:
    """Returns the values from ``start`` to the end. Raises UpstreamProtocol if they do not nest. A list below
    ``MAX_DEPTH`` is empty: one message that nests deeper must not cost the rows of others in the same answer."""
    top: list[Token] = []
    current = top
    stack: list[list[Token]] = []
    tokens = iter(_flat(text, start))
    for token in tokens:  # the order of the tests is that of how often they hold: this is a third of the time of a row
        if type(token) is _Octets:
            current.append(token)
            continue
        first = token[0]
        if first == _QUOTE:
            current.append(unquoted(token) if _BACKSLASH in token else token[1:-1])
        elif first == _OPEN:
            inner: list[Token] = []
            current.append(inner)
            if len(stack) == MAX_DEPTH:
                _skip(tokens)
            else:
                stack.append(current)
                current = inner
        elif first == _CLOSE:
            if not stack:
                raise _broken()
            current = stack.pop()
        else:
            current.append(None if len(token) == 3 and token.upper() == b"NIL" else token)
    if stack:
        raise _broken()
    return top


def _skip(tokens: Iterator[bytes]) -> None:
    """Read to the end of the list that has just begun."""
    below = 1
    for token in tokens:
        below += _step(token)
        if not below:
            return
    raise _broken()


def _step(token: bytes) -> int:
    """Returns the change of depth at this token: 1, -1 or 0."""
    return 0 if type(token) is _Octets else (token[0] == _OPEN) - (token[0] == _CLOSE)


def unquoted(token: bytes) -> bytes:
    """A quoted string without its quotes and escapes."""
    if _BACKSLASH not in token:
        return token[1:-1]
    return _BACKSLASH.join(piece.replace(_BACKSLASH, b"") for piece in token[1:-1].split(b"\\\\"))


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer could not be read.", protocol="imap")


def _too_many() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer has more parts than can be read.", protocol="imap")
