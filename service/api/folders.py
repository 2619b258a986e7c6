"""Folders."""

from fastapi import APIRouter

from service.api.caller import Mailbox
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.model import Folder, Value

router = APIRouter(prefix="/v1/accounts/{account}/folders", tags=["folders"], responses=problem_responses(*SIGNED_IN))


class Folders(Value):
    """All folders, the inbox first."""

    items: tuple[Folder, ...]


@router.get("", response_model_exclude_none=True)
async def list_folders(mailbox: Mailbox) -> Folders:
    """Every folder of the mailbox with its counts."""
    return Folders(items=await mailbox.list_folders())


@router.get("/{folder}", response_model_exclude_none=True)
async def get_folder(mailbox: Mailbox, folder: str) -> Folder:
    """One folder, by id or by role."""
    return await mailbox.get_folder(folder)
