"""The parameters of lists and searches, and their translation to the port's queries."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from service.api.parameters import encodable, in_any_zone
from service.mail.errors import InvalidField, InvalidRequest
from service.mail.model import MessageSummary, Value
from service.mail.search.filter import (
    MAX_CONDITIONS,
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
from service.mail.search.grammar.parser import parse_query

MAX_TEXT = 1000
MAX_CURSOR = 2000
MAX_FOLDERS = 1000
MAX_FILTERS = 1000
"""Filters in all, operators too."""
_FIELDS = {field.alias or name: name for name, field in MessageSummary.model_fields.items()}
_ALWAYS = frozenset({"id", "folder_id"})
_OPERATOR = "body.filter.operator"
_MORE = frozenset({"preview", "thread_id"})
_INCLUDABLE = {alias: name for alias, name in _FIELDS.items() if name in _MORE}
INCLUDE = "`preview`, `threadId`, or both separated by commas: adds them to the other fields."
_HEADER_NAME = re.compile(r"[!-9;-~]{1,200}\Z")


def read_day(text: str) -> date:
    """A date. Raises InvalidField for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidField("Send a date, such as 2026-01-31.") from None


def read_moment(text: str) -> date:
    """A date, or a time with an offset (RFC 3339). Raises InvalidField for anything else."""
    if len(text) == 10:
        return read_day(text)
    moment = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is not None:
        return in_any_zone(moment)
    raise InvalidField("Send a date, or a time with an offset, such as 2026-01-31T08:00:00Z.")


# The length comes first: constraints after a validator would apply to the validator's result.
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(encodable)]
Day = Annotated[str, Field(max_length=10, json_schema_extra={"format": "date"}), AfterValidator(read_day)]


Size = Annotated[int, Field(ge=0, le=(1 << 63) - 1, json_schema_extra={"format": "int64"})]
Limit = Annotated[int, Field(ge=1, le=200, json_schema_extra={"format": "int32"})]
Moment = Annotated[str, Field(max_length=40), AfterValidator(read_moment)]


class Conditions(Value):
    """The criteria that lists and searches share. A message matches if it meets all of them."""

    text: Text | None = Field(None, description="Text in any header field or in the body.")
    from_: Text | None = Field(None, alias="from", description="Text in the From header.")
    to: Text | None = Field(None, description="Text in the To header.")
    cc: Text | None = Field(None, description="Text in the Cc header.")
    bcc: Text | None = Field(None, description="Text in the Bcc header.")
    subject: Text | None = Field(None, description="Text in the subject.")
    body: Text | None = Field(None, description="Text in the readable body.")
    has_keyword: str | None = Field(None, max_length=250, description="The message has this flag or keyword.")
    not_keyword: str | None = Field(None, max_length=250, description="The message does not have this flag or keyword.")
    since: Moment | None = Field(
        None, description="Received on this date or later, or at this time or later. A time needs an offset (RFC 3339)."
    )
    before: Moment | None = Field(None, description="Received before this date or time.")
    sent_since: Day | None = Field(None, description="The date in the Date header is this date or later.")
    sent_before: Day | None = Field(None, description="The date in the Date header is before this date.")
    min_size: Size | None = Field(None, description="The minimum size in octets.")
    max_size: Size | None = Field(None, description="The size in octets is less than this.")
    has_attachment: bool | None = Field(None, description="true: with attachments. false: without.")
    unread: bool | None = Field(None, description="true: without `$seen`. false: with `$seen`.")
    flagged: bool | None = Field(None, description="true: with `$flagged`. false: without `$flagged`.")

    def conditions(self) -> list[Filter]:
        """The criteria of the request, as conditions."""
        conditions: list[Filter] = [
            Condition(criterion, value)
            for name, criterion in _SIMPLE.items()
            if (value := getattr(self, name)) is not None
        ]
        for value, keyword, has in ((self.unread, "$seen", False), (self.flagged, "$flagged", True)):
            if value is not None:
                criterion = Criterion.HAS_KEYWORD if value is has else Criterion.NOT_KEYWORD
                conditions.append(Condition(criterion, keyword))
        return conditions


_SIMPLE = {
    name: Criterion(field.alias or name)
    for name, field in Conditions.model_fields.items()
    if name not in {"unread", "flagged"}
}


