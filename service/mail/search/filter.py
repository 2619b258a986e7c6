"""A search as data: the filter tree of RFC 8621 (4.4.1), and the parameters of a list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from service.mail.errors import InvalidRequest

MAX_DEPTH = 32
MAX_CONDITIONS = 256
MAX_PAGE = 200
"""Messages of a page of a list."""


class Criterion(StrEnum):
    """What a condition looks at. The value's type stands beside it."""

    TEXT = "text"  # str, anywhere in headers or body
    FROM = "from"  # str
    TO = "to"  # str
    CC = "cc"  # str
    BCC = "bcc"  # str
    SUBJECT = "subject"  # str
    BODY = "body"  # str
    HEADER = "header"  # HeaderText
    HAS_KEYWORD = "hasKeyword"  # str, a flag's name as in MessageSummary.flags
    NOT_KEYWORD = "notKeyword"  # str
    ALL_IN_THREAD = "allInThreadHaveKeyword"  # str; a thread is what of it lies in the same folder
    SOME_IN_THREAD = "someInThreadHaveKeyword"  # str
    NONE_IN_THREAD = "noneInThreadHaveKeyword"  # str
    SINCE = "since"  # date, received on it or later; datetime (aware), received then or later
    BEFORE = "before"  # date, received before it; datetime (aware), received earlier than then
    SENT_SINCE = "sentSince"  # date, of the Date header as written, in any zone
    SENT_BEFORE = "sentBefore"  # date
    MIN_SIZE = "minSize"  # int, octets, at least
    MAX_SIZE = "maxSize"  # int, octets, less than
    HAS_ATTACHMENT = "hasAttachment"  # bool
    IN_FOLDER = "inMailbox"  # str, a folder's id or role
    SERVER_THREAD = "serverThread"  # HeaderText, the server's word for its thread ids, and one of them
    IN_FOLDER_OTHER_THAN = "inMailboxOtherThan"  # tuple of such


@dataclass(frozen=True, slots=True)
class HeaderText:
    """A header field by name, and the text it has; empty text asks only whether the field is there."""

    name: str
    text: str = ""


Operand: TypeAlias = str | int | date | HeaderText | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One criterion with the value it is compared to; text is matched as a part, letter case aside."""

    criterion: Criterion
    value: Operand


class Logic(StrEnum):
    """How an operator joins its conditions. NOT: none of them holds."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


@dataclass(frozen=True, slots=True)
class Operator:
    """Conditions joined."""

    logic: Logic
    conditions: tuple["Filter", ...]


Filter: TypeAlias = Condition | Operator


class SortKey(StrEnum):
    """What a list may be sorted by (RFC 5256, 3; RFC 8621, 4.4.2)."""

    RECEIVED_AT = "receivedAt"
    SENT_AT = "sentAt"
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Order:
    """One key of a sort."""

    key: SortKey
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a page of a list: ``limit`` is 1 to 200, ``filter`` None means every message, ``sort`` empty
    the newest arrival first. Previews and thread ids cost more, so they are asked for."""

    limit: int = 50
    cursor: str | None = None
    filter: Filter | None = None
    sort: tuple[Order, ...] = ()
    with_preview: bool = False
    with_thread: bool = False


def names_thread(name: str) -> Filter:
    """Holds for all messages of a thread that is known by the oldest Message-ID which they name, and for some others
    too."""
    fields = ("Message-ID", "References", "In-Reply-To")
    return Operator(Logic.OR, tuple(Condition(Criterion.HEADER, HeaderText(field, name)) for field in fields))


def check_filter(tree: Filter) -> None:
    """InvalidRequest for a tree too deep or too wide to be evaluated."""
    level: list[Filter] = [tree]
    for _ in range(MAX_DEPTH):
        level = [below for node in level if isinstance(node, Operator) for below in node.conditions]
        if len(level) > MAX_CONDITIONS:
            raise InvalidRequest(f"A search has at most {MAX_CONDITIONS} conditions.")
        if not level:
            return
    raise InvalidRequest(f"A search nests at most {MAX_DEPTH} deep.")


def conditions(tree: Filter) -> Iterator[Condition]:
    """Every condition of the tree, left to right."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Condition):
            yield node
        else:
            pending.extend(reversed(node.conditions))
