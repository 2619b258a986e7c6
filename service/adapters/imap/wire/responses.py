"""Reads untagged responses as rows: FETCH, LIST, LSUB, STATUS, SEARCH and ESEARCH (RFC 9051, 7; RFC 4731)."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from operator import lt
from typing import NamedTuple, TypeAlias

from service.adapters.imap.wire.commands import AnswerTooLarge
from service.adapters.imap.wire.lenient import known_items, listed_name
from service.adapters.imap.wire.pace import Pace, ascending, slices
from service.adapters.imap.wire.tokens import Token, parse
from service.adapters.imap.wire.usual import expand, usual_row
from service.adapters.imap.wire.values.numbers import MAX_UID, count, members, number, read_ranges
from service.mail.errors import UpstreamProtocol
from service.mail.numbers import read_number

MAX_ROWS = 25_000
"""Messages of one answer that are kept. A page has 200, and a folder that is compared has 20,000."""
MAX_FOUND = 300_000
"""UIDs of one search."""
MAX_FOLDERS = 12_000
MAX_NAME = 16 << 10
"""Octets of a folder's name: five thousand levels."""
_MAX_LISTED = 4 * MAX_NAME
"""Octets of a row of LIST: a name, escaped, and what may follow it."""
_SLACK = 10_000
"""Messages that may have arrived since the folder was counted, or are listed twice."""
_BATCH = 2000
_MAX_WORDS = 20
FetchResponse: TypeAlias = dict[bytes, Token]

# The most frequent row by far, of a page whose other columns are known: one expression reads it, without tokens.
_FLAGS_ROW = re.compile(
    rb"(\d{1,10}) FETCH \(UID (\d{1,10}) FLAGS \(([^()\"\r\n]{0,65536})\)(?: MODSEQ \((\d{1,20})\))?\)\Z"
)
# The same from Gmail, with labels: strings and atoms. Labels are shared by many messages.
_LABELS_ROW = re.compile(
    rb"(\d{1,10}) FETCH \(X-GM-LABELS (\((?>(?:[^()\"\r\n]++|\"(?>(?:[^\"\\\r\n]++|\\.){0,300})\"){0,200})\))"
    rb" UID (\d{1,10}) FLAGS \(([^()\"\r\n]{0,65536})\)\)\Z"
)
_FETCH = re.compile(rb"(\d{1,10}) FETCH (?=\()", re.IGNORECASE)
# With what it answers: the tag, which servers leave unquoted, and perhaps the folder (RFC 7377).
_ESEARCH = re.compile(rb"ESEARCH(?: \((?>(?:[^()\"\r\n]++|\"[^\"\r\n]*+\")*)\))?(?: UID)?(?: |\Z)", re.IGNORECASE)
_BARE_STATUS = re.compile(rb"STATUS ([^\r\n]{1,1000}) \(([^()\r\n]{0,200})\)\Z", re.IGNORECASE)
_LENGTH = re.compile(rb"(\]<\d+)\.\d+>\Z")
LABELS = b"X-GM-LABELS"
_SHORT_LABELS = 400
"""Octets of a list of labels that is remembered."""
SEQUENCE = b"#"
"""The key of a response's message sequence number."""
OCTETS = b"%"
"""The key of a response's length on the wire."""
UNREADABLE = b"!"
"""The key of a mark: the response breaks the grammar, and only its simplest items are known. Other items may exist, so
the message has to be read in another way."""
# Items that a server may report again with another value; every other item of a message never changes.
_CHANGING = frozenset({b"FLAGS", LABELS, b"MODSEQ", SEQUENCE, OCTETS, UNREADABLE})


async def fetch_rows(untagged: Iterable[bytes], *, as_usual: bool = False) -> dict[int, FetchResponse]:
    """Returns the rows of a FETCH or STORE by UID. Several responses about one message become one row. Rows without a
    UID are unsolicited news of flags and are skipped; an unreadable row with a UID has the key ``UNREADABLE``. Raises
    UpstreamProtocol if the responses contradict each other, and AnswerTooLarge for more than ``MAX_ROWS``. With
    ``as_usual`` a usual description stays as it is written, with the key ``USUAL``."""
    rows: dict[int, FetchResponse] = {}
    async for responses in slices(untagged):
        for uid, row in each_row(responses, as_usual=as_usual):
            if uid in rows:
                _merge(rows[uid], row)
            elif len(rows) >= MAX_ROWS:
                raise AnswerTooLarge("The mail server lists more messages than can be read.", protocol="imap")
            else:
                rows[uid] = row
    return rows


