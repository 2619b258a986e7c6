"""The octets of parts and messages, streamed."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from service.accounts.tokens import part_link_end
from service.api.deps import Mailbox, PartMailbox, session_of
from service.api.downloads import BINARY, respond
from service.api.parameters import MessageId, PartId, request_headers
from service.api.part_links import part_link
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router
from service.mail.errors import NotFound
from service.mail.model import Value

router = api_router(
    prefix="/v1/accounts/{account}/messages/{message}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id", "range-not-satisfiable"),
)
Inline = Annotated[
    bool,
    Query(
        description="Send Content-Disposition `inline`, if the type cannot run code: images, sound, video, plain text."
    ),
]
_READ = request_headers("Range", "If-Range", "If-None-Match")


@router.get("/parts/{part}", response_class=Response, responses=BINARY, openapi_extra=_READ)
async def get_part(
    request: Request,
    mailbox: PartMailbox,
    message: MessageId,
    part: PartId,
    encoded: Annotated[bool, Query(description="Return the octets as stored, without decoding.")] = False,
    inline: Inline = False,
) -> Response:
    """The decoded octets of a part. HEAD, Range and If-None-Match are supported."""
    return await respond(
        request, lambda span: mailbox.open_part(message, part, encoded=encoded, span=span), inline=inline
    )


class PartTicket(Value):
    """A link to a part that needs no sign-in."""

    url: str = Field(description="The link, with a ticket for this part of this message alone.")
    expires_at: datetime = Field(description="The time at which it ends. Until then the same link is given again.")


@router.get("/parts/{part}/ticket")
async def get_part_ticket(
    request: Request, response: Response, mailbox: Mailbox, message: MessageId, part: PartId,
    inline: Inline = False,
) -> PartTicket:  # fmt: skip
    """A link that opens a part without a sign-in: for a download by the system, or for another app. It ends with the
    day, or with the session."""
    if not await mailbox.get_messages([message]):
        raise NotFound("message")
    response.headers["Cache-Control"] = "private, no-store"
    expires = part_link_end(of=session_of(request))
    url = part_link(request, message, part, inline=inline)
    return PartTicket(url=url, expires_at=datetime.fromtimestamp(expires, UTC))


@router.get("/source", response_class=Response, responses=BINARY, openapi_extra=_READ)
async def get_source(request: Request, mailbox: Mailbox, message: MessageId) -> Response:
    """The message byte for byte, as `message/rfc822`. HEAD, Range and If-None-Match are supported."""
    return await respond(request, lambda span: mailbox.open_source(message, span=span))


@router.head("/parts/{part}", include_in_schema=False)
async def head_part(
    request: Request,
    mailbox: PartMailbox,
    message: MessageId,
    part: PartId,
    encoded: bool = False,
    inline: bool = False,
) -> Response:
    """As GET, without the octets."""
    return await get_part(request, mailbox, message, part, encoded, inline)


@router.head("/source", include_in_schema=False)
async def head_source(request: Request, mailbox: Mailbox, message: MessageId) -> Response:
    """As GET, without the octets."""
    return await get_source(request, mailbox, message)
