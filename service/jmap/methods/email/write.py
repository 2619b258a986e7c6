"""Email/set, /import and /copy."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.blobs import spooled_blob
from service.jmap.account.emails import read_all_rows
from service.jmap.core.arguments import Arguments, require_few
from service.jmap.core.errors import MethodError, SetError, invalid, invalid_properties, set_error
from service.jmap.core.records import Changes, Outcomes, attempt, reporting
from service.jmap.methods.email.create import create
from service.jmap.methods.email.storing import folders_of, read_keywords, read_received, store
from service.jmap.methods.email.update import update
from service.mail.errors import MailError, NotFound

_IMPORTED = frozenset({"blobId", "mailboxIds", "keywords", "receivedAt"})


async def set_emails(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/set."""
    account.require(arguments)
    changes = Changes(arguments)
    old = await account.state()
    await account.require_state(arguments.text("ifInState"), old)
    outcomes = Outcomes()
    with reporting(outcomes):
        for key, record in changes.create.items():
            await attempt(outcomes.not_created, key, _create(account, key, record, outcomes))
        if changes.update:
            await update(account, changes.update, outcomes)
        if changes.destroy:
            await destroy(account, changes.destroy, outcomes)
        account.has_changed()
        return outcomes.response(account.id, old, await account.state())


async def _create(account: Account, key: str, record: Mapping[str, Any], outcomes: Outcomes) -> None:
    outcomes.created[key] = created = await create(account, record)
    account.created[key] = created["id"]
    account.index.note_new(created["id"])


async def destroy(account: Account, ids: Sequence[str], outcomes: Outcomes) -> None:
    """Emails removed with all their messages, for good."""
    emails = {account.resolve(each): each for each in ids}
    rows = await read_all_rows(account, emails)
    email_of = {row["id"]: email for email, each in rows.items() for row in each}
    errors: dict[str, MailError] = {email: NotFound("message") for email in emails if email not in rows}
    if email_of:
        try:
            removed = await account.backend.delete_messages(list(email_of))
            for outcome in removed:
                if outcome.error is not None and not isinstance(outcome.error, NotFound):
                    errors[email_of[outcome.id]] = outcome.error
                else:
                    account.index.drop(outcome.id)
        except MailError as error:
            errors |= dict.fromkeys(rows, error)
    for email, key in emails.items():
        if email in errors:
            outcomes.not_destroyed[key] = set_error(errors[email]).body
        else:
            outcomes.destroyed.append(email)
    account.has_changed()


async def import_emails(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/import."""
    account.require(arguments)
    records = arguments.objects("emails")
    require_few(records)
    old = await account.state()
    await account.require_state(arguments.text("ifInState"), old)
    outcomes = Outcomes()
    with reporting(outcomes):
        for key, record in records.items():
            await attempt(outcomes.not_created, key, _import(account, key, record, outcomes))
        account.has_changed()
        new = await account.state()
    return {
        "accountId": account.id,
        "oldState": old,
        "newState": new,
        "created": outcomes.created or None,
        "notCreated": outcomes.not_created or None,
    }


async def _import(account: Account, key: str, record: Mapping[str, Any], outcomes: Outcomes) -> None:
    if wrong := sorted(record.keys() - _IMPORTED):
        raise invalid_properties(*wrong)
    if not isinstance(record.get("blobId"), str):
        raise invalid_properties("blobId")
    await folders_of(account, record.get("mailboxIds"))
    read_keywords(record.get("keywords"))
    read_received(record.get("receivedAt"))
    try:
        async with spooled_blob(account, account.resolve(record["blobId"])) as message:
            if not _has_header(message.header):
                raise SetError("invalidEmail", "The blob is not a message.")
            outcomes.created[key] = created = await store(account, message, record)
    except NotFound as error:
        if error.what != "blob":
            raise
        raise invalid_properties("blobId", why="There is no such blob.") from None
    account.created[key] = created["id"]


def _has_header(header: bytes) -> bool:
    return b":" in header.partition(b"\r\n")[0]


async def copy(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/copy: from another account only, and a sign-in has one account."""
    source = arguments.required_text("fromAccountId")
    account.require(arguments)
    arguments.objects("create")
    if source == account.id:
        raise invalid("fromAccountId is the same account: set mailboxIds instead.")
    raise MethodError("fromAccountNotFound")
