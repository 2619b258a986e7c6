"""Append, copy and move messages, bulk actions, and emptying a folder."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

from fastapi import Query, Request, Response
from pydantic import Field, model_validator

from service.accounts.credentials import Credentials
from service.api.criteria import FilterTree
from service.api.deps import Caller, Mailbox, done_once, until_sent
from service.api.idempotency import Key
from service.api.parameters import FolderId, MessageId, Moment, response_headers
from service.api.problems import SIGNED_IN, Problem, problem_of, problem_responses
from service.api.responses import array_json, json_octets
from service.api.routes.transfers.other import OtherFolder, opened_other, other_of
from service.api.routing import api_router
from service.api.uploads import spooled
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, UnsupportedMedia
from service.mail.exchange import FoundMessages, Outcome
from service.mail.model import MAX_FLAGS, Count, Number, Value
from service.mail.search.filter import check_filter
from service.transfer.crossing import TARGET, cross

router = api_router(
    prefix="/v1/accounts/{account}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "stale-id", "over-quota"),
)
uploading = api_router(
    prefix="/v1/accounts/{account}",
    tags=["messages"],
    responses=problem_responses(*SIGNED_IN, "over-quota"),
)
MAX_BULK = 1000
MAX_FOUND = 10_000
"""Messages that a filter may match in one request."""
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})
MAX_ID = 3000
_MESSAGE = "From: Ann <ann@example.org>\r\nTo: ben@example.org\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"
_MESSAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}, "example": _MESSAGE}},
    }
}


class MessageRef(Value):
    """The id of a message after it was appended, moved or copied."""

    id: str | None = Field(None, description="The new id. Absent if the mail server does not report it.")


class TargetFolder(Value):
    """The folder that a message is moved or copied to."""

    folder_id: str = Field(min_length=1, max_length=MAX_ID, description="The folder's id or role.")


class BulkAction(StrEnum):
    """The action of a bulk request."""

    FLAGS = "flags"
    MOVE = "move"
    COPY = "copy"
    DELETE = "delete"


class BulkRequest(Value):
    """One action on many messages: on those with these ids, of one or several folders, or on all messages of a folder
    that match a filter."""

    ids: tuple[Annotated[str, Field(max_length=MAX_ID)], ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_BULK,
        fail_fast=True,
        description="The ids of the messages. Send either this or `filter`.",
    )
    filter: FilterTree | None = Field(
        None, description="In place of `ids`: the messages in `folderId` that match. An empty filter matches all."
    )
    action: BulkAction = Field(description="The action to apply to each message.")
    add: tuple[str, ...] = Field(
        (), max_length=MAX_FLAGS, fail_fast=True, description="With `flags`: the flags to set."
    )
    remove: tuple[str, ...] = Field(
        (), max_length=MAX_FLAGS, fail_fast=True, description="With `flags`: the flags to clear."
    )
    folder_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ID,
        description="A folder's id or role. With `ids`, and `move` or `copy`: the target. With `filter`: the folder"
        " that has the messages.",
    )
    to_folder_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_ID,
        description="With `filter`, and `move` or `copy`: the target folder's id or role.",
    )
    into: OtherFolder | None = Field(
        None, description="With `move` or `copy`, in place of a target folder: a folder of another mailbox."
    )

    @model_validator(mode="after")
    def _names_messages(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        if self.filter is None and self.to_folder_id is not None:
            raise ValueError("toFolderId is for filter; with ids, folderId is the target")
        if self.filter is not None and self.folder_id is None:
            raise ValueError("filter needs folderId, the folder that has the messages")
        takes_target = self.action in {BulkAction.MOVE, BulkAction.COPY}
        if self.into is not None and not (takes_target and self.target is None):
            raise ValueError("into is for move and copy, in place of a target folder")
        if takes_target and self.target is None and self.into is None:
            raise ValueError(f"{self.action} needs {'folderId' if self.filter is None else 'toFolderId'}")
        return self

    @property
    def target(self) -> str | None:
        """The folder to move or copy to."""
        return self.folder_id if self.filter is None else self.to_folder_id


class BulkResult(Value):
    """The result for one message of a bulk request."""

    id: str = Field(description="The id from the request.")
    status: Number = Field(description="The HTTP status that a request for this message alone would have.")
    new_id: str | None = Field(None, description="After `move` and `copy`: the new id, if the mail server reports it.")
    problem: Problem | None = Field(None, description="The reason, if the action failed.")


class BulkResponse(Value):
    """The results of a bulk request."""

    results: tuple[BulkResult, ...] = Field(
        description="One result for each id; with `filter`, for each message that matched, newest first."
    )
    has_more: bool | None = Field(
        None, description=f"With `filter`: true if more than {MAX_FOUND:,} messages match. Send the request again."
    )


@uploading.post(
    "/folders/{folder}/messages",
    status_code=201,
    response_model_exclude_none=True,
    openapi_extra=_MESSAGE_BODY,
    responses=problem_responses("unsupported-media-type") | {201: {"headers": response_headers("Location")}},
)
async def append_message(
    request: Request,
    response: Response,
    mailbox: Mailbox,
    folder: FolderId,
    flags: Annotated[
        list[str] | None,
        Query(
            max_length=MAX_FLAGS,
            description="The flags to set, repeated or separated by commas.",
            examples=[["$seen"]],
        ),
    ] = None,
    received_at: Annotated[
        Moment | None,
        Query(
            alias="receivedAt",
            description="The time at which the message was received. Default: now.",
            examples=["2026-09-01T08:00:00Z"],
        ),
    ] = None,
    idempotency_key: Key = None,
) -> MessageRef:
    """Store a message in a folder, byte for byte: a draft, a copy of a sent message, or a message from another mailbox.

    The service receives the whole message before it sends any of it to the mail server. With `Idempotency-Key`, a
    message that the folder already has is not stored again, even if another replica received the first request.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _MESSAGE_TYPES:
        raise UnsupportedMedia("Send the message with Content-Type: message/rfc822.")
    names = [name.strip() for value in flags or () for name in value.split(",") if name.strip()]
    async with spooled(request) as source:
        append = mailbox.append_message if idempotency_key is None else mailbox.append_once

        async def work() -> MessageRef:
            return MessageRef(id=await append(folder, source, names, received_at))

        appended = await done_once(request, mailbox, idempotency_key, work, source.digest)
    if appended.id is not None:
        response.headers["Location"] = f"/v1/accounts/me/messages/{appended.id}"
    return appended


