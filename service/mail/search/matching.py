"""Applies filters and sort orders to messages, for those that a server does not support.

Text is compared as i;unicode-casemap does (RFC 5051), which is what servers have, so that the result is the same
as the server's: ``ÉTÉ`` and ``été``, composed or not, and full-width letters are alike, while ``ß`` is not
``ss``. White space of any length and kind is one space. What is not known of a message does not hold.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache

from service.mail.model import Address, Header, MessageSummary
from service.mail.search.filter import Condition, Criterion, Filter, HeaderText, Logic, SortKey, conditions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """What is known of a message. None is a value that was not needed, or that the message does not have.

    ``from_``, ``to``, ``cc`` and ``bcc`` are the decoded text of those header fields (``address_text`` makes it of
    addresses), ``text`` what a person reads of the body, ``folder`` the id and the role of where it lies.
    """

    flags: tuple[str, ...] = ()
    size: int | None = None
    received_at: datetime | None = None
    sent_at: datetime | None = None
    has_attachment: bool | None = None
    subject: str | None = None
    from_: str | None = None
    to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    headers: tuple[Header, ...] | None = None
    text: str | None = None
    folder: tuple[str, ...] = ()


class Need(StrEnum):
    """What has to be known of a message for a condition to be decided, from cheap to dear."""

    FLAGS = "flags"
    ROW = "row"  # size, dates, subject and addresses
    STRUCTURE = "structure"  # has_attachment
    HEADERS = "headers"
    BODY = "body"  # text


_NEEDS: dict[Criterion, tuple[Need, ...]] = {
    Criterion.TEXT: (Need.HEADERS, Need.BODY),
    Criterion.BODY: (Need.BODY,),
    Criterion.HEADER: (Need.HEADERS,),
    Criterion.HAS_KEYWORD: (Need.FLAGS,),
    Criterion.NOT_KEYWORD: (Need.FLAGS,),
    Criterion.ALL_IN_THREAD: (Need.FLAGS,),
    Criterion.SOME_IN_THREAD: (Need.FLAGS,),
    Criterion.NONE_IN_THREAD: (Need.FLAGS,),
    Criterion.HAS_ATTACHMENT: (Need.STRUCTURE,),
    Criterion.IN_FOLDER: (),
    Criterion.IN_FOLDER_OTHER_THAN: (),
}


def needs(tree: Filter) -> frozenset[Need]:
    """What ``holds`` looks at. A folder is always known."""
    return frozenset(need for each in conditions(tree) for need in _NEEDS.get(each.criterion, (Need.ROW,)))


def holds(tree: Filter, known: KnownMessage) -> bool:
    """Raises ValueError for a condition on threads, which a single message cannot decide: the caller replaces it
    first."""
    return _holds(tree, _Texts(known))


def octets_of(known: KnownMessage) -> int:
    """About how much there is to compare."""
    texts = (known.subject, known.from_, known.to, known.cc, known.bcc, known.text)
    return sum(len(text) for text in texts if text) + sum(len(each.value) for each in known.headers or ())


def address_text(addresses: Iterable[Address]) -> str | None:
    """Addresses as a header field has them, decoded. None if there are none."""
    return ", ".join(f"{each.name} <{each.email}>" if each.name else each.email for each in addresses) or None


def casemap(text: str) -> str:
    """What i;unicode-casemap compares (RFC 5051, 2): each character in title case, then decomposed (NFKD)."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", text.translate(_title_case()))


@cache
def _title_case() -> dict[int, str]:
    """The simple mappings of UnicodeData.txt. Python knows the full ones, whose longer results are not of RFC 5051."""
    pairs = ((point, chr(point).title()) for point in range(0x20000))
    return {point: title for point, title in pairs if len(title) == 1 and ord(title) != point}


def _folded(text: str | None) -> str | None:
    return None if text is None else casemap(_FOLDS.sub(" ", text))


_FOLDS = re.compile(r"\s+")


class _Texts:
    """A message whose texts are folded when they are first asked for, and once, however many conditions ask."""

    def __init__(self, known: KnownMessage) -> None:
        self.known = known
        self._folded: dict[Criterion, str | None] = {}

    def has(self, criterion: Criterion, text: str) -> bool:
        if criterion not in self._folded:
            self._folded[criterion] = self._fold(criterion)
        folded = self._folded[criterion]
        return folded is not None and (_folded(text) or "") in folded

    def _fold(self, criterion: Criterion) -> str | None:
        known = self.known
        match criterion:
            case Criterion.TEXT:
                return "\n".join(filter(None, map(_folded, self._all())))
            case Criterion.BODY:
                return _folded(known.text)
            case Criterion.SUBJECT:
                return _folded(known.subject)
        return _folded({"from": known.from_, "to": known.to, "cc": known.cc, "bcc": known.bcc}[criterion])

    def _all(self) -> Iterable[str | None]:
        """Fields with their names, as RFC 9051 (6.4.4) has it, and the body."""
        known = self.known
        if known.headers is None:
            return known.from_, known.to, known.cc, known.bcc, known.subject, known.text
        return *(f"{each.name}: {each.value}" for each in known.headers), known.text


