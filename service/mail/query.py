"""A search as data: the filter tree of RFC 8621 (4.4.1), and what a list is asked with."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

MAX_DEPTH = 32
MAX_CONDITIONS = 256


class Criterion(StrEnum):
    """What a condition looks at. The value's type stands beside it."""

    TEXT = "text"  # str, anywhere in headers or body
    FROM = "from"  # str
    TO = "to"  # str
    CC = "cc"  # str
    BCC = "bcc"  # str
    SUBJECT = "subject"  # str
    BODY = "body"  # str
    HAS_KEYWORD = "hasKeyword"  # str, a flag's name as in MessageSummary.flags
    NOT_KEYWORD = "notKeyword"  # str
    SINCE = "since"  # date, received on it or later
    BEFORE = "before"  # date, received before it
    SENT_SINCE = "sentSince"  # date, of the Date header
    SENT_BEFORE = "sentBefore"  # date
    MIN_SIZE = "minSize"  # int, octets, at least
    MAX_SIZE = "maxSize"  # int, octets, less than


@dataclass(frozen=True, slots=True)
class Condition:
    """One criterion with the value it is compared to; text is matched as a part, letter case aside."""

    criterion: Criterion
    value: str | int | date


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


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a page of a list is asked with: ``limit`` is 1 to 200, ``filter`` None means every message."""

    limit: int = 50
    cursor: str | None = None
    filter: Filter | None = None


def conditions(tree: Filter) -> Iterator[Condition]:
    """Every condition of the tree, left to right."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Condition):
            yield node
        else:
            pending.extend(reversed(node.conditions))
