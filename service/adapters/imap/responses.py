"""Untagged responses to rows: FETCH, LIST, LSUB, STATUS, SEARCH and ESEARCH (RFC 9051, 7; RFC 4731)."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from service.adapters.imap.tokens import Token, parse
from service.mail.errors import UpstreamProtocol

MAX_UID = (1 << 32) - 1
MAX_FOUND = 1_000_000
Row: TypeAlias = dict[bytes, Token]

# The most frequent row by far, of a page whose other columns are known: read by one expression instead of tokens.
_FLAGS_ROW = re.compile(rb"(\d{1,10}) FETCH \(UID (\d{1,10}) FLAGS \(([^()\"\r\n]*)\)(?: MODSEQ \((\d+)\))?\)\Z")
_FETCH = re.compile(rb"(\d{1,10}) FETCH (?=\()", re.IGNORECASE)
_ESEARCH = re.compile(rb"ESEARCH(?: \(TAG \"[^\"]*\"\))?((?: UID)?)(?: |\Z)", re.IGNORECASE)
_BARE_STATUS = re.compile(rb"STATUS ([^\r\n]{1,1000}) \(([^()\r\n]{0,200})\)\Z", re.IGNORECASE)
# What a server may tell anew at any time; everything else of a message never changes.
_CHANGING = frozenset({b"FLAGS", b"MODSEQ"})
SEQUENCE = b"#"
"""Where a row keeps its message sequence number."""


def fetch_rows(untagged: Iterable[bytes]) -> dict[int, Row]:
    """The rows of a FETCH or STORE by UID. A message told in pieces is one row; rows without a UID are news of flags
    that nobody asked for, and are passed over. Attributes that contradict each other are a broken answer."""
    rows: dict[int, Row] = {}
    for response in untagged:
        if quick := _FLAGS_ROW.match(response):
            row: Row = {b"UID": quick[2], b"FLAGS": [*quick[3].split()], SEQUENCE: quick[1]}
            if quick[4]:
                row[b"MODSEQ"] = [quick[4]]
        elif found := _FETCH.match(response):
            row = _row(response, found.end())
            row[SEQUENCE] = found[1]
        else:
            continue
        if b"UID" not in row:
            continue
        uid = number(row[b"UID"], MAX_UID)
        if uid == 0:
            raise _broken()
        if uid in rows:
            _merge(rows[uid], row)
        else:
            rows[uid] = row
    return rows


def _row(response: bytes, at: int) -> Row:
    values = parse(response, at)
    items = values[0] if len(values) == 1 else None
    if not isinstance(items, list) or len(items) % 2:
        raise _broken()
    row: Row = {}
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, bytes):
            raise _broken()
        row[name.upper()] = value
    return row


def _merge(row: Row, more: Row) -> None:
    for name, value in more.items():
        if name in row and name not in _CHANGING and name != SEQUENCE and row[name] != value:
            raise _broken()
        row[name] = value


def number(token: Token, most: int) -> int:
    """A number of at most ``most``; a broken answer otherwise."""
    if not isinstance(token, bytes) or not token.isdigit() or len(token) > 20 or int(token) > most:
        raise _broken()
    return int(token)


def octets(row: Row, item: bytes) -> bytes | None:
    """The octets of a BODY or BINARY item, asked as ``BODY.PEEK[1]<0.64>`` and answered as ``BODY[1]<0>``. None where
    the server says NIL or nothing."""
    value = row.get(item)
    if value is None and item.endswith(b"<0>"):
        value = row.get(item[:-3])  # some servers leave out an origin of zero
    if isinstance(value, list):
        raise _broken()
    return value


def found_uids(untagged: Iterable[bytes]) -> list[int]:
    """What UID SEARCH found, ascending, each once, by either form of answer."""
    found: set[int] = set()
    for response in untagged:
        if response[:7].upper() == b"SEARCH " or response.upper() == b"SEARCH":
            found.update(_plain_result(response[7:]))
        elif match := _ESEARCH.match(response):
            found.update(_extended_result(response[match.end() :]))
        if len(found) > MAX_FOUND:
            raise UpstreamProtocol("The mail server found more than a million messages.", protocol="imap")
    return sorted(found)


def sorted_uids(untagged: Iterable[bytes]) -> list[int]:
    """What UID SORT answers, in its order, each once."""
    found: dict[int, None] = {}
    for response in untagged:
        if response[:5].upper() == b"SORT " or response.upper() == b"SORT":
            found.update(dict.fromkeys(_plain_result(response[5:])))
            if len(found) > MAX_FOUND:
                raise UpstreamProtocol("The mail server found more than a million messages.", protocol="imap")
    return list(found)


def _plain_result(text: bytes) -> Iterator[int]:
    for word in text.split():
        if word.startswith(b"("):  # (MODSEQ n) ends the list, RFC 7162
            return
        uid = number(word, MAX_UID)
        if uid:
            yield uid


def _extended_result(text: bytes) -> Iterator[int]:
    words = iter(text.split())
    for name in words:
        value = next(words, b"")
        if name.upper() == b"ALL":
            yield from expand(value)


def expand(uids: bytes) -> Iterator[int]:
    """A sequence set's members, a million at most: a server can write ``1:4294967295``."""
    count = 0
    for run in uids.split(b","):
        low, _, high = run.partition(b":")
        first = number(low, MAX_UID)
        last = number(high, MAX_UID) if high else first
        count += abs(last - first) + 1
        if count > MAX_FOUND:
            raise UpstreamProtocol("The mail server found more than a million messages.", protocol="imap")
        yield from range(min(first, last), max(first, last) + 1)


class Listed(NamedTuple):
    """A row of LIST: ``name`` as on the wire, attributes lower case."""

    name: bytes
    delimiter: str | None
    attributes: frozenset[str]


def list_rows(untagged: Iterable[bytes], verb: bytes = b"LIST") -> list[Listed]:
    """The rows of LIST or LSUB, a name once."""
    rows: dict[bytes, Listed] = {}
    start = verb + b" "
    for response in untagged:
        if response[: len(start)].upper() != start:
            continue
        match parse(response, len(start)):
            case [list() as attributes, delimiter, bytes() as name, *_] if not isinstance(delimiter, list):
                words = frozenset(
                    word.decode("ascii", "replace").lower() for word in attributes if isinstance(word, bytes)
                )
                rows[name] = Listed(name, delimiter.decode(errors="replace") if delimiter else None, words)
            case _:
                raise _broken()
    return list(rows.values())


def status_rows(untagged: Iterable[bytes]) -> dict[bytes, dict[bytes, int]]:
    """The rows of STATUS by name; what is not a number is left out."""
    rows: dict[bytes, dict[bytes, int]] = {}
    for response in untagged:
        if response[:7].upper() == b"STATUS ":
            name, items = _status(response)
            pairs = zip(items[::2], items[1::2], strict=False)
            rows[name] = {k.upper(): int(v) for k, v in pairs if v.isdigit()}
    return rows


def _status(response: bytes) -> tuple[bytes, list[bytes]]:
    """GNU mailutils quotes no name, whatever is in it."""
    with suppress(UpstreamProtocol):
        match parse(response, 7):
            case [bytes() as name, list() as items]:
                return name, [item if isinstance(item, bytes) else b"" for item in items]
    found = _BARE_STATUS.match(response)
    if found is None:
        raise _broken()
    return found[1], found[2].split()


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer contradicts itself.", protocol="imap")
