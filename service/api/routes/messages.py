"""Lists of messages, and single ones."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.api.criteria import MAX_TEXT, Criteria, SearchRequest, shown_fields
from service.api.deps import Mailbox
from service.api.parameters import FolderId, MessageId
from service.api.part_links import with_links
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import IF_NONE_MATCH, KEPT, json_answer, list_tag, matches, not_modified, page_answer
from service.mail.errors import InvalidRequest
from service.mail.model import Header, HtmlMode, Message, MessageSummary, Page, Value

router = APIRouter(
    prefix="/v1/accounts/{account}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id"),
)
MAX_IDS = 200
Html = Annotated[
    HtmlMode, Query(description="`safe` to show, `original` as in the mail, which is not safe, or `none` of it.")
]


class HeaderList(Value):
    """Header fields in the order of the message."""

    items: tuple[Header, ...] = Field(description="The header fields.")


class MessageList(Value):
    """Rows of the messages asked for, in the order asked."""

    items: tuple[MessageSummary, ...] = Field(description="The rows.")
    not_found: tuple[str, ...] | None = Field(None, description="Ids that name no message, or no longer.")


@router.get("/folders/{folder}/messages", response_model=Page, responses=KEPT, openapi_extra=IF_NONE_MATCH)
async def list_messages(
    request: Request, mailbox: Mailbox, folder: FolderId, criteria: Annotated[Criteria, Query()]
) -> Response:
    """A page of a folder, newest arrival first, or what matches the criteria. Follow `nextCursor` for the rest.

    Answers If-None-Match with 304 where nothing in the folder changed; on servers that count changes (CONDSTORE) for
    one round trip and no rows.
    """
    query = criteria.query()
    condition = request.headers.get("if-none-match", "")
    if condition and (state := await mailbox.get_state(folder)) is not None:
        tag = list_tag(request, mailbox.account, state)
        if matches(condition, tag):
            return not_modified({"ETag": tag})
    page = await mailbox.list_messages(folder, query)
    kept = list_tag(request, mailbox.account, page.state) if page.state is not None else None
    return page_answer(request, page, kept, shown_fields(criteria.fields))


@router.post("/search", response_model=Page)
async def search_messages(request: Request, mailbox: Mailbox, search: SearchRequest) -> Response:
    """A search over one folder, several or all, merged, newest first or as `sort` says.

    Whatever the server cannot decide itself is decided here, and `evaluatedBy` says so. The search is bounded in time:
    folders that could not be searched, or not to their end, are named in `unsearched`, and what was found is right.
    """
    page = await mailbox.search_messages(search.folders or None, search.query())
    return page_answer(request, page, None, shown_fields(search.fields))


@router.get("/messages", response_model_exclude_none=True)
async def get_messages(
    mailbox: Mailbox,
    id: Annotated[  # noqa: A002
        list[str],
        Query(
            min_length=1,
            max_length=MAX_IDS,
            description="Ids of messages, repeated.",
            examples=[["m_E_LKNKfd6mIAAAFFSU5CT1g"]],
        ),
    ],
) -> MessageList:
    """Several rows at once, in the order of `?id=…&id=…`."""
    found = await mailbox.get_messages(id)
    there = {row.id for row in found}
    missing = tuple(one[:MAX_TEXT] for one in dict.fromkeys(id) if one not in there)
    return MessageList(items=tuple(found), not_found=missing or None)


@router.get("/messages/{message}", response_model=Message, responses=KEPT, openapi_extra=IF_NONE_MATCH)
async def get_message(request: Request, mailbox: Mailbox, message: MessageId, html: Html = HtmlMode.SAFE) -> Response:
    """A message with body and structure. `html` is safe to show, unless `html=original` asks for the source.

    Images of the mail itself (`cid:`) are links that open for some minutes without signing in. The ETag is for
    `If-Match` on its flags, where the server counts changes.
    """
    found = await mailbox.get_message(message, html)
    tag = f'"{found.version}"' if found.version is not None else None
    if tag and matches(request.headers.get("if-none-match", ""), tag):
        return not_modified({"ETag": tag})
    if html is HtmlMode.SAFE:
        found = with_links(request, found)
    answer = json_answer(request, found, tag)
    if tag is None:
        del answer.headers["ETag"]
    return answer


@router.get("/messages/{message}/headers", response_model_exclude_none=True)
async def list_headers(
    mailbox: Mailbox,
    message: MessageId,
    name: Annotated[
        list[str] | None, Query(max_length=50, description="Only these, letter case aside.", examples=[["Received"]])
    ] = None,
) -> HeaderList:
    """The header fields in order, repeated ones too."""
    if any(len(one) > MAX_TEXT for one in name or ()):
        raise InvalidRequest(f"A header's name has at most {MAX_TEXT} characters.")
    return HeaderList(items=await mailbox.list_headers(message, name or ()))


@router.delete("/messages/{message}", status_code=204)
async def delete_message(mailbox: Mailbox, message: MessageId) -> None:
    """Remove the message for good. Moving it to the trash is a move."""
    [outcome] = await mailbox.delete_messages([message])
    if outcome.error:
        raise outcome.error
