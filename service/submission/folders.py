"""The folders that sending uses, messages found in them by their Message-ID, and drafts removed."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from service.mail.backend import Backend
from service.mail.errors import AlreadyExists, MailError, NotFound
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
    return [row for row in await find_with(mailbox, folder, "Message-ID", message_id) if row.message_id == message_id]


async def find_with(mailbox: Backend, folder: str, field: str, text: str) -> list[MessageSummary]:
    """The messages of the folder that have this text in this header field, newest arrival first. As ``find``."""
    condition = Condition(Criterion.HEADER, HeaderText(field, text))
    try:
        return list((await mailbox.list_messages(folder, ListQuery(_LOOKED_AT, filter=condition))).items)
    except NotFound:
        return []


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


async def remove(mailbox: Backend, draft: str) -> bool:
    """Remove a draft; whether it is gone. A server without UIDPLUS cannot remove one message; there it is marked as
    deleted."""
    try:
        [outcome] = await mailbox.delete_messages([draft])
        error = outcome.error
    except MailError as refusal:
        error = refusal
    if error is None or isinstance(error, NotFound):
        return True
    with suppress(MailError):
        await mailbox.change_flags(draft, ["$deleted"], [])
    return False
