"""Drafts: written, changed, answered and forwarded, with attachments by reference."""

from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import Field

from service.api.deps import service_of
from service.api.idempotency import Key
from service.api.parameters import MessageId, PartId, response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router
from service.api.sending import Sender, Sending
from service.api.uploads import spooled_content
from service.mail.model import Header, HtmlMode, Message, Value
from service.mail.submission.model import Attachment, DraftRef, Identity, NewDraft
from service.submission.drafts import answering
from service.submission.letter import ANSWERED, FORWARDED
from service.submission.replies.drafts import forward, reply

_RESPONSES = problem_responses(*SIGNED_IN, "stale-id", "over-quota", "in-use")
router = api_router(prefix="/v1/accounts/{account}", tags=["drafts"], responses=_RESPONSES)
uploading = api_router(prefix="/v1/accounts/{account}", tags=["drafts"], responses=_RESPONSES)
DraftId = Annotated[
    str, Path(alias="message", description="The id of a draft.", examples=["m_E_LKNI-7jFkAAAAByRHJhZnRz"])
]
_LISTS = ("Mail-Followup-To", "List-Post")
_CREATED: dict[int | str, dict[str, Any]] = {201: {"headers": response_headers("Location")}}
_CONTENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "the octets of the file",
            }
        },
    }
}


class IdentityList(Value):
    """The addresses that the account sends from."""

    items: tuple[Identity, ...] = Field(description="The identities, the default one first.")


class ReplyRequest(NewDraft):
    """A reply. What is given replaces what is made from the original: recipients, subject, quoted text."""

    all: bool = Field(False, description="Whether all recipients of the original get the reply.")


class ForwardRequest(NewDraft):
    """A forward. What is given replaces what is made from the original: subject, quoted text, attachments."""

    as_: Annotated[str, Field(alias="as", pattern="^(inline|attachment)$")] = Field(
        "inline",
        description="`inline`: with quoted text and the attachments; `attachment`: with the whole message attached.",
    )


class AttachmentRef(Value):
    """A draft after a file was attached."""

    id: str = Field(description="The new id of the draft.")
    part_id: str = Field(description="The id of the part.")


class ChangedDraft(Value):
    """A draft after an attachment was removed."""

    id: str = Field(description="The new id of the draft.")


@router.get("/identities", response_model_exclude_none=True)
async def list_identities(sending: Sending) -> IdentityList:
    """The addresses that the account sends from: those of its settings, else its username if that is an address. A
    draft that names no sender is from the first; a reply, from the one that the original was sent to."""
    identities = service_of(sending.request).identities
    return IdentityList(items=await identities.read(sending.mailbox, sending.credentials.username))


@router.post("/drafts", status_code=201, response_model_exclude_none=True, responses=_CREATED)
async def create_draft(response: Response, sending: Sending, draft: NewDraft, idempotency_key: Key = None) -> DraftRef:
    """Write a draft into Drafts. Any mail program can go on with it."""

    async def work() -> DraftRef:
        addressed = await sending.addressed(draft)
        return await sending.drafts.create(addressed, message_id=sending.message_id(idempotency_key))

    return _located(response, await sending.once(idempotency_key, work))


@router.get("/drafts/{message}", response_model_exclude_none=True)
async def get_draft(sending: Sending, message: DraftId) -> NewDraft:
    """A draft in the form in which drafts are written. Its attachments refer to its own parts, so all of it can be sent
    back."""
    return await sending.drafts.read(message)


@router.patch("/drafts/{message}", response_model_exclude_none=True)
async def change_draft(sending: Sending, message: DraftId, draft: NewDraft, idempotency_key: Key = None) -> DraftRef:
    """Replace the given fields of a draft; the others stay. If only one of `text` and `html` is given, the other one
    is made from it or removed. The draft gets a new id and keeps its Message-ID; the old id is no longer valid."""
    return await sending.once(idempotency_key, lambda: sending.drafts.change(message, draft))