def each_row(responses: Iterable[bytes], *, as_usual: bool = False) -> Iterator[tuple[int, FetchResponse]]:
    """Yields the rows one by one, as ``fetch_rows``, but without storing them: for answers of hundreds of thousands,
    which come in slices."""
    for response in responses:
        if quick := _FLAGS_ROW.match(response):
            row: FetchResponse = {b"UID": quick[2], b"FLAGS": quick[3], SEQUENCE: quick[1], OCTETS: b"80"}
            if quick[4]:
                row[b"MODSEQ"] = [quick[4]]
            if 0 < (uid := int(quick[2])) <= MAX_UID:
                yield uid, row
                continue
        elif quick := _LABELS_ROW.match(response):
            row = {b"UID": quick[3], b"FLAGS": [*quick[4].split()], SEQUENCE: quick[1], OCTETS: b"80"}
            row[LABELS] = _labels(quick[2]) if len(quick[2]) <= _SHORT_LABELS else parse(quick[2])[0]
        elif start := _FETCH.match(response):
            usual = usual_row(response) if as_usual else None
            row = _row_or_known_items(response, start.end()) if usual is None else usual
            row[SEQUENCE] = start[1]
            row[OCTETS] = b"%d" % len(response)
        else:
            continue
        if b"UID" not in row:
            continue
        uid = number(row[b"UID"], MAX_UID)
        if uid == 0:
            raise _broken()
        yield uid, row


@lru_cache(maxsize=2048)
def _labels(written: bytes) -> Token:
    return parse(written)[0]


async def require_attributed(untagged: Iterable[bytes]) -> None:
    """Raises UpstreamProtocol if a FETCH response is so broken that its message cannot be identified. Ask this
    before calling a message missing."""
    async for responses in slices(untagged):
        for response in responses:
            if (start := _FETCH.match(response)) and _is_unattributed(_row_or_known_items(response, start.end())):
                raise _broken()


def _is_unattributed(row: FetchResponse) -> bool:
    return UNREADABLE in row and b"UID" not in row


def _row_or_known_items(response: bytes, start: int) -> FetchResponse:
    try:
        return _row(response, start)
    except UpstreamProtocol:
        return {**known_items(response, start), UNREADABLE: b""}


def _row(response: bytes, start: int) -> FetchResponse:
    values = parse(response, start)
    items = values[0] if len(values) == 1 else None
    if not isinstance(items, list) or len(items) % 2:
        raise _broken()
    row: FetchResponse = {}
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, bytes):
            raise _broken()
        row[_item(name) if b"[" in name else name.upper()] = value
    return row


def _item(name: bytes) -> bytes:
    """The item of a section. Some servers repeat the words of the request: ``BODY.PEEK[1]<0.64>``."""
    return _LENGTH.sub(rb"\1>", name.upper().replace(b".PEEK[", b"[", 1))


def _merge(row: FetchResponse, more: FetchResponse) -> None:
    expand(row)
    expand(more)
    for name, value in more.items():
        if name in row and name not in _CHANGING and row[name] != value:
            raise _broken()
        row[name] = value


def wire_octets(row: FetchResponse) -> int:
    """Returns the length of the response on the wire."""
    return read_number(row.get(OCTETS)) or 0


def octets(row: FetchResponse, item: bytes) -> bytes | None:
    """Returns the octets of a BODY or BINARY item: a request for ``BODY.PEEK[1]<0.64>`` is answered as ``BODY[1]<0>``.
    Returns None if the server says NIL or leaves the item out. Raises UpstreamProtocol if the row is unreadable."""
    value = row.get(item)
    if value is None and item.endswith(b"<0>"):
        value = row.get(item[:-3])  # some servers leave out an origin of zero
    if isinstance(value, list) or (value is None and UNREADABLE in row):
        raise _broken()
    return value


def header_fields(row: FetchResponse) -> bytes:
    """Returns the one BODY[HEADER.FIELDS (...)] of a row; servers differ in how they write the names of the fields."""
    blocks = (value for name, value in row.items() if name.startswith(b"BODY[HEADER.FIELDS"))
    return next((block for block in blocks if isinstance(block, bytes)), b"")


def version_of(row: FetchResponse) -> str | None:
    """Returns the MODSEQ, which servers write as ``(12)``."""
    match row.get(b"MODSEQ"):
        case [count] if (value := read_number(count)) is not None:
            return str(value)
    return None


async def found_uids(untagged: Iterable[bytes], most: int = MAX_FOUND) -> list[int]:
    """Returns the UIDs that UID SEARCH found, ascending, each once, from either form of answer. ``most`` is how many
    there may be: the number of messages in the folder."""
    uids: list[int] = []
    async for batch in _found(untagged, b"SEARCH", most):
        uids += batch
    return uids if all(map(lt, uids, islice(uids, 1, None))) else await ascending(uids)


async def sorted_uids(untagged: Iterable[bytes], most: int = MAX_FOUND) -> list[int]:
    """Returns the UIDs that UID SORT answers, in its order, each once."""
    uids: dict[int, None] = {}
    async for batch in _found(untagged, b"SORT", most):
        uids.update(dict.fromkeys(batch))
    return list(uids)


