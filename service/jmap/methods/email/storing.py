"""New Emails stored: created from their parts, imported, or copied."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import rows_of
from service.jmap.core.arguments import read_utc
from service.jmap.core.errors import SetError, invalid_properties
from service.jmap.core.limits import MAX_MAILBOXES
from service.jmap.values.blob_ids import email_blob
from service.jmap.values.emails import thread_of
from service.mail.errors import MailError, NotFound, UpstreamError
from service.mail.exchange import Source

MAX_KEYWORD = 255
_LOST = "The message was stored, but the mail server does not say where."


async def folders_of(account: Account, value: Any) -> list[str]:
    """The folders of ``mailboxIds``. Raises invalidProperties unless there is one at least and all exist."""
    if not isinstance(value, dict) or not value or any(each is not True for each in value.values()):
        raise invalid_properties("mailboxIds", why="An Email is in one mailbox at least.")
    if len(value) > MAX_MAILBOXES:
        raise SetError("tooManyMailboxes")
    folders = []
    for mailbox in value:
        try:
            folders.append(await account.folder_id(account.resolve(mailbox)))
        except NotFound:
            raise invalid_properties("mailboxIds", why="There is no such mailbox.") from None
    return folders


def read_keywords(value: Any) -> list[str]:
    """Raises invalidProperties."""
    if value is None:
        return []
    if not isinstance(value, dict) or any(each is not True for each in value.values()):
        raise invalid_properties("keywords")
    return [check_keyword(each) for each in value]


def check_keyword(keyword: str) -> str:
    """RFC 8621, 4.1.1: what IMAP takes, without case."""
    is_flag = 0 < len(keyword) <= MAX_KEYWORD and all(
        "!" <= each <= "~" and each not in '(){]%*"\\' for each in keyword
    )
    if not is_flag or keyword.lower() in {"$deleted", "$recent"}:
        raise invalid_properties("keywords", why="This cannot be a keyword.")
    return keyword.lower()


def read_received(value: Any) -> datetime | None:
    """Raises invalidProperties."""
    if value is None:
        return None
    moment = read_utc(value)
    if moment is None or moment.year < 1970:
        raise invalid_properties("receivedAt")
    return moment


async def finish(account: Account, message: str | None, others: list[str]) -> dict[str, Any]:
    """Copies the stored message to the other folders; the properties of the Email that the server set."""
    if message is None:
        raise UpstreamError(_LOST)
    for folder in others:
        await _copy(account, message, folder)
    email = (await account.index.emails_of([message]))[message]
    account.has_changed()
    rows = rows_of(await _with_thread(account, message))
    if not rows:
        raise UpstreamError(_LOST)
    return {
        "id": email,
        "blobId": email_blob(email),
        "threadId": thread_of(email, rows[0]),
        "size": rows[0].get("size", 0),
    }


async def _copy(account: Account, message: str, folder: str) -> None:
    """If it cannot be copied, the message is removed: an Email that was not created is nowhere."""
    [outcome] = await account.backend.copy_messages([message], folder)
    if outcome.error is not None:
        account.has_changed()
        await account.backend.delete_messages([message])
        raise outcome.error
    if outcome.new_id is not None:
        await account.index.emails_of([outcome.new_id])


async def _with_thread(account: Account, message: str) -> Any:
    with suppress(MailError):
        return await account.backend.get_messages([message], with_thread=True)
    return await account.backend.get_messages([message])


async def store(account: Account, source: Source, record: Mapping[str, Any]) -> dict[str, Any]:
    """A complete message as an Email with the mailboxIds, keywords and receivedAt of ``record``."""
    first, *others = await folders_of(account, record.get("mailboxIds"))
    keywords, received = read_keywords(record.get("keywords")), read_received(record.get("receivedAt"))
    return await finish(account, await account.backend.append_message(first, source, keywords, received), others)