@router.post("/messages/{message}/move", response_model_exclude_none=True)
async def move_message(
    request: Request,
    mailbox: Mailbox,
    message: MessageId,
    target: TargetFolder,
    idempotency_key: Key = None,
) -> MessageRef:
    """Move a message to another folder. At every moment it is in at least one of the two folders."""
    return await done_once(
        request,
        mailbox,
        idempotency_key,
        lambda: _only(mailbox.move_messages([message], target.folder_id, once=idempotency_key is not None)),
    )


@router.post("/messages/{message}/copy", response_model_exclude_none=True)
async def copy_message(
    request: Request,
    mailbox: Mailbox,
    message: MessageId,
    target: TargetFolder,
    idempotency_key: Key = None,
) -> MessageRef:
    """Copy a message to another folder, or to its own."""
    return await done_once(
        request, mailbox, idempotency_key, lambda: _only(mailbox.copy_messages([message], target.folder_id))
    )


@router.post("/messages/bulk", response_model=BulkResponse)
async def change_messages(
    request: Request, caller: Caller, mailbox: Mailbox, bulk: BulkRequest, idempotency_key: Key = None
) -> Response:
    """Apply one action to at most 1,000 messages, with one command for each folder; or to all messages of a folder that
    match a filter, such as `{"unread": true}` to mark all as read. Each message has its own result.

    With `into`, messages are copied or moved to another mailbox, unaltered, and new ids are of that one. A message is
    moved by deleting it here after its copy was read back with the same octets."""
    other = await _opened_other(request, caller, bulk)

    async def work() -> BulkResponse:
        found = await _found(mailbox, bulk)
        outcomes: list[Outcome] = []
        for at in range(0, len(found.ids), MAX_BULK):
            ids = found.ids[at : at + MAX_BULK]
            once = idempotency_key is not None
            if other is not None and bulk.into is not None:
                moves = bulk.action is BulkAction.MOVE
                outcomes += await cross(mailbox, ids, other, bulk.into.folder_id, moves=moves, once=once)
            else:
                outcomes += await _act(mailbox, bulk, ids, once=once)
        results = tuple([_result(request, outcome) async for outcome in _paced(outcomes)])
        return BulkResponse(results=results, has_more=found.has_more or None)

    done = await done_once(request, mailbox, idempotency_key, work)
    more = b',"hasMore":true' if done.has_more else b""
    return json_octets(b'{"results":%b%b}' % (await array_json(done.results), more))