class _Allowance:
    """How many more UIDs there may be: they are counted before they are created."""

    def __init__(self, most: int) -> None:
        self._left = min(most + _SLACK, MAX_FOUND)

    def take(self, uids: int) -> None:
        self._left -= uids
        if self._left < 0:
            raise UpstreamProtocol("The mail server found more than it has, or than can be read.", protocol="imap")


async def _found(untagged: Iterable[bytes], verb: bytes, most: int) -> AsyncIterator[list[int]]:
    """Yields the UIDs of SEARCH, ESEARCH or SORT, in batches."""
    pace, allowance = Pace(), _Allowance(most)
    for response in untagged:
        if response[: len(verb)].upper() == verb and response[len(verb) : len(verb) + 1] in {b" ", b""}:
            batches = _plain_result(response, len(verb), allowance)
        elif match := _ESEARCH.match(response):
            batches = _extended_result(response[match.end() :], allowance)
        else:
            continue
        for uids in batches:
            yield uids
            if pace.is_due:
                await pace.turn()


def _plain_result(text: bytes, start: int, allowance: _Allowance) -> Iterator[list[int]]:
    """Yields the numbers up to ``(MODSEQ n)``, which ends the list (RFC 7162)."""
    end = text.find(b"(", start)
    end = len(text) if end < 0 else end
    allowance.take(text.count(b" ", start, end))
    for piece in _pieces(text, start, end, b" "):
        yield [uid for word in piece.split() if (uid := number(word, MAX_UID))]


def _extended_result(text: bytes, allowance: _Allowance) -> Iterator[list[int]]:
    words = iter(text.split(None, _MAX_WORDS))
    for name in words:
        value = next(words, b"")
        if name.upper() == b"ALL":
            for piece in _pieces(value, 0, len(value), b","):
                ranges = read_ranges(piece)
                allowance.take(count(ranges))
                uids = members(ranges)
                while batch := list(islice(uids, _BATCH)):
                    yield batch


def _pieces(text: bytes, start: int, end: int, separator: bytes) -> Iterator[bytes]:
    """Yields the text from ``start`` to ``end``, cut at separators into pieces of about two thousand numbers."""
    while start < end:
        stop = text.find(separator, min(start + _BATCH * 8, end), end)
        stop = end if stop < 0 else stop
        yield text[start:stop]
        start = stop + 1


class ListedFolder(NamedTuple):
    """A row of LIST: ``name`` as on the wire, attributes lower case."""

    name: bytes
    delimiter: str | None
    attributes: frozenset[str]


async def list_rows(untagged: Iterable[bytes], verb: bytes = b"LIST") -> list[ListedFolder]:
    """Returns the rows of LIST or LSUB, each name once. Rows that cannot be read are left out. Raises UpstreamProtocol
    if none can be read, and for more than ``MAX_FOLDERS``."""
    rows: dict[bytes, ListedFolder] = {}
    has_unreadable = False
    start = verb + b" "
    pace = Pace()
    for response in untagged:
        if pace.is_due:
            await pace.turn()
        if response[: len(start)].upper() != start or len(response) > _MAX_LISTED:
            continue
        if len(rows) >= MAX_FOLDERS:
            raise UpstreamProtocol(f"The mail server lists more than {MAX_FOLDERS} folders.", protocol="imap")
        row = listed_name(response, len(start))
        if row is None:
            has_unreadable = True
        elif len(row[2]) <= MAX_NAME:  # no id of a longer one fits into an address
            rows[row[2]] = _listed(*row)
    if has_unreadable and not rows:
        raise _broken()
    return list(rows.values())


def _listed(attributes: list[bytes], delimiter: Token, name: bytes) -> ListedFolder:
    words = frozenset(word.decode("ascii", "replace").lower() for word in attributes)
    shown = delimiter.decode(errors="replace") if isinstance(delimiter, bytes) and delimiter else None
    return ListedFolder(name, shown, words)


async def status_rows(untagged: Iterable[bytes]) -> dict[bytes, dict[bytes, int]]:
    """Returns the rows of STATUS by name. Values that are not numbers are left out."""
    rows: dict[bytes, dict[bytes, int]] = {}
    async for responses in slices(untagged):
        for response in responses:
            if response[:7].upper() == b"STATUS ":
                name, items = _status(response)
                pairs = ((key.upper(), read_number(value)) for key, value in zip(items[::2], items[1::2], strict=False))
                rows[name] = {key: value for key, value in pairs if value is not None}
    return rows


def _status(response: bytes) -> tuple[bytes, list[bytes]]:
    """Returns name and items. GNU mailutils never quotes the name, even if it has spaces or parentheses."""
    with suppress(UpstreamProtocol):
        match parse(response, 7):
            case [bytes() as name, list() as items]:
                return name, [item if isinstance(item, bytes) else b"" for item in items]
    bare = _BARE_STATUS.match(response)
    if bare is None:
        raise _broken()
    return bare[1], bare[2].split()


def _broken() -> UpstreamProtocol:
    return UpstreamProtocol("The mail server's answer contradicts itself.", protocol="imap")
