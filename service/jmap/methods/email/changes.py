"""Email/changes and Thread/changes, by the sync token that is their state."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from service.jmap.account.account import Account
from service.jmap.account.emails import read_rows
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError
from service.mail.errors import StaleToken

MAX_CHANGES = 10_000


class Sorted(NamedTuple):
    """What changed."""

    state: str
    has_more: bool
    created: list[str]
    updated: list[str]
    destroyed: list[str]


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/changes."""
    found = await changed_emails(account, arguments)
    return _response(account, arguments, found)


async def thread_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Thread/changes: threads of new Emails. Threads that lost one cannot be told, because its thread is gone with it."""
    found = await changed_emails(account, arguments)
    if found.destroyed:
        raise MethodError("cannotCalculateChanges", "The thread of an Email that is gone is not known.")
    rows = await read_rows(account, [*found.created], thread=True)
    threads = dict.fromkeys(rows[email][0].get("threadId") or f"t_{email}" for email in found.created if email in rows)
    return _response(account, arguments, Sorted(found.state, found.has_more, [], list(threads), []))


def _response(account: Account, arguments: Arguments, found: Sorted) -> dict[str, Any]:
    return {
        "accountId": account.id,
        "oldState": arguments["sinceState"],
        "newState": found.state,
        "hasMoreChanges": found.has_more,
        "created": found.created,
        "updated": found.updated,
        "destroyed": found.destroyed,
    }


async def changed_emails(account: Account, arguments: Arguments) -> Sorted:
    """Raises cannotCalculateChanges if a message went of which nobody here knows which Email it was."""
    account.require(arguments)
    since = arguments.required_text("sinceState")
    most = arguments.number("maxChanges", least=1) or MAX_CHANGES
    token = account.open_state(since)
    if token == await account.token():
        return Sorted(since, has_more=False, created=[], updated=[], destroyed=[])
    found = await account.backend.list_all_changes(token)
    hidden = {folder.id for folder in await account.backend.list_folders()} - {
        folder.id for folder in (await account.folders()).values()
    }
    folders = [folder for folder in found.folders if folder.folder_id not in hidden]
    if any(folder.resync for folder in folders) or found.destroyed_folders:
        raise StaleToken("The changes of a folder are not known.")
    created = [message for folder in folders for message in folder.created]
    for folder_id in found.created_folders:
        if folder_id not in hidden:
            created += await _all_of(account, folder_id)
    gone = [message for folder in folders for message in folder.destroyed]
    sort = await _sorted(account, created, [m for folder in folders for m in folder.updated], gone)
    if sum(map(len, sort)) > most:
        raise MethodError("cannotCalculateChanges", "There are more changes than that.")
    state = account.host.sessions.sign_state(account.id, found.token)
    return Sorted(state, found.has_more, *sort)


async def _all_of(account: Account, folder: str) -> list[str]:
    found = await account.backend.find_messages(folder, None, MAX_CHANGES)
    if found.has_more:
        raise MethodError("cannotCalculateChanges", "A new folder has too many messages.")
    return list(found.ids)


async def _sorted(
    account: Account, created: list[str], updated: list[str], gone: Iterable[str]
) -> tuple[list[str], list[str], list[str]]:
    """An Email that has another message now was updated, not created or destroyed."""
    new = await account.index.emails_of(created)
    old = await account.index.emails_of(updated)
    lost = [account.index.known(message) for message in gone]
    if None in lost:
        raise StaleToken("A message is gone of which it is not known which Email it was.")
    gone_emails = [email for email in dict.fromkeys(lost) if email is not None]
    candidates = [*dict.fromkeys(new.values()), *gone_emails]
    left = await read_rows(account, candidates)
    fresh = {email for email in new.values() if _is_only_new(left.get(email, []), set(created))}
    return (
        [
            email
            for email in dict.fromkeys(new.values())
            if email in fresh and email not in gone_emails and email in left
        ],
        list(
            dict.fromkeys(
                email
                for email in [*old.values(), *new.values(), *gone_emails]
                if email in left and not (email in fresh and email not in gone_emails)
            )
        ),
        [email for email in gone_emails if email not in left],
    )


def _is_only_new(rows: list[dict[str, Any]], created: set[str]) -> bool:
    """Whether all messages of the Email were created since."""
    return all(row["id"] in created for row in rows)
