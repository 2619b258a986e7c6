"""Mailbox/set."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.uploads import NAME as UPLOADS
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import SetError, invalid_properties
from service.jmap.core.records import Changes, Outcomes, attempt, changes_in, reporting
from service.jmap.methods.mailbox.read import mailboxes_of, state_of
from service.jmap.values.mailboxes import PROPERTIES
from service.mail.errors import AlreadyExists, InvalidRequest, MailError, NotFound
from service.mail.model import Folder

_WRITABLE = frozenset({"name", "parentId", "isSubscribed", "sortOrder", "role"})
_CHANGEABLE = frozenset({"name", "parentId", "isSubscribed"})
MAX_NAME = 255


async def set_mailboxes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Mailbox/set. One record after the other, as later ones may refer to earlier ones."""
    account.require(arguments)
    changes = Changes(arguments)
    removes = arguments.flag("onDestroyRemoveEmails")
    old = state_of(account, await mailboxes_of(account))
    await account.require_state(arguments.text("ifInState"), old)
    outcomes = Outcomes()
    with reporting(outcomes):
        for key in _in_order(changes.create):
            await attempt(outcomes.not_created, key, _create(account, key, changes.create[key], outcomes))
        for mailbox, patch in changes.update.items():
            await attempt(outcomes.not_updated, mailbox, _update(account, mailbox, patch, outcomes))
        for mailbox in await _children_first(account, changes.destroy):
            await attempt(outcomes.not_destroyed, mailbox, _destroy(account, mailbox, outcomes, removes=removes))
        return outcomes.response(account.id, old, state_of(account, await mailboxes_of(account)))


def _in_order(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Parents that are created by the same call first."""
    order: dict[str, None] = {}
    for key in records:
        line: dict[str, None] = {}
        current: Any = key
        while current in records and current not in order and current not in line:
            line[current] = None
            parent = records[current].get("parentId")
            current = parent[1:] if isinstance(parent, str) and parent.startswith("#") else None
        order |= dict.fromkeys(reversed(line))
    return list(order)


async def _children_first(account: Account, mailboxes: list[str]) -> list[str]:
    depths = {each: len(folder.path) for each, folder in (await account.folders()).items()}
    return sorted(mailboxes, key=lambda each: -depths.get(each, 0))


def _changed(account: Account) -> None:
    account.has_changed()
    account.index.forget_mailboxes()


async def _create(account: Account, key: str, record: Mapping[str, Any], outcomes: Outcomes) -> None:
    _check(record, is_new=True)
    name = record.get("name")
    if name is None:
        raise invalid_properties("name")
    parent = await _parent(account, record.get("parentId"))
    _require_unused(await account.folders(), name, parent)
    try:
        folder = await account.backend.create_folder(name, parent)
    except InvalidRequest as error:
        raise invalid_properties("name", why=error.detail) from None
    _changed(account)
    if record.get("isSubscribed") is False:
        with suppress(MailError):  # the mailbox is there: its record says whether it is subscribed
            await account.backend.change_folder(folder.id, is_subscribed=False)
    created = (await mailboxes_of(account))[await account.mailbox_id(folder.id)]
    account.created[key] = created["id"]
    outcomes.created[key] = {name: created[name] for name in PROPERTIES if record.get(name) != created[name]}


async def _update(account: Account, mailbox: str, patch: Mapping[str, Any], outcomes: Outcomes) -> None:
    """A patch may be the whole record (RFC 8620, 5.3): properties that are the same as before count for nothing."""
    folder = await _folder(account, mailbox)
    if patch.keys() - _CHANGEABLE:
        patch = changes_in(patch, (await mailboxes_of(account))[account.resolve(mailbox)])
    _check(patch, is_new=False)
    name, parent = patch.get("name"), None
    if "parentId" in patch:
        parent = await _parent(account, patch["parentId"]) or ""
        if parent == (folder.parent_id or ""):
            parent = None
    if name == folder.name:
        name = None
    if name is not None or parent is not None:
        _require_unused(
            await account.folders(), name or folder.name, folder.parent_id if parent is None else parent or None
        )
    subscribed = patch.get("isSubscribed")
    if name is not None or parent is not None or subscribed is not None:
        try:
            await account.backend.change_folder(folder.id, name=name, parent=parent, is_subscribed=subscribed)
        except InvalidRequest as error:
            raise invalid_properties("parentId" if parent is not None else "name", why=error.detail) from None
        _changed(account)
    outcomes.updated[account.resolve(mailbox)] = None


async def _destroy(account: Account, mailbox: str, outcomes: Outcomes, *, removes: bool) -> None:
    folder = await _folder(account, mailbox)
    if folder.role == "inbox":
        raise SetError("forbidden", "The inbox cannot be removed.")
    if any(each.parent_id == folder.id for each in (await account.folders()).values()):
        raise SetError("mailboxHasChild")
    if not removes and folder.is_selectable and (folder.total_messages is None or folder.total_messages):
        raise SetError("mailboxHasEmail")
    try:
        await account.backend.delete_folder(folder.id)
    except AlreadyExists:
        raise SetError("mailboxHasChild") from None
    _changed(account)
    outcomes.destroyed.append(account.resolve(mailbox))


def _check(record: Mapping[str, Any], *, is_new: bool) -> None:
    """Raises invalidProperties for what cannot be set."""
    if wrong := sorted(record.keys() - _WRITABLE):
        raise invalid_properties(*wrong)
    name = record.get("name")
    if "name" in record and not (
        isinstance(name, str) and name.strip() and len(name.encode("utf-8", "replace")) <= MAX_NAME
    ):
        raise invalid_properties("name", why="A name is a text of 1 to 255 octets.")
    for key, kind in (("parentId", str), ("isSubscribed", bool)):
        if record.get(key) is not None and not isinstance(record[key], kind):
            raise invalid_properties(key)
    if record.get("role") is not None:
        raise invalid_properties("role", why="Roles are the mail server's.")
    if "sortOrder" in record and not (is_new and record["sortOrder"] in (0, 10)):
        raise invalid_properties("sortOrder", why="Mail servers keep no order of mailboxes.")


async def _folder(account: Account, mailbox: str) -> Folder:
    folder = (await account.folders()).get(account.resolve(mailbox))
    if folder is None:
        raise NotFound("folder")
    return folder


async def _parent(account: Account, mailbox: Any) -> str | None:
    if mailbox is None:
        return None
    try:
        return (await _folder(account, mailbox)).id
    except NotFound:
        raise invalid_properties("parentId", why="There is no such mailbox.") from None


def _require_unused(folders: Mapping[str, Folder], name: str, parent: str | None) -> None:
    if name == UPLOADS and parent is None:
        raise invalid_properties("name", why="Uploads are kept in a folder of this name, which is not shown.")
    existing = next(
        (each for each, folder in folders.items() if folder.name == name and folder.parent_id == parent), None
    )
    if existing is not None:
        raise SetError("alreadyExists", "There is a mailbox of this name.", existingId=existing)
