"""The folders that sending uses, and messages found in them by their Message-ID."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.mail.backend import Backend
from service.mail.errors import AlreadyExists, NotFound
from service.mail.model import MessageSummary
from service.mail.search.filter import Condition, Criterion, HeaderText, ListQuery

T = TypeVar("T")
DRAFTS, SENT = "drafts", "sent"
_NAMES = {DRAFTS: "Drafts", SENT: "Sent"}
_LOOKED_AT = 20
"""Messages with the same Message-ID that are looked at: more of them cannot be an accident."""


async def find(mailbox: Backend, folder: str, message_id: str) -> list[MessageSummary]:
    """The messages of the folder with exactly this Message-ID, newest arrival first. Two or three round trips. None if
    there is no such folder."""
    condition = Condition(Criterion.HEADER, HeaderText("Message-ID", message_id))
    try:
        page = await mailbox.list_messages(folder, ListQuery(_LOOKED_AT, filter=condition))
    except NotFound:
        return []
    return [row for row in page.items if row.message_id == message_id]


async def within(mailbox: Backend, role: str, work: Callable[[str], Awaitable[T]]) -> T:
    """Do the work with the folder of this role, which is created if the mailbox has none."""
    try:
        return await work(role)
    except NotFound as error:
        if error.what != "folder":
            raise
    try:
        folder = (await mailbox.create_folder(_NAMES[role])).id
    except AlreadyExists:  # another request was faster
        folder = role
    return await work(folder)