@uploading.post(
    "/drafts/{message}/attachments",
    status_code=201,
    response_model_exclude_none=True,
    responses=problem_responses("unsupported-media-type"),
    openapi_extra=_CONTENT,
)
async def attach_file(
    sending: Sending,
    message: DraftId,
    name: Annotated[str | None, Query(max_length=1000, description="The file name.")] = None,
    disposition: Annotated[
        str, Query(pattern="^(attachment|inline)$", description="`inline` for images that the HTML shows by `cid:`.")
    ] = "attachment",
    cid: Annotated[str | None, Query(max_length=500, description="The Content-ID, without angle brackets.")] = None,
    idempotency_key: Key = None,
) -> AttachmentRef:
    """Attach a file to a draft. The body is its octets, with any Content-Type. The draft gets a new id."""
    media_type = sending.request.headers.get("content-type", "application/octet-stream")[:255]
    async with spooled_content(sending.request) as content:
        attachment = Attachment(content="", type=media_type, name=name, disposition=disposition, cid=cid)

        async def work() -> AttachmentRef:
            reference, part = await sending.drafts.attach(message, content, attachment)
            return AttachmentRef(id=reference.id, part_id=part)

        return await sending.once(idempotency_key, work, content.digest)


@router.delete("/drafts/{message}/attachments/{part}", response_model_exclude_none=True)
async def detach_file(sending: Sending, message: DraftId, part: PartId) -> ChangedDraft:
    """Remove an attachment from a draft. The draft gets a new id."""
    return ChangedDraft(id=(await sending.drafts.detach(message, part)).id)


@router.post("/messages/{message}/reply", status_code=201, response_model_exclude_none=True, responses=_CREATED)
async def reply_to_message(
    response: Response, sending: Sending, message: MessageId, given: ReplyRequest, idempotency_key: Key = None
) -> DraftRef:
    """Write a reply as a draft: recipients by Reply-To, Mail-Followup-To and lists without the own addresses, the
    subject with one prefix, In-Reply-To and References (RFC 5322, 3.6.4), and the quoted text. Once it is sent, the
    original gets `$answered`."""

    async def work() -> DraftRef:
        original, headers = await _original(sending, message)
        draft = reply(original, all=given.all, own=await _own(sending), given=_given(given), headers=headers)
        draft = await sending.addressed(draft, original)
        thread = answering(original, ANSWERED)
        return await sending.drafts.create(draft, message_id=sending.message_id(idempotency_key), thread=thread)

    return _located(response, await sending.once(idempotency_key, work))


@router.post("/messages/{message}/forward", status_code=201, response_model_exclude_none=True, responses=_CREATED)
async def forward_message(
    response: Response, sending: Sending, message: MessageId, given: ForwardRequest, idempotency_key: Key = None
) -> DraftRef:
    """Write a forward as a draft. The attachments of the original are copied by the service. Once it is sent, the
    original gets `$forwarded`."""

    async def work() -> DraftRef:
        original = await sending.mailbox.get_message(message, HtmlMode.SAFE)
        draft = forward(original, as_attachment=given.as_ == "attachment", given=_given(given))
        draft = await sending.addressed(draft, original)
        thread = answering(original, FORWARDED)
        return await sending.drafts.create(draft, message_id=sending.message_id(idempotency_key), thread=thread)

    return _located(response, await sending.once(idempotency_key, work))


async def _original(sending: Sender, message: str) -> tuple[Message, tuple[Header, ...]]:
    original = await sending.mailbox.get_message(message, HtmlMode.SAFE)
    return original, await sending.mailbox.list_headers(message, _LISTS)


async def _own(sending: Sender) -> list[str]:
    author = sending.author
    return [*(identity.email for identity in await sending.identities()), *([author.email] if author else [])]


def _given(request: NewDraft) -> NewDraft:
    """The fields of a draft that were given, without those of the request alone."""
    return NewDraft(**{name: value for name, value in request.given.items() if name in NewDraft.model_fields})


def _located(response: Response, draft: DraftRef) -> DraftRef:
    response.headers["Location"] = f"/v1/accounts/me/drafts/{draft.id}"
    return draft