class Criteria(Conditions):
    """The query parameters of a list."""

    limit: Limit = Field(50, description="The maximum number of messages on a page.")
    cursor: str | None = Field(
        None,
        max_length=MAX_CURSOR,
        description="`nextCursor` of the previous page. The criteria and the sort must be the same.",
    )
    sort: str | None = Field(
        None,
        max_length=100,
        description="One or more of receivedAt, sentAt, from, to, subject, size, separated by commas. A leading `-`"
        " means descending. Default: newest arrival first.",
    )
    fields: str | None = Field(
        None,
        max_length=300,
        description="Names of fields of MessageSummary, separated by commas. Only these are returned, with `id` and"
        " `folderId`. `preview` and `threadId` are returned only if they are named here or in `include`.",
    )
    include: str | None = Field(None, max_length=100, description=INCLUDE)
    header: Text | None = Field(
        None, description="`Name: text`: a header field contains the text. `Name` alone: the field exists."
    )
    q: Text | None = Field(
        None, description='A search text, such as `from:anna has:attachment -is:read after:2026-01-01 "due date"`.'
    )

    def query(self) -> ListQuery:
        """The port's query. Raises InvalidRequest for values that cannot be read."""
        filters = self.conditions()
        if self.header is not None:
            name, _, text = self.header.partition(":")
            filters.append(header_condition(name.strip(), text.strip()))
        if self.q is not None:
            filters.append(parse_query(self.q))
        return list_query(self, joined(filters))


class SearchFilter(Conditions):
    """A filter (RFC 8621, 4.4.1): an operator with conditions, or criteria. A message matches if it meets all of
    them."""

    operator: str | None = Field(
        None, description="How `conditions` are combined: `AND`, `OR`, or `NOT` (no condition matches)."
    )
    conditions_: tuple["SearchFilter", ...] | None = Field(
        None,
        alias="conditions",
        max_length=MAX_CONDITIONS,
        fail_fast=True,
        description="The filters that the operator combines.",
    )
    header: tuple[Text, ...] | None = Field(
        None,
        max_length=2,
        fail_fast=True,
        description="The name of a header field, and optionally a text that it contains.",
    )
    after: Moment | None = Field(None, description="Same as `since`.")
    in_mailbox: str | None = Field(None, max_length=MAX_TEXT, description="The message is in this folder (id or role).")
    in_mailbox_other_than: tuple[str, ...] | None = Field(
        None,
        max_length=MAX_FOLDERS,
        fail_fast=True,
        description="The message is in none of these folders (ids or roles).",
    )
    all_in_thread_have_keyword: str | None = Field(
        None, max_length=250, description="All messages of its conversation in the same folder have this keyword."
    )
    some_in_thread_have_keyword: str | None = Field(
        None, max_length=250, description="At least one message of its conversation has this keyword."
    )
    none_in_thread_have_keyword: str | None = Field(
        None, max_length=250, description="No message of its conversation has this keyword."
    )

    def tree(self) -> Filter | None:
        """The port's filter, None if it is empty. Raises InvalidRequest for values that cannot be read."""
        filters = self.conditions()
        for name, criterion in _IN_SEARCH.items():
            if (value := getattr(self, name)) is not None:
                filters.append(Condition(criterion, value))
        if self.header:
            filters.append(header_condition(*self.header))
        if self.operator is not None:
            filters.append(self._joined_by(self.operator))
        elif self.conditions_:
            raise InvalidRequest("`conditions` needs an operator: AND, OR or NOT.", location=_OPERATOR)
        return joined(filters)

    def _joined_by(self, operator: str) -> Operator:
        if self.conditions_ is None:
            raise InvalidRequest("An operator needs `conditions`.", location="body.filter.conditions")
        return Operator(_logic(operator), tuple(_trees(self.conditions_)))


_IN_SEARCH = {
    "after": Criterion.SINCE,
    "in_mailbox": Criterion.IN_FOLDER,
    "in_mailbox_other_than": Criterion.IN_FOLDER_OTHER_THAN,
    "all_in_thread_have_keyword": Criterion.ALL_IN_THREAD,
    "some_in_thread_have_keyword": Criterion.SOME_IN_THREAD,
    "none_in_thread_have_keyword": Criterion.NONE_IN_THREAD,
}


def _with_few_conditions(given: object) -> object:
    """A filter that is not made yet: to make a quarter of a million of them takes seconds."""
    count, pending = 0, [given]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            count += 1
            for below in (each.get("conditions"), each.get("conditions_")):
                pending += below[:MAX_CONDITIONS] if isinstance(below, list) else ()
        if count > MAX_FILTERS:
            raise InvalidField(f"A search has at most {MAX_CONDITIONS} conditions.")
    return given


FilterTree = Annotated[SearchFilter, BeforeValidator(_with_few_conditions)]


