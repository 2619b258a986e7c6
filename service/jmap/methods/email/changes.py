"""Email/changes, by the sync token that is its state."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from service.jmap.account.account import Account
from service.jmap.account.emails import Row, read_rows
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError
from service.mail.changes import FolderChanges
from service.mail.errors import StaleToken

MAX_CHANGES = 10_000


class Changed(NamedTuple):
    """What changed, by id, and the state to continue from."""

    state: str
    has_more: bool = False
    created: Sequence[str] = ()
    updated: Sequence[str] = ()
    destroyed: Sequence[str] = ()

    def response(self, account: Account, since: str) -> dict[str, Any]:
        return {
            "accountId": account.id,
            "oldState": since,
            "newState": self.state,
            "hasMoreChanges": self.has_more,
            "created": list(self.created),
            "updated": list(self.updated),
            "destroyed": list(self.destroyed),
        }


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Email/changes."""
    account.require(arguments)
    since = arguments.required_text("sinceState")
    found = await changed_since(account, since, arguments.number("maxChanges", least=1) or MAX_CHANGES)
    return found.response(account, since)


async def changed_since(account: Account, since: str, most: int = MAX_CHANGES) -> Changed:
    """Raises cannotCalculateChanges for more than ``most``, and if a message went of which it is not known which Email
    it was."""
    token = account.open_state(since)
    if token == await account.token():
        return Changed(since)
    found = await account.backend.list_all_changes(token)
    shown = {folder.id for folder in (await account.folders()).values()}
    hidden = {folder.id for folder in await account.backend.list_folders()} - shown
    folders = [folder for folder in found.folders if folder.folder_id not in hidden]
    if any(folder.resync for folder in folders) or found.destroyed_folders:
        raise StaleToken("The changes of a folder are not known.")
    created = [message for folder in folders for message in folder.created]
    for folder_id in found.created_folders:
        if folder_id not in hidden:
            created += await _all_of(account, folder_id)
    changed = await _sorted(account, created, folders)
    if sum(map(len, changed)) > most:
        raise MethodError("cannotCalculateChanges", "There are more changes than that.")
    state = account.host.states.sign(account.id, found.token)
    return Changed(state, found.has_more, *changed)


async def _all_of(account: Account, folder: str) -> list[str]:
    found = await account.backend.find_messages(folder, None, MAX_CHANGES)
    if found.has_more:
        raise MethodError("cannotCalculateChanges", "A new folder has too many messages.")
    return list(found.ids)


async def _sorted(
    account: Account, created: Sequence[str], folders: Sequence[FolderChanges]
) -> tuple[list[str], list[str], list[str]]:
    """Created, updated and destroyed. An Email that lies elsewhere now was updated."""
    flagged = [message for folder in folders for message in folder.updated]
    new = dict.fromkeys((await account.index.emails_of(created)).values())
    updated = dict.fromkeys((await account.index.emails_of(flagged)).values())
    lost = _emails_lost(account, (message for folder in folders for message in folder.destroyed))
    left = await read_rows(account, [*new, *lost, *updated])
    arrived = set(created)
    fresh = {email for email in new if email not in lost and _are_all(left.get(email, ()), arrived)}
    moved = dict.fromkeys(email for email in (*new, *lost) if email in left and email not in fresh)
    return (
        [email for email in new if email in fresh and email in left],
        [email for email in {**updated, **moved} if email not in fresh and email in left],
        [email for email in {**lost, **updated} if email not in left],
    )


def _emails_lost(account: Account, gone: Iterable[str]) -> dict[str, None]:
    lost: dict[str, None] = {}
    for message in gone:
        email = account.index.known(message)
        if email is None:
            raise StaleToken("A message is gone of which it is not known which Email it was.")
        lost[email] = None
    return lost


def _are_all(rows: Iterable[Row], created: set[str]) -> bool:
    return all(row["id"] in created for row in rows)
