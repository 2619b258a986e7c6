"""Folders: what there is, made, renamed, moved and removed, and who may do what with them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from service.api.deps import Caller, Mailbox, service_of
from service.api.idempotency import Key, fingerprint
from service.api.parameters import FolderId, response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import IF_NONE_MATCH, KEPT, items_answer
from service.mail.model import Folder, Grant, Quota, Value

router = APIRouter(
    prefix="/v1/accounts/{account}",
    tags=["folders"],
    responses=problem_responses(*SIGNED_IN, "already-exists"),
)
MAX_NAME = 1000
Identifier = Annotated[
    str,
    Path(max_length=MAX_NAME, description="A user or group as the server names them.", examples=["ben@example.org"]),
]


class FolderList(Value):
    """All folders, the inbox first."""

    items: tuple[Folder, ...] = Field(description="The folders.")


class NewFolder(Value):
    """A folder to be made."""

    name: str = Field(min_length=1, max_length=MAX_NAME, description="In Unicode, without the server's delimiter.")
    parent_id: str | None = Field(None, min_length=1, description="Where; without it at the root.")


class FolderPatch(Value):
    """What is to become of a folder. What is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME, description="The new name, in Unicode.")
    parent_id: str | None = Field(None, description="The folder to move it into; empty for the root.")
    is_subscribed: bool | None = Field(None, description="Whether the user chooses to see it.")


class GrantList(Value):
    """Who may do what with a folder."""

    items: tuple[Grant, ...] = Field(description="One for each user or group with rights.")


class GrantRights(Value):
    """Letters as in Grant; empty takes all away."""

    rights: str = Field(max_length=50, description="Such as `lrs` to read, `lrswite` to write as well.")


class QuotaList(Value):
    """The limits on a mailbox."""

    items: tuple[Quota, ...] = Field(description="One for each limit.")


@router.get("/folders", response_model=FolderList, responses=KEPT, openapi_extra=IF_NONE_MATCH)
async def list_folders(request: Request, mailbox: Mailbox) -> Response:
    """Every folder of the mailbox with its counts, other users' and public ones too. Answers If-None-Match."""
    return await items_answer(request, await mailbox.list_folders())


@router.post(
    "/folders",
    status_code=201,
    response_model_exclude_none=True,
    responses={201: {"headers": response_headers("Location")}},
)
async def create_folder(
    request: Request, response: Response, caller: Caller, mailbox: Mailbox, new: NewFolder, idempotency_key: Key = None
) -> Folder:
    """Make a folder, and subscribe to it."""
    body = await request.body() if idempotency_key is not None else b""
    folder = await service_of(request).idempotency.once(
        caller.account,
        idempotency_key,
        fingerprint(request, body),
        lambda: mailbox.create_folder(new.name, new.parent_id),
    )
    response.headers["Location"] = f"/v1/accounts/me/folders/{folder.id}"
    return folder


@router.get("/folders/{folder}", response_model_exclude_none=True)
async def get_folder(mailbox: Mailbox, folder: FolderId) -> Folder:
    """One folder, by id or by role."""
    return await mailbox.get_folder(folder)


@router.patch("/folders/{folder}", response_model_exclude_none=True)
async def change_folder(mailbox: Mailbox, folder: FolderId, change: FolderPatch) -> Folder:
    """Rename, move with all that is in it, subscribe. With name or parent its id changes, and those of the messages
    and folders in it."""
    return await mailbox.change_folder(
        folder, name=change.name, parent=change.parent_id, is_subscribed=change.is_subscribed
    )


@router.delete("/folders/{folder}", status_code=204)
async def delete_folder(mailbox: Mailbox, folder: FolderId) -> None:
    """Remove the folder with its messages, for good. Folders in it have to go first."""
    await mailbox.delete_folder(folder)


@router.get("/folders/{folder}/acl", response_model_exclude_none=True)
async def list_grants(mailbox: Mailbox, folder: FolderId) -> GrantList:
    """Who may do what with the folder (RFC 4314)."""
    return GrantList(items=await mailbox.list_grants(folder))


@router.put("/folders/{folder}/acl/{identifier}", response_model_exclude_none=True)
async def set_grant(mailbox: Mailbox, folder: FolderId, identifier: Identifier, rights: GrantRights) -> Grant:
    """Give a user or group exactly these rights; answers what the server made of them."""
    return await mailbox.set_grant(folder, identifier, rights.rights)


@router.delete("/folders/{folder}/acl/{identifier}", status_code=204)
async def delete_grant(mailbox: Mailbox, folder: FolderId, identifier: Identifier) -> None:
    """Take all rights from a user or group."""
    await mailbox.delete_grant(folder, identifier)


@router.get("/quota", response_model_exclude_none=True)
async def list_quotas(mailbox: Mailbox) -> QuotaList:
    """How much room there is (RFC 9208)."""
    return QuotaList(items=await mailbox.list_quotas())
