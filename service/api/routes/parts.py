"""The octets of parts and messages, streamed."""

from typing import Annotated

from fastapi import Query, Request, Response

from service.api.deps import Mailbox, PartMailbox
from service.api.downloads import BINARY, respond
from service.api.parameters import MessageId, PartId, request_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router

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