def _holds(tree: Filter, texts: _Texts) -> bool:
    if isinstance(tree, Condition):
        return _decide(tree, texts)
    results = (_holds(each, texts) for each in tree.conditions)
    match tree.logic:
        case Logic.AND:
            return all(results)
        case Logic.OR:
            return any(results)
    return not any(results)


def _decide(condition: Condition, texts: _Texts) -> bool:
    known, criterion, value = texts.known, condition.criterion, condition.value
    match value:
        case bool():
            return known.has_attachment is value
        case int():
            return known.size is not None and (known.size >= value) is (criterion is Criterion.MIN_SIZE)
        case date():
            return _is_dated(criterion, value, known)
        case HeaderText():
            return _has_header(value, known)
        case tuple():
            return not any(folder in known.folder for folder in value)
    return _decide_text(criterion, value, texts)


def _decide_text(criterion: Criterion, value: str, texts: _Texts) -> bool:
    match criterion:
        case Criterion.HAS_KEYWORD:
            return value.lower() in texts.known.flags
        case Criterion.NOT_KEYWORD:
            return value.lower() not in texts.known.flags
        case Criterion.IN_FOLDER:
            return value in texts.known.folder
        case Criterion.ALL_IN_THREAD | Criterion.SOME_IN_THREAD | Criterion.NONE_IN_THREAD:
            raise ValueError(f"{criterion} is not decided by one message")
    return texts.has(criterion, value)


def _has_header(wanted: HeaderText, known: KnownMessage) -> bool:
    name, text = wanted.name.lower(), _folded(wanted.text) or ""
    return any(each.name.lower() == name and text in (_folded(each.value) or "") for each in known.headers or ())


def _is_dated(criterion: Criterion, when: date, known: KnownMessage) -> bool:
    """A moment is compared to the moment. A day is compared to the day of receipt in UTC, which is the zone that
    ``received_at`` is shown in (servers take their own), and to the day that is written in the Date header, in any
    zone (RFC 9051, 6.4.4)."""
    is_sent = criterion in {Criterion.SENT_SINCE, Criterion.SENT_BEFORE}
    moment = known.sent_at if is_sent else known.received_at
    if moment is None:
        return False
    if isinstance(when, datetime):
        is_later = moment >= when
    else:
        is_later = (moment if is_sent else moment.astimezone(UTC)).date() >= when
    return is_later is (criterion in {Criterion.SINCE, Criterion.SENT_SINCE})


def sort_value(key: SortKey, row: MessageSummary) -> tuple[int, str]:
    """What rows are ordered by, ascending (RFC 5256, 3). Rows of equal value stay in the order they arrived in.

    Addresses count by the local part of the first one, subjects without what replies and lists add, sent dates in UTC,
    with the date of receipt if there is none (2.2). What is not known comes first.
    """
    match key:
        case SortKey.SIZE:
            return row.size or 0, ""
        case SortKey.RECEIVED_AT:
            return _moment(row.received_at), ""
        case SortKey.SENT_AT:
            return _moment(row.sent_at or row.received_at), ""
        case SortKey.SUBJECT:
            return 0, casemap(base_subject(row.subject or ""))
    first = next(iter(row.from_ if key is SortKey.FROM else row.to), None)
    return 0, casemap(first.email.rpartition("@")[0] or first.email) if first else ""


def _moment(when: datetime | None) -> int:
    """Microseconds, so that all keys are of one type."""
    return (when - _EPOCH) // timedelta(microseconds=1) if when else -(2**63)


_BLOBS = re.compile(r"(?>(?:\[[^\[\]]*+\]\s*+)*)")
_REPLY = re.compile(r"(?:re|fwd?)\s*+(?:\[[^\[\]]*+\]\s*+)?:\s*+", re.IGNORECASE)
_FORWARD = "[fwd:"
_TRAILER = "(fwd)"


def base_subject(subject: str) -> str:
    """The subject without reply and forward marks and list labels, by which replies are found (RFC 5256, 2.1).

    The subject is decoded already. Linear: the ends move inwards over one text.
    """
    text = " ".join(subject.split())
    start, stop = 0, len(text)
    while True:
        stop = _without_trailers(text, start, stop)
        start = _behind_leaders(text, start, stop)
        if not (_is(text, start, start + len(_FORWARD), _FORWARD) and text.endswith("]", start, stop)):
            return text[start:stop]
        start, stop = start + len(_FORWARD), stop - 1
        while start < stop and text[start] == " ":
            start += 1


def _without_trailers(text: str, start: int, stop: int) -> int:
    while stop > start:
        if text[stop - 1] == " ":
            stop -= 1
        elif stop - start >= len(_TRAILER) and _is(text, stop - len(_TRAILER), stop, _TRAILER):
            stop -= len(_TRAILER)
        else:
            break
    return stop


def _is(text: str, start: int, stop: int, word: str) -> bool:
    return text[start:stop].lower() == word


def _behind_leaders(text: str, start: int, stop: int) -> int:
    """Behind labels in brackets and reply marks. Labels that no reply mark follows go as long as something is left."""
    while True:
        labels = _BLOBS.match(text, start, stop)
        assert labels is not None
        reply = _REPLY.match(text, labels.end(), stop)
        if reply is not None:
            start = reply.end()
        elif labels.end() < stop:
            return labels.end()
        else:
            return max(start, text.rfind("[", start, stop))
