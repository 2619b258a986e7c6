"""What a list or a search is asked with, from a request to the port's words."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from service.mail.errors import InvalidRequest
from service.mail.model import MessageSummary, Value
from service.mail.search.filter import (
    Condition,
    Criterion,
    Filter,
    HeaderText,
    ListQuery,
    Logic,
    Operator,
    Order,
    SortKey,
    check_filter,
)
from service.mail.search.grammar import parse_query

MAX_TEXT = 1000
MAX_CURSOR = 2000
MAX_FOLDERS = 1000
_FIELDS = {field.alias or name: name for name, field in MessageSummary.model_fields.items()}
_ALWAYS = frozenset({"id", "folder_id"})
_HEADER_NAME = re.compile(r"[!-9;-~]{1,200}\Z")


def _whole(text: str) -> str:
    text.encode()  # half a character (a lone surrogate) is a ValueError here
    return text


# The length comes first: what stands behind a validator is applied to what that made of the text.
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_whole)]
Day = Annotated[str, Field(max_length=10, json_schema_extra={"format": "date"}), AfterValidator(date.fromisoformat)]


def read_moment(text: str) -> date:
    """A day, or a moment with its offset (RFC 3339)."""
    if len(text) == 10:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, such as 2026-01-31T08:00:00Z")
    return moment


Size = Annotated[int, Field(ge=0, le=(1 << 63) - 1, json_schema_extra={"format": "int64"})]
Limit = Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})]
Moment = Annotated[str, Field(max_length=40), AfterValidator(read_moment)]


class Conditions(Value):
    """Criteria that a list and a search have in common. All that are given must hold."""

    text: Text | None = Field(None, description="Anywhere in headers or body.")
    from_: Text | None = Field(None, alias="from", description="In the From header.")
    to: Text | None = Field(None, description="In the To header.")
    cc: Text | None = Field(None, description="In the Cc header.")
    bcc: Text | None = Field(None, description="In the Bcc header.")
    subject: Text | None = Field(None, description="In the subject, any Unicode text.")
    body: Text | None = Field(None, description="In what a person reads of it.")
    has_keyword: str | None = Field(None, max_length=250, description="With this flag or keyword.")
    not_keyword: str | None = Field(None, max_length=250, description="Without this flag or keyword.")
    since: Moment | None = Field(
        None, description="Received on this day or later; with a time and offset, at that moment or later."
    )
    before: Moment | None = Field(None, description="Received before this day or moment.")
    sent_since: Day | None = Field(None, description="The Date header is of this day or later.")
    sent_before: Day | None = Field(None, description="The Date header is of a day before.")
    min_size: Size | None = Field(None, description="Octets, at least.")
    max_size: Size | None = Field(None, description="Octets, less than.")
    has_attachment: bool | None = Field(None, description="true: with an attachment; false: without.")
    unread: bool | None = Field(None, description="true: without `$seen`; false: with it.")
    flagged: bool | None = Field(None, description="true: with `$flagged`; false: without it.")

    def conditions(self) -> list[Filter]:
        """Those that are given."""
        found: list[Filter] = [
            Condition(criterion, value)
            for name, criterion in _SIMPLE.items()
            if (value := getattr(self, name)) is not None
        ]
        for value, keyword, has in ((self.unread, "$seen", False), (self.flagged, "$flagged", True)):
            if value is not None:
                found.append(Condition(Criterion.HAS_KEYWORD if value is has else Criterion.NOT_KEYWORD, keyword))
        return found


_SIMPLE = {
    name: Criterion(field.alias or name)
    for name, field in Conditions.model_fields.items()
    if name not in {"unread", "flagged"}
}


class Criteria(Conditions):
    """The query of a list."""

    limit: Limit = Field(50, description="Messages a page.")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR, description="`nextCursor` of the page before, with the same criteria and sort."
    )
    sort: str | None = Field(
        None,
        max_length=100,
        description="One or more of receivedAt, sentAt, from, to, subject, size, separated by commas, `-` before one"
        " for descending. Without it the newest arrival is first.",
    )
    fields: str | None = Field(
        None,
        max_length=300,
        description="Names of MessageSummary separated by commas: only these are answered, beside `id` and `folderId`."
        " `preview` and `threadId` are answered only where they are named here.",
    )
    header: Text | None = Field(
        None, description="`Name: text` of any header field; without a text, whether the field is there."
    )
    q: Text | None = Field(
        None, description='A search as people type it: `from:anna has:attachment -is:read after:2026-01-01 "due date"`.'
    )

    def query(self) -> ListQuery:
        """As the port is asked."""
        found = self.conditions()
        if self.header is not None:
            name, _, text = self.header.partition(":")
            found.append(header_condition(name.strip(), text.strip()))
        if self.q is not None:
            found.append(parse_query(self.q))
        return list_query(self, joined(found))


class SearchFilter(Conditions):
    """RFC 8621, 4.4.1: an operator with conditions, or the conditions themselves; all that is given must hold."""

    operator: str | None = Field(None, description="`AND`, `OR` or `NOT` (none of them holds); with `conditions`.")
    conditions_: tuple["SearchFilter", ...] | None = Field(
        None, alias="conditions", max_length=256, description="What the operator joins."
    )
    header: tuple[Text, ...] | None = Field(
        None, max_length=2, description="A header field's name, and the text it has if that matters."
    )
    after: Moment | None = Field(None, description="The same as `since`.")
    in_mailbox: str | None = Field(None, max_length=MAX_TEXT, description="In this folder, by id or role.")
    in_mailbox_other_than: tuple[str, ...] | None = Field(
        None, max_length=MAX_FOLDERS, description="In none of these folders."
    )
    all_in_thread_have_keyword: str | None = Field(
        None, max_length=250, description="All messages of its conversation in the same folder have this keyword."
    )
    some_in_thread_have_keyword: str | None = Field(None, max_length=250, description="At least one of them has it.")
    none_in_thread_have_keyword: str | None = Field(None, max_length=250, description="None of them has it.")

    def tree(self) -> Filter | None:
        """As the port is asked; None where nothing is given."""
        found = self.conditions()
        for name, criterion in _IN_SEARCH.items():
            if (value := getattr(self, name)) is not None:
                found.append(Condition(criterion, value))
        if self.header:
            found.append(header_condition(*self.header))
        if self.operator is not None:
            found.append(self._joined_by(self.operator))
        elif self.conditions_:
            raise InvalidRequest("Conditions need an operator: AND, OR or NOT.")
        return joined(found)

    def _joined_by(self, operator: str) -> Operator:
        if self.conditions_ is None:
            raise InvalidRequest("An operator needs conditions.")
        return Operator(_logic(operator), tuple(_trees(self.conditions_)))


_IN_SEARCH = {
    "after": Criterion.SINCE,
    "in_mailbox": Criterion.IN_FOLDER,
    "in_mailbox_other_than": Criterion.IN_FOLDER_OTHER_THAN,
    "all_in_thread_have_keyword": Criterion.ALL_IN_THREAD,
    "some_in_thread_have_keyword": Criterion.SOME_IN_THREAD,
    "none_in_thread_have_keyword": Criterion.NONE_IN_THREAD,
}


class SearchRequest(Value):
    """A search over one folder, several or all."""

    filter: SearchFilter | None = Field(None, description="Without it every message matches.")
    q: Text | None = Field(None, description="As people type it; beside `filter` both must hold.")
    folders: tuple[str, ...] | None = Field(
        None, max_length=MAX_FOLDERS, description="Ids or roles; without it, or any in it, all folders are searched."
    )
    limit: Limit = Field(50, description="Messages a page.")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR, description="`nextCursor` of the page before, with the same search."
    )
    sort: str | None = Field(None, max_length=100, description="As in a list; without it the newest is first.")
    fields: str | None = Field(None, max_length=300, description="As in a list.")

    def query(self) -> ListQuery:
        """As the port is asked."""
        found = [tree for tree in (self.filter.tree() if self.filter else None,) if tree]
        if self.q is not None:
            found.append(parse_query(self.q))
        return list_query(self, joined(found))


def list_query(asked: Criteria | SearchRequest, tree: Filter | None) -> ListQuery:
    """What both doors have in common."""
    if tree is not None:
        check_filter(tree)
    fields = field_names(asked.fields)
    return ListQuery(
        asked.limit,
        asked.cursor,
        tree,
        read_sort(asked.sort),
        with_preview="preview" in fields,
        with_thread="thread_id" in fields,
    )


def field_names(fields: str | None) -> set[str]:
    """The attributes of MessageSummary that are asked for, none where all are; InvalidRequest for an unknown one."""
    if fields is None:
        return set()
    asked = {name.strip() for name in fields.split(",") if name.strip()}
    if unknown := asked - _FIELDS.keys():
        raise InvalidRequest(f"fields: {min(unknown)[:50]} is none of {', '.join(_FIELDS)}.")
    return {_FIELDS[name] for name in asked} | _ALWAYS


def read_sort(sort: str | None) -> tuple[Order, ...]:
    """``-receivedAt,subject``; InvalidRequest for anything else."""
    orders = []
    for word in (sort or "").split(",") if sort else ():
        name = word.strip()
        try:
            orders.append(Order(SortKey(name.lstrip("+-")), name.startswith("-")))
        except ValueError:
            raise InvalidRequest(
                f"sort: {name[:50]!r} is none of {', '.join(SortKey)}, with - for descending."
            ) from None
    return tuple(orders)


def header_condition(name: str, text: str = "") -> Condition:
    """InvalidRequest for what is no header field's name (RFC 5322, 2.2)."""
    if not _HEADER_NAME.match(name):
        raise InvalidRequest("header: a field's name is ASCII letters, digits and signs without space and colon.")
    return Condition(Criterion.HEADER, HeaderText(name, text))


def joined(found: list[Filter]) -> Filter | None:
    """All of them must hold."""
    return found[0] if len(found) == 1 else Operator(Logic.AND, tuple(found)) if found else None


def _logic(operator: str) -> Logic:
    try:
        return Logic(operator.upper())
    except ValueError:
        raise InvalidRequest("filter.operator is AND, OR or NOT.") from None


def _trees(filters: Iterable[SearchFilter]) -> Iterable[Filter]:
    """An empty condition holds for every message."""
    return (one.tree() or Operator(Logic.AND, ()) for one in filters)


def shown_fields(fields: str | None) -> Any:
    """What pydantic's ``include`` of a Page is, so that rows have only these fields; None for all."""
    names = field_names(fields)
    return {name: ({"__all__": names} if name == "items" else True) for name in _PAGE} if names else None


_PAGE = ("items", "next_cursor", "total", "evaluated_by", "unsearched")
