"""The usual description of a message, read by an expression instead of as tokens: in the order in which servers write
it, and without literals. Only the subject may be one: Dovecot sends long ones so. Most rows of most folders are such.

Tokens are a quarter of the time of a row, and most of them are never looked at: no list shows who gets replies.
"""

import re
from typing import NamedTuple, cast

from service.adapters.imap.wire.tokens import Token, parse, unquoted

USUAL = b"="
"""The key of a ``Described`` in place of ENVELOPE and BODYSTRUCTURE."""
_MAX_OCTETS = 16 << 10
"""Of a response. Longer ones are rare, and may take long."""
_MAX_DEPTH = 8
"""Lists in lists of a BODYSTRUCTURE. A reply with an attached message has six."""
# Every repetition keeps what it took, and takes whole stretches between two escapes, strings or lists.
_STRING = rb'"[^"\\\r\n]*+(?>(?:\\[^\r\n][^"\\\r\n]*+)*)"'
_FIELD = rb"(?:NIL|%b)" % _STRING
_MAILBOXES = rb"NIL|\((?>(?:\(%b\) ?+)+)\)" % b" ".join([_FIELD] * 4)


def _nested(depth: int) -> bytes:
    """A list of at most that depth, of strings, numbers and NIL alone: other words would come from a quote that the
    server did not escape. Its members begin differently, so that no octet is tried twice."""
    inner = b"|" + _nested(depth - 1) if depth else b""
    return rb"\([NIL\d ]*+(?>(?:(?:%b%b)[NIL\d ]*+)*)\)" % (_STRING, inner)


_WORDS = rb'\([^()"{\r\n]*+(?>(?:%b[^()"{\r\n]*+)*)\)' % _STRING
_VALUE = rb"\d{1,20}+|%b|%b" % (_STRING, _WORDS)
_BEGINNING = re.compile(
    rb"\d{1,10} FETCH \(((?>(?:[A-Z][A-Z0-9.-]*+ (?:%b) )*))ENVELOPE \((%b) (?:(%b)|\{(\d{1,4})\}\r\n)"
    % (_VALUE, _FIELD, _FIELD)
)
_REST = re.compile(
    rb" %b\) BODYSTRUCTURE (%b)"
    % (b" ".join(b"(%b)" % field for field in [_MAILBOXES] * 6 + [_FIELD] * 2), _nested(_MAX_DEPTH))
)
_ITEM = re.compile(rb"([A-Z][A-Z0-9.-]*+) (%b) " % _VALUE)
_HEADER = re.compile(rb" (BODY\[HEADER\.FIELDS \([^()\[\]\"\r\n]*+\)\](?:<0>)?) \{(\d{1,6})\}\r\n")
_ODD = re.compile(rb'["\[]|NIL', re.IGNORECASE)


class Described(NamedTuple):
    """ENVELOPE and BODYSTRUCTURE: all of it as the server wrote it, and its parts, of which only date and subject are
    read."""

    written: bytes
    date: bytes | None
    subject: bytes | None
    from_: bytes
    sender: bytes
    reply_to: bytes
    to: bytes
    cc: bytes
    bcc: bytes
    in_reply_to: bytes
    message_id: bytes
    structure: bytes


def described(row: dict[bytes, Token]) -> Described | None:
    """What ``usual_row`` has read of the message; None if the row is another one."""
    fields = row.get(USUAL)
    return Described(*cast("list[bytes]", fields)) if isinstance(fields, list) else None


def usual_row(response: bytes) -> dict[bytes, Token] | None:
    """The items of a FETCH response, with ``USUAL``; None if it has to be read as tokens."""
    begun = _BEGINNING.match(response) if len(response) <= _MAX_OCTETS else None
    if begun is None:
        return None
    items, date, subject, octets = begun.groups()
    end = begun.end() if octets is None else begun.end() + int(octets)
    rest = _REST.match(response, end)
    if rest is None:
        return None
    row: dict[bytes, Token] = {}
    shown = response[begun.end() : end] if subject is None else string(subject)
    row[USUAL] = [response[begun.end(1) : rest.end()], string(date), shown, *rest.groups()]
    end = rest.end()
    if header := _HEADER.match(response, end):
        end = header.end() + int(header[2])
        row[header[1].upper()] = response[header.end() : end]
    if response[end:] != b")":
        return None
    for name, value in _ITEM.findall(items):
        row[name] = _token(value)
    return row


def expand(row: dict[bytes, Token]) -> None:
    """Put ENVELOPE and BODYSTRUCTURE in the place of ``USUAL``."""
    if (usual := described(row)) is not None:
        del row[USUAL]
        row |= read_described(usual.written)


def read_described(written: bytes) -> dict[bytes, Token]:
    """ENVELOPE and BODYSTRUCTURE of ``Described.written``."""
    _, envelope, _, structure = parse(written)
    return {b"ENVELOPE": envelope, b"BODYSTRUCTURE": structure}


def _token(value: bytes) -> Token:
    if value[:1] == b"(":
        return parse(value)[0] if _ODD.search(value) else [*value[1:-1].split()]
    return string(value) if value[:1] == b'"' else value


def string(written: bytes) -> bytes | None:
    """A quoted string without its quotes; None for NIL."""
    return None if written == b"NIL" else unquoted(written)