async def _opened_other(request: Request, caller: Credentials, bulk: BulkRequest) -> Backend | None:
    """The mailbox of ``into``, until the response is sent."""
    if bulk.into is None:
        return None
    other = await other_of(request, bulk.into, TARGET)
    return await until_sent(request, opened_other(request, other, caller, TARGET))


async def _found(mailbox: Backend, bulk: BulkRequest) -> FoundMessages:
    """The messages that are meant."""
    if bulk.filter is None or bulk.folder_id is None:
        return FoundMessages(bulk.ids or ())
    await mailbox.check()
    tree = bulk.filter.tree()
    if tree is not None:
        check_filter(tree)
    return await mailbox.find_messages(bulk.folder_id, tree, MAX_FOUND)


async def _paced(outcomes: Sequence[Outcome]) -> AsyncIterator[Outcome]:
    """Thousands of them do not hold the event loop."""
    for number, outcome in enumerate(outcomes, 1):
        yield outcome
        if number % MAX_BULK == 0:
            await asyncio.sleep(0)


class EmptyFolderResult(Value):
    """The result of emptying a folder."""

    removed: Count = Field(description="The number of deleted messages.")


@router.post("/folders/{folder}/empty", response_model_exclude_none=True)
async def empty_folder(mailbox: Mailbox, folder: FolderId) -> EmptyFolderResult:
    """Delete all messages that are in the folder now, permanently. Messages that arrive meanwhile are kept."""
    return EmptyFolderResult(removed=await mailbox.empty_folder(folder))


async def _act(mailbox: Backend, bulk: BulkRequest, ids: Sequence[str], *, once: bool) -> Sequence[Outcome]:
    match bulk.action:
        case BulkAction.FLAGS:
            return await mailbox.change_many(ids, bulk.add, bulk.remove)
        case BulkAction.DELETE:
            return await mailbox.delete_messages(ids)
    if bulk.target is None:
        name = "folderId" if bulk.ids else "toFolderId"
        raise InvalidRequest(f"{bulk.action} needs {name}.", location=f"body.{name}")
    if bulk.action is BulkAction.MOVE:
        return await mailbox.move_messages(ids, bulk.target, once=once)
    return await mailbox.copy_messages(ids, bulk.target)


async def _only(work: Awaitable[Sequence[Outcome]]) -> MessageRef:
    [outcome] = await work
    if outcome.error:
        raise outcome.error
    return MessageRef(id=outcome.new_id)


def _result(request: Request, outcome: Outcome) -> BulkResult:
    if outcome.error is None:
        return BulkResult(id=outcome.id, status=200, new_id=outcome.new_id)
    problem = problem_of(request, outcome.error)
    return BulkResult(id=outcome.id, status=problem.status, problem=problem)
