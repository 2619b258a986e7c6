"""Lists of messages, and single messages."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from pydantic import Field

from service.api.criteria import INCLUDE, MAX_TEXT, Criteria, SearchRequest, included, row_fields, shown_fields
from service.api.deps import Mailbox
from service.api.openapi.examples import THREAD
from service.api.parameters import FolderId, MessageId
from service.api.part_links import with_links
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import (
    CACHEABLE,
    IF_NONE_MATCH,
    etag_matches,
    json_octets,
    json_response,
    list_etag,
    not_modified,
    page_response,
    strong_etag,
)
from service.api.routing import api_router, query_of, query_parameters
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest
from service.mail.json_rows import page_json
from service.mail.model import Header, HtmlMode, Message, MessageSummary, Page, Value

router = api_router(
    prefix="/v1/accounts/{account}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id"),
)
MAX_IDS = 200
_LIST = {"parameters": [*query_parameters(Criteria), *IF_NONE_MATCH["parameters"]]}
Html = Annotated[
    HtmlMode,
    Query(description="`safe` for sanitized HTML, `original` for the HTML as received (not safe to show), or `none`."),
]


Fields = Annotated[str | None, Query(max_length=300, description="As in a list.")]
Include = Annotated[str | None, Query(max_length=100, description=INCLUDE)]
ThreadId = Annotated[
    str,
    Path(alias="thread", max_length=1000, description="A `threadId` of a list.", examples=[THREAD]),
]


class HeaderList(Value):
    """The header fields of a message, in their order."""

    items: tuple[Header, ...] = Field(description="The header fields.")


class MessageList(Value):
    """The requested messages, in the order of the ids."""

    items: tuple[MessageSummary, ...] = Field(description="The messages.")
    not_found: tuple[str, ...] | None = Field(None, description="The ids of messages that do not exist.")


class ThreadMessages(Value):
    """The messages of a conversation, oldest first."""

    items: tuple[MessageSummary, ...] = Field(description="The messages.")
    unsearched: tuple[str, ...] | None = Field(
        None, description="The ids of folders that were not searched, or not completely. Absent if all were searched."
    )


@router.get("/folders/{folder}/messages", response_model=Page, responses=CACHEABLE, openapi_extra=_LIST)
async def list_messages(
    request: Request, mailbox: Mailbox, folder: FolderId, criteria: Annotated[Criteria, Depends(query_of(Criteria))]
) -> Response:
    """A page of the messages in a folder, newest arrival first, or of those that match the criteria. Use `nextCursor`
    to get the next page.

    With If-None-Match it is answered 304 if nothing in the folder has changed. If the mail server supports CONDSTORE,
    that costs one round trip and reads no messages.
    """
    query = criteria.query()
    condition = request.headers.get("if-none-match", "")
    if condition and (state := await mailbox.get_state(folder)) is not None:
        etag = list_etag(request, mailbox.account, state)
        if etag_matches(condition, etag):
            return not_modified({"ETag": etag})
    page = await mailbox.list_messages(folder, query)
    current = list_etag(request, mailbox.account, page.state) if page.state is not None else None
    return page_response(request, page, current, shown_fields(criteria.fields, criteria.include))


@router.get("/messages/{message}", response_model=Message, responses=CACHEABLE, openapi_extra=IF_NONE_MATCH)
async def get_message(request: Request, mailbox: Mailbox, message: MessageId, html: Html = HtmlMode.SAFE) -> Response:
    """A message with its body and MIME structure. `html` is sanitized, unless the request has `html=original`.

    Images within the message (`cid:`) become links that work without signing in until the day is over; such a message
    is never answered 304. The ETag is for `If-Match` when changing flags. It is present if the mail server supports
    CONDSTORE.
    """
    content = await mailbox.get_message(message, html)
    shown = with_links(request, content) if html is HtmlMode.SAFE else content
    etag = strong_etag(content.version) if content.version is not None else None
    # The links that a client has may have ended, so a message with links has no tag that could be 304.
    response = json_response(request, shown, etag if shown is content else None)
    if etag is None:
        del response.headers["ETag"]  # one of the body could not be used with If-Match
    else:
        response.headers["ETag"] = etag
    return response


@router.post("/search", response_model=Page)
async def search_messages(request: Request, mailbox: Mailbox, search: SearchRequest) -> Response:
    """Search one folder, several or all. The results are merged, newest first or as `sort` says.

    Criteria that the mail server cannot evaluate are evaluated by the service; `evaluatedBy` says which of them did it.
    The search is limited in time: `unsearched` names folders that were not searched, or not completely. The results
    are correct even then.
    """
    page = await mailbox.search_messages(search.folders or None, search.query())
    return json_octets(page_json(page, shown_fields(search.fields, search.include)))


@router.get("/messages", response_model=MessageList, responses=CACHEABLE, openapi_extra=IF_NONE_MATCH)
async def get_messages(
    request: Request,
    mailbox: Mailbox,
    id: Annotated[  # noqa: A002
        list[str],
        Query(
            min_length=1,
            max_length=MAX_IDS,
            description="The ids of the messages, as a repeated parameter.",
            examples=[["m_E_LKNKfd6mIAAAFFSU5CT1g"]],
        ),
    ],
    fields: Fields = None,
    include: Include = None,
) -> Response:
    """Several messages at once, in the order of `?id=…&id=…`."""
    more = included(fields, include)
    messages = await mailbox.get_messages(id, with_preview="preview" in more, with_thread="thread_id" in more)
    existing = {message.id for message in messages}
    missing = tuple(each[:MAX_TEXT] for each in dict.fromkeys(id) if each not in existing)
    found = MessageList(items=tuple(messages), not_found=missing or None)
    return json_response(request, found, include=_shown(fields, include))


@router.get("/threads/{thread}", response_model=ThreadMessages, responses=CACHEABLE, openapi_extra=IF_NONE_MATCH)
async def list_thread(
    request: Request, mailbox: Mailbox, thread: ThreadId, fields: Fields = None, include: Include = None
) -> Response:
    """The messages of a conversation in all folders, oldest first: what was received and what was sent."""
    page = await mailbox.list_thread(thread)
    items: Sequence[MessageSummary] = page.items
    if "preview" in included(fields, include):
        rows = {row.id: row for row in await _with_previews(mailbox, items)}
        items = [rows.get(row.id, row) for row in items]
    found = ThreadMessages(items=tuple(items), unsearched=page.unsearched)
    return json_response(request, found, include=_shown(fields, include))


async def _with_previews(mailbox: Backend, items: Sequence[MessageSummary]) -> list[MessageSummary]:
    rows: list[MessageSummary] = []
    for at in range(0, len(items), MAX_IDS):
        ids = [row.id for row in items[at : at + MAX_IDS]]
        rows += await mailbox.get_messages(ids, with_preview=True, with_thread=True)
    return rows


def _shown(fields: str | None, include: str | None) -> Any:
    names = row_fields(fields, include)
    return {"items": {"__all__": names}, "not_found": True, "unsearched": True} if names else None


@router.get("/messages/{message}/headers", response_model_exclude_none=True)
async def list_headers(
    mailbox: Mailbox,
    message: MessageId,
    name: Annotated[
        list[str] | None,
        Query(
            max_length=50, description="Return only fields of these names. Case-insensitive.", examples=[["Received"]]
        ),
    ] = None,
) -> HeaderList:
    """The header fields of a message in their order, including repeated ones."""
    if any(len(each) > MAX_TEXT for each in name or ()):
        raise InvalidRequest(f"A header field's name has at most {MAX_TEXT} characters.", location="query.name")
    return HeaderList(items=await mailbox.list_headers(message, name or ()))


@router.delete("/messages/{message}", status_code=204)
async def delete_message(mailbox: Mailbox, message: MessageId) -> None:
    """Delete a message permanently. To move it to the trash, use move with the role `trash`."""
    [outcome] = await mailbox.delete_messages([message])
    if outcome.error:
        raise outcome.error
