"""Lists of messages, and single ones."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.api.caller import Mailbox
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.errors import InvalidRequest
from service.mail.model import Header, HtmlForm, Message, Page, Value
from service.mail.query import Condition, Criterion, Filter, ListQuery, Logic, Operator

router = APIRouter(
    prefix="/v1/accounts/{account}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id", "not-supported"),
)
MAX_TEXT = 1000
_WITH_VALUE = {
    "text": Criterion.TEXT,
    "from_": Criterion.FROM,
    "to": Criterion.TO,
    "subject": Criterion.SUBJECT,
    "since": Criterion.SINCE,
    "before": Criterion.BEFORE,
    "has_keyword": Criterion.HAS_KEYWORD,
}


class Criteria(Value):
    """What a page of a list is asked with: all criteria given must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    limit: int = Field(50, ge=1, le=200, description="Messages a page.")
    cursor: str | None = Field(
        None, max_length=MAX_TEXT, description="`nextCursor` of the page before, with the same criteria."
    )
    text: str | None = Field(None, max_length=MAX_TEXT, description="Anywhere in headers or body.")
    from_: str | None = Field(None, alias="from", max_length=MAX_TEXT, description="In the From header.")
    to: str | None = Field(None, max_length=MAX_TEXT, description="In the To header.")
    subject: str | None = Field(None, max_length=MAX_TEXT, description="In the subject, any Unicode text.")
    since: date | None = Field(None, description="Received on this day or later.")
    before: date | None = Field(None, description="Received before this day.")
    unread: bool | None = Field(None, description="true: without `$seen`; false: with it.")
    flagged: bool | None = Field(None, description="true: with `$flagged`; false: without it.")
    has_keyword: str | None = Field(None, max_length=250, description="With this flag or keyword.")

    def query(self) -> ListQuery:
        """As the port is asked."""
        return ListQuery(self.limit, self.cursor, self._filter())

    def _filter(self) -> Filter | None:
        found = [
            Condition(criterion, value)
            for name, criterion in _WITH_VALUE.items()
            if (value := getattr(self, name)) is not None
        ]
        for value, keyword, has in ((self.unread, "$seen", False), (self.flagged, "$flagged", True)):
            if value is not None:
                found.append(Condition(Criterion.HAS_KEYWORD if value is has else Criterion.NOT_KEYWORD, keyword))
        return Operator(Logic.AND, tuple(found)) if found else None


class Headers(Value):
    """Header fields in the order of the message."""

    items: tuple[Header, ...]


@router.get("/folders/{folder}/messages", response_model_exclude_none=True)
async def list_messages(mailbox: Mailbox, folder: str, criteria: Annotated[Criteria, Query()]) -> Page:
    """A page of a folder, newest arrival first. Follow `nextCursor` for the rest."""
    return await mailbox.list_messages(folder, criteria.query())


@router.get("/messages/{message}", response_model_exclude_none=True)
async def get_message(mailbox: Mailbox, message: str, html: HtmlForm = HtmlForm.SAFE) -> Message:
    """A message with body and structure. `html` is safe to show, unless `html=original` asks for the source."""
    return await mailbox.get_message(message, html)


@router.get("/messages/{message}/headers", response_model_exclude_none=True)
async def list_headers(
    mailbox: Mailbox,
    message: str,
    name: Annotated[list[str] | None, Query(max_length=50, description="Only these, letter case aside.")] = None,
) -> Headers:
    """The header fields in order, repeated ones too."""
    if any(len(one) > MAX_TEXT for one in name or ()):
        raise InvalidRequest(f"A header's name has at most {MAX_TEXT} characters.")
    return Headers(items=await mailbox.list_headers(message, name or ()))


@router.delete("/messages/{message}", status_code=204)
async def delete_message(mailbox: Mailbox, message: str) -> None:
    """Remove the message for good. Moving it to the trash is a move."""
    [outcome] = await mailbox.delete_messages([message])
    if outcome.error:
        raise outcome.error