class SearchRequest(Value):
    """A search in one folder, several or all."""

    filter: FilterTree | None = Field(None, description="The filter. Default: every message matches.")
    q: Text | None = Field(None, description="A search text. With `filter` too, messages must match both.")
    folders: tuple[str, ...] | None = Field(
        None,
        max_length=MAX_FOLDERS,
        fail_fast=True,
        description="The folders to search (ids or roles). Absent or empty: all folders.",
    )
    limit: Limit = Field(50, description="The maximum number of messages on a page.")
    cursor: str | None = Field(
        None, max_length=MAX_CURSOR, description="`nextCursor` of the previous page. The search must be the same."
    )
    sort: str | None = Field(None, max_length=100, description="As in a list. Default: newest first.")
    fields: str | None = Field(None, max_length=300, description="As in a list.")
    include: str | None = Field(None, max_length=100, description="As in a list.")

    def query(self) -> ListQuery:
        """The port's query. Raises InvalidRequest for values that cannot be read."""
        tree = self.filter.tree() if self.filter else None
        filters = [tree] if tree else []
        if self.q is not None:
            filters.append(parse_query(self.q))
        return list_query(self, joined(filters))


def list_query(request: Criteria | SearchRequest, tree: Filter | None) -> ListQuery:
    """The port's query for a list or a search. Raises InvalidRequest for an unknown field or sort key."""
    if tree is not None:
        check_filter(tree)
    more = included(request.fields, request.include, "body" if isinstance(request, SearchRequest) else "query")
    return ListQuery(
        request.limit,
        request.cursor,
        tree,
        read_sort(request.sort),
        with_preview="preview" in more,
        with_thread="thread_id" in more,
    )


def included(fields: str | None, include: str | None, place: str = "query") -> frozenset[str]:
    """Which of ``preview`` and ``thread_id`` are asked for, in the ``query`` or the ``body``. Raises InvalidRequest for
    an unknown name."""
    names = {name.strip() for name in (include or "").split(",") if name.strip()}
    if names - _INCLUDABLE.keys():
        raise InvalidRequest(f"Send names of these: {', '.join(_INCLUDABLE)}.", location=f"{place}.include")
    return frozenset(_INCLUDABLE[name] for name in names) | (_MORE & field_names(fields, place))


def field_names(fields: str | None, place: str = "query") -> set[str]:
    """The requested attributes of MessageSummary; empty means all. Raises InvalidRequest for an unknown name."""
    if fields is None:
        return set()
    names = {name.strip() for name in fields.split(",") if name.strip()}
    if not names <= _FIELDS.keys():
        raise InvalidRequest(f"Send names of these fields: {', '.join(_FIELDS)}.", location=f"{place}.fields")
    return {_FIELDS[name] for name in names} | _ALWAYS


def read_sort(sort: str | None) -> tuple[Order, ...]:
    """The order that a text such as ``-receivedAt,subject`` means. Raises InvalidRequest for an unknown key."""
    orders = []
    for word in (sort or "").split(",") if sort else ():
        name = word.strip()
        try:
            orders.append(Order(SortKey(name.lstrip("+-")), name.startswith("-")))
        except ValueError:
            keys = ", ".join(SortKey)
            raise InvalidRequest(f"Send some of these: {keys}, with - for descending.", location="sort") from None
    return tuple(orders)


def header_condition(name: str, text: str = "") -> Condition:
    """A condition on a header field. Raises InvalidRequest if ``name`` is not a valid field name (RFC 5322, 2.2)."""
    if not _HEADER_NAME.match(name):
        raise InvalidRequest("header: a field name has 1 to 200 printable ASCII characters, without spaces and colons.")
    return Condition(Criterion.HEADER, HeaderText(name, text))


def joined(filters: list[Filter]) -> Filter | None:
    """A filter that requires all of ``filters``; None if there are none."""
    return filters[0] if len(filters) == 1 else Operator(Logic.AND, tuple(filters)) if filters else None


def _logic(operator: str) -> Logic:
    try:
        return Logic(operator.upper())
    except ValueError:
        raise InvalidRequest("filter.operator must be AND, OR or NOT.", location=_OPERATOR) from None


def _trees(filters: Iterable[SearchFilter]) -> Iterable[Filter]:
    """The port's filters. An empty filter matches every message."""
    return (each.tree() or Operator(Logic.AND, ()) for each in filters)


def row_fields(fields: str | None, include: str | None) -> set[str] | None:
    """The attributes of MessageSummary to be shown; None for all."""
    names = field_names(fields)
    return names | included(fields, include) if names else None


def shown_fields(fields: str | None, include: str | None) -> Any:
    """The ``include`` argument with which pydantic writes only these fields of a Page's messages; None for all."""
    names = row_fields(fields, include)
    return {name: ({"__all__": names} if name == "items" else True) for name in _PAGE} if names else None


_PAGE = ("items", "next_cursor", "total", "evaluated_by", "unsearched")
