"""Sending: a draft, or a message in one request."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from pydantic import ValidationError

from service.api.deps import service_of
from service.api.idempotency import Key
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routes.drafts import DraftId
from service.api.routing import api_router, invalid, read_json
from service.api.sending import Sender, Sending
from service.api.uploads import spooled
from service.mail.errors import InvalidRequest, TooLarge, UnsupportedMedia
from service.mail.submission.model import NewDraft, Submission
from service.submission.outbox import Options

_RESPONSES = problem_responses(
    *SIGNED_IN, "stale-id", "over-quota", "in-use", "already-done", "recipients-refused", "message-refused"
)
router = api_router(prefix="/v1/accounts/{account}", tags=["sending"], responses=_RESPONSES)
uploading = api_router(prefix="/v1/accounts/{account}", tags=["sending"], responses=_RESPONSES)
MAX_ADDRESS = 320
_MESSAGE = "From: ann@example.org\r\nTo: ben@example.org\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewDraft"}},
            "message/rfc822": {"schema": {"type": "string", "format": "binary"}, "example": _MESSAGE},
        },
    }
}
Partial = Annotated[
    bool, Query(description="Send to the other recipients if the mail server refuses some. By default nothing is sent.")
]
DryRun = Annotated[bool, Query(alias="dryRun", description="Send nothing: answer with the envelope and the size.")]
Dsn = Annotated[bool, Query(description="Ask for delivery status notifications (RFC 3461), if the server can.")]


@router.post("/drafts/{message}/send", response_model_exclude_none=True)
async def send_draft(
    sending: Sending,
    message: DraftId,
    partial: Partial = False,
    dry_run: DryRun = False,
    dsn: Dsn = False,
    idempotency_key: Key = None,
) -> Submission:
    """Send a draft, and move it to Sent. It leaves once, even if several requests or replicas try at the same time.

    After an error nothing was sent and the draft is as before. The exception is `upstream.code` `outcomeUnknown`: the
    link was lost after the last octet. Then the draft keeps `$submitpending`, and is not sent again by itself.
    """
    options = Options(partial=partial, dry_run=dry_run, notifies=dsn)
    return await sending.once(idempotency_key, lambda: sending.outbox().send(message, options))


@uploading.post(
    "/submissions",
    status_code=201,
    response_model_exclude_none=True,
    responses=problem_responses("unsupported-media-type"),
    openapi_extra=_BODY,
)
async def submit_message(
    sending: Sending,
    sender: Annotated[
        str | None, Query(alias="from", max_length=MAX_ADDRESS, description="The sender of a message/rfc822.")
    ] = None,
    to: Annotated[
        list[Annotated[str, Query(max_length=MAX_ADDRESS)]] | None,
        Query(max_length=1000, description="The recipients of a message/rfc822. By default those of its header."),
    ] = None,
    partial: Partial = False,
    dry_run: DryRun = False,
    dsn: Dsn = False,
    idempotency_key: Key = None,
) -> Submission:
    """Write and send a message in one request: a draft as JSON, or a complete message as `message/rfc822`, from which
    Bcc is removed. With `Idempotency-Key` it leaves once, to whichever replica and however often the request is
    sent."""
    options = Options(partial=partial, dry_run=dry_run, notifies=dsn)
    media_type = sending.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "message/rfc822":
        options = replace(options, sender=sender, recipients=tuple(to or ()))
        async with spooled(sending.request) as source:
            return await sending.once(
                idempotency_key,
                lambda: sending.dispatch.submit_source(source, options, sending.message_id(idempotency_key)),
                source.digest,
            )
    if media_type != "application/json":
        raise UnsupportedMedia("Send a draft as application/json, or a message as message/rfc822.")
    draft = await sending.addressed(await _draft(sending))
    return await sending.once(
        idempotency_key, lambda: sending.dispatch.submit(draft, options, sending.message_id(idempotency_key))
    )


async def _draft(sending: Sender) -> NewDraft:
    body = await sending.request.body()
    largest = service_of(sending.request).max_body_octets
    if len(body) > largest:
        raise TooLarge(f"A draft as JSON has at most {largest} octets. Attach files to a draft, or by reference.")
    try:
        return NewDraft.model_validate(read_json(body))
    except ValidationError as error:
        raise invalid("body", error) from None
    except (ValueError, RecursionError):
        raise InvalidRequest("This is not valid JSON.", location="body") from None
