"""Folders, their access control lists, and the quota."""

from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field

from service.api.deps import Mailbox, done_once
from service.api.idempotency import Key
from service.api.parameters import FolderId, response_headers
from service.api.problems import SIGNED_IN, problem_responses
from service.api.responses import CACHEABLE, IF_NONE_MATCH, items_response
from service.api.routing import api_router
from service.mail.model import Folder, Grant, Quota, Value

router = api_router(
    prefix="/v1/accounts/{account}",
    tags=["folders"],
    responses=problem_responses(*SIGNED_IN, "already-exists"),
)
MAX_NAME = 1000
Identifier = Annotated[
    str,
    Path(max_length=MAX_NAME, description="The server's name of a user or group.", examples=["ben@example.org"]),
]


class FolderList(Value):
    """All folders, the inbox first."""

    items: tuple[Folder, ...] = Field(description="The folders.")


class NewFolder(Value):
    """A folder to create."""

    name: str = Field(
        min_length=1, max_length=MAX_NAME, description="The name in Unicode, without the server's hierarchy delimiter."
    )
    parent_id: str | None = Field(
        None, min_length=1, description="The id or role of the parent folder. Default: the root."
    )


class FolderPatch(Value):
    """Changes to a folder. Fields that are absent stay unchanged."""

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME, description="The new name in Unicode.")
    parent_id: str | None = Field(
        None, description="The id or role of the new parent folder. An empty string means the root."
    )
    is_subscribed: bool | None = Field(None, description="Whether the user is subscribed to the folder.")


class GrantList(Value):
    """The access control list of a folder (RFC 4314)."""

    items: tuple[Grant, ...] = Field(description="One entry for each user or group that has rights.")


class GrantRights(Value):
    """The rights to give to a user or group."""

    rights: str = Field(
        max_length=50,
        description="Letters as in Grant, such as `lrs` to read or `lrswite` to write too. Empty: no rights.",
    )


class QuotaList(Value):
    """The quotas of a mailbox."""

    items: tuple[Quota, ...] = Field(description="The quotas.")


@router.get("/folders", response_model=FolderList, responses=CACHEABLE, openapi_extra=IF_NONE_MATCH)
async def list_folders(request: Request, mailbox: Mailbox) -> Response:
    """All folders of the mailbox with their message counts, including those of other users and public ones."""
    return await items_response(request, await mailbox.list_folders())


@router.post(
    "/folders",
    status_code=201,
    response_model_exclude_none=True,
    responses={201: {"headers": response_headers("Location")}},
)
async def create_folder(
    request: Request, response: Response, mailbox: Mailbox, new: NewFolder, idempotency_key: Key = None
) -> Folder:
    """Create a folder and subscribe to it."""
    folder = await done_once(request, mailbox, idempotency_key, lambda: mailbox.create_folder(new.name, new.parent_id))
    response.headers["Location"] = f"/v1/accounts/me/folders/{folder.id}"
    return folder


@router.get("/folders/{folder}", response_model_exclude_none=True)
async def get_folder(mailbox: Mailbox, folder: FolderId) -> Folder:
    """A folder, by id or role."""
    return await mailbox.get_folder(folder)


@router.patch("/folders/{folder}", response_model_exclude_none=True)
async def change_folder(mailbox: Mailbox, folder: FolderId, change: FolderPatch) -> Folder:
    """Rename a folder, move it with everything in it, subscribe or unsubscribe. If the name or the parent changes, so
    do its id and the ids of the messages and folders in it."""
    return await mailbox.change_folder(
        folder, name=change.name, parent=change.parent_id, is_subscribed=change.is_subscribed
    )


@router.delete("/folders/{folder}", status_code=204)
async def delete_folder(mailbox: Mailbox, folder: FolderId) -> None:
    """Delete a folder and its messages, permanently. 409 `already-exists` if it has subfolders: delete those first."""
    await mailbox.delete_folder(folder)


@router.get("/folders/{folder}/acl", response_model_exclude_none=True)
async def list_grants(mailbox: Mailbox, folder: FolderId) -> GrantList:
    """The rights of users and groups on a folder (RFC 4314)."""
    return GrantList(items=await mailbox.list_grants(folder))


@router.put("/folders/{folder}/acl/{identifier}", response_model_exclude_none=True)
async def set_grant(mailbox: Mailbox, folder: FolderId, identifier: Identifier, rights: GrantRights) -> Grant:
    """Give a user or group exactly these rights. Returns the rights that the server then reports."""
    return await mailbox.set_grant(folder, identifier, rights.rights)


@router.delete("/folders/{folder}/acl/{identifier}", status_code=204)
async def delete_grant(mailbox: Mailbox, folder: FolderId, identifier: Identifier) -> None:
    """Remove all rights of a user or group."""
    await mailbox.delete_grant(folder, identifier)


@router.get("/quota", response_model_exclude_none=True)
async def list_quotas(mailbox: Mailbox) -> QuotaList:
    """The quotas of the mailbox: limits and amounts in use (RFC 9208)."""
    return QuotaList(items=await mailbox.list_quotas())
