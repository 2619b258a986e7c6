"""Reads what can be known of a response that breaks the grammar, so that one bad row does not cost the others.

Servers copy quotes of names and subjects unescaped, and write names with spaces without quotes.
"""

import re
from collections.abc import Sequence

from service.adapters.imap.wire.tokens import Token, parse
from service.mail.errors import UpstreamProtocol

_HEAD = re.compile(rb'\(([^()"\r\n]*)\) +(NIL|"(?:\\?[^"]|"?)"|[^\s"()]) +', re.IGNORECASE)
_QUOTED = re.compile(rb'"((?>(?:[^"\\]|\\.)*))"(?= *\Z| +\()', re.DOTALL)
_EXTENDED = re.compile(rb'(?<! ) +\("?(?:CHILDINFO|OLDNAME)"? .*\Z', re.IGNORECASE | re.DOTALL)
"""What may follow the name (RFC 5258, RFC 5465)."""
# Simple items. They are read only before the first string of a row and behind its last, because a sender chooses what
# stands in between: the subject ``" UID 7 "`` must not make the row one of another message.
_ITEM = (
    rb"(?:UID \d{1,10}|RFC822\.SIZE \d{1,20}|MODSEQ \(\d{1,20}\)"
    rb'|FLAGS \((?>[^()"\r\n]*)\)|INTERNALDATE "[^"\r\n]{0,40}")'
)
_FIRST = re.compile(rb"\(((?>(?:%b ?){0,20}))" % _ITEM, re.IGNORECASE)
_LAST = re.compile(rb'(?<=[)"0-9])((?>(?: %b)+))\)\Z' % _ITEM, re.IGNORECASE)
_LAST_READ = 4096
"""Octets before the end of a row in which its last items are looked for."""
_PAIR = re.compile(rb'([A-Z0-9.]+) (\([^()]*\)|"[^"]*"|\d+)', re.IGNORECASE)


_LITERAL = re.compile(rb"\{(\d{1,20})\}\Z")


def known_items(response: bytes, start: int) -> dict[bytes, Token]:
    """Returns the simple items of a FETCH response that could not be parsed: those before and behind the broken part.
    The result may be empty. Raises UpstreamProtocol if a literal is not followed by a separator: then its size was
    wrong, and nothing that comes on this connection can be relied on."""
    _require_framed(response, start)
    first = _FIRST.match(response, start)
    has_literals = b"\r\n" in response  # a literal may end the row, and look like anything
    last = None if has_literals else _LAST.search(response, max(start, len(response) - _LAST_READ))
    items: dict[bytes, Token] = {}
    for match in (last, first):
        for name, value in _PAIR.findall(match[1]) if match else ():
            items[name.upper()] = parse(value)[0]
    return items


def _require_framed(response: bytes, start: int) -> None:
    while (end := response.find(b"\r\n", start)) >= 0:
        announcement = _LITERAL.search(response, max(start, end - 24), end)
        start = end + 2 + (int(announcement[1]) if announcement else 0)
        if response[start : start + 1] not in {b" ", b")"}:
            raise UpstreamProtocol("The mail server's response could not be read.", protocol="imap")


def listed_name(response: bytes, start: int) -> tuple[list[bytes], Token, bytes] | None:
    """Returns attributes, delimiter and name of a LIST or LSUB response. None if even these cannot be read.

    A name without quotes is the rest of the line; in a name with unescaped quotes only the outer ones are removed.
    """
    try:
        values = parse(response, start)
    except UpstreamProtocol:
        values = []
    if (row := _regular(values, response)) is not None:
        return row
    head = _HEAD.match(response, start)
    if head is None:
        return None
    delimiter = head[2].strip(b'"')[-1:] if head[2].upper() != b"NIL" else None
    return head[1].split(), delimiter or None, _rest_as_name(response[head.end() :])


def _regular(values: Sequence[Token], response: bytes) -> tuple[list[bytes], Token, bytes] | None:
    """The row if it follows the grammar: nothing behind the name but extended data."""
    match values:
        case [list() as attributes, None | bytes() as delimiter, bytes() as name, *more] if not more or (
            len(more) == 1 and _EXTENDED.search(response)
        ):
            return [word for word in attributes if isinstance(word, bytes)], delimiter, name
    return None


def _rest_as_name(rest: bytes) -> bytes:
    if quoted := _QUOTED.match(rest):
        return re.sub(rb"\\(.)", rb"\1", quoted[1], flags=re.DOTALL)
    name = _EXTENDED.sub(b"", rest)
    return name[1:-1] if len(name) > 1 and name[:1] == name[-1:] == b'"' else name
