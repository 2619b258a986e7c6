"""Email/set update: keywords changed, and messages moved, copied and removed, in as few commands as there are kinds of
change."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import Row, read_all_rows, read_rows
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import SetError, invalid_properties, set_error
from service.jmap.core.records import Outcomes, changes_in, patched
from service.jmap.index import is_permanent
from service.jmap.methods.email.get import Bodies, read_record
from service.jmap.methods.email.storing import check_keyword, folders_of
from service.jmap.values.emails import PROPERTIES, Wanted, keywords_of
from service.mail.errors import MailError, NotFound
from service.mail.exchange import Outcome

_SETTABLE = frozenset({"keywords", "mailboxIds"})


@dataclass
class Plan:
    """What is to be done, and to which messages. Each is grouped into as few calls as possible."""

    flags: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = field(default_factory=dict)
    copies: dict[str, list[str]] = field(default_factory=dict)
    moves: dict[str, list[str]] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    email_of: dict[str, str] = field(default_factory=dict)
    errors: dict[str, MailError] = field(default_factory=dict)
    """By Email."""


async def update(account: Account, patches: Mapping[str, Mapping[str, Any]], outcomes: Outcomes) -> None:
    """All updates of one call."""
    resolved: dict[str, str] = {}
    for key in patches:
        if resolved.setdefault(account.resolve(key), key) != key:
            outcomes.not_updated[key] = SetError("invalidPatch", "The same Email is updated by another key.").body
    moves = any(pointer.startswith("mailboxIds") for patch in patches.values() for pointer in patch)
    rows = await (read_all_rows if moves else read_rows)(account, resolved)
    mailboxes = await account.index.mailboxes()
    plan = Plan()
    for email, key in resolved.items():
        try:
            if email not in rows:
                raise SetError("notFound")
            await _plan(account, plan, email, rows[email], patches[key], mailboxes)
        except SetError as error:
            outcomes.not_updated[key] = error.body
    await _carry_out(account, plan)
    for email, key in resolved.items():
        if email in plan.errors:
            outcomes.not_updated[key] = set_error(plan.errors[email]).body
        elif key not in outcomes.not_updated:
            outcomes.updated[email] = None


async def _plan(
    account: Account,
    plan: Plan,
    email: str,
    rows: Sequence[Row],
    patch: Mapping[str, Any],
    mailboxes: Mapping[str, str],
) -> None:
    """Raises SetError before anything is planned for the Email."""
    if any(name in PROPERTIES and name not in _SETTABLE for name in patch):
        patch = await _without_unchanged(account, email, patch, mailboxes)
    if wrong := [pointer for pointer in patch if pointer.split("/")[0] not in _SETTABLE or pointer.count("/") > 1]:
        raise invalid_properties(*wrong[:20])
    before = {
        "keywords": keywords_of(rows),
        "mailboxIds": {mailboxes.get(row["folderId"], row["folderId"]): True for row in rows},
    }
    after = patched(before, {_lowered(pointer): value for pointer, value in _resolved(account, patch).items()})
    if after["keywords"] is None:
        after["keywords"] = {}
    _check_true(after)
    folders = None if after["mailboxIds"] == before["mailboxIds"] else await folders_of(account, after["mailboxIds"])
    keywords = {check_keyword(each) for each in after["keywords"] if each not in before["keywords"]}
    keywords |= {each.lower() for each in after["keywords"] if each in before["keywords"]}
    plan.email_of |= {row["id"]: email for row in rows}
    _plan_keywords(plan, rows, keywords)
    if folders is not None:
        _plan_folders(plan, rows, folders)


async def _without_unchanged(
    account: Account, email: str, patch: Mapping[str, Any], mailboxes: Mapping[str, str]
) -> Mapping[str, Any]:
    """A patch may be the whole Email. Returns it without the properties that are the same as before."""
    wanted = Wanted([name for name in patch if name in PROPERTIES and name not in _SETTABLE])
    try:
        found = await read_rows(account, [email], preview="preview" in wanted.set, thread="threadId" in wanted.set)
        rows = found.get(email, ())
        record = await read_record(account, email, rows, mailboxes, wanted, Bodies.read(Arguments({}))) if rows else {}
    except NotFound:
        raise SetError("notFound") from None
    return changes_in(patch, record)


def _check_true(after: Mapping[str, Any]) -> None:
    for name in ("keywords", "mailboxIds"):
        if not isinstance(after[name], dict) or any(value is not True for value in after[name].values()):
            raise invalid_properties(name)


def _lowered(pointer: str) -> str:
    return pointer.lower() if pointer.startswith("keywords/") else pointer


def _resolved(account: Account, patch: Mapping[str, Any]) -> dict[str, Any]:
    """With ids in place of creation ids."""
    resolved: dict[str, Any] = {}
    for pointer, value in patch.items():
        name, slash, mailbox = pointer.partition("/")
        if name != "mailboxIds":
            resolved[pointer] = value
        elif slash:
            resolved[f"mailboxIds/{account.resolve(mailbox)}"] = value
        elif isinstance(value, dict):
            resolved[pointer] = {account.resolve(each): flag for each, flag in value.items()}
        else:
            resolved[pointer] = value
    return resolved


def _plan_keywords(plan: Plan, rows: Sequence[Row], wanted: set[str]) -> None:
    for row in rows:
        has = set(row.get("flags", ())) - {"$recent", "$deleted"}
        change = tuple(sorted(wanted - has)), tuple(sorted(has - wanted))
        if change != ((), ()):
            plan.flags.setdefault(change, []).append(row["id"])


def _plan_folders(plan: Plan, rows: Sequence[Row], folders: Sequence[str]) -> None:
    """A message that leaves a folder is moved to a new one, if there is one: it is never in none."""
    here = {row["folderId"] for row in rows}
    new = [folder for folder in folders if folder not in here]
    leaving = [row["id"] for row in rows if row["folderId"] not in folders]
    while new and leaving and len(new) > 1:
        plan.copies.setdefault(new.pop(), []).append(rows[0]["id"])
    if new and leaving:
        plan.moves.setdefault(new.pop(), []).append(leaving.pop(0))
    for folder in new:
        plan.copies.setdefault(folder, []).append(rows[0]["id"])
    plan.removals += leaving


async def _carry_out(account: Account, plan: Plan) -> None:
    """Keywords first, so that copies have them; removals last."""
    backend = account.backend
    for (add, remove), messages in plan.flags.items():
        _note(account, plan, await _tried(backend.change_many, messages, add, remove))
    for folder, messages in plan.copies.items():
        _note(account, plan, await _tried(backend.copy_messages, _left(plan, messages), folder))
    for folder, messages in plan.moves.items():
        _note(account, plan, await _tried(backend.move_messages, _left(plan, messages), folder), is_gone=True)
    _note(account, plan, await _tried(backend.delete_messages, _left(plan, plan.removals)), is_gone=True)
    if plan.email_of:
        account.has_changed()


def _left(plan: Plan, messages: Sequence[str]) -> list[str]:
    """Without the messages of Emails for which something failed."""
    return [message for message in messages if plan.email_of[message] not in plan.errors]


async def _tried(write: Callable[..., Awaitable[Sequence[Outcome]]], messages: list[str], *more: Any) -> list[Outcome]:
    """The outcomes of a write; its error, if it has one as a whole, is that of each message."""
    if not messages:
        return []
    try:
        return list(await write(messages, *more))
    except MailError as error:
        return [Outcome(message, error) for message in messages]


def _note(account: Account, plan: Plan, outcomes: Sequence[Outcome], *, is_gone: bool = False) -> None:
    for outcome in outcomes:
        email = plan.email_of[outcome.id]
        if outcome.error is not None:
            plan.errors.setdefault(email, outcome.error)
            continue
        if outcome.new_id is not None and is_permanent(email):
            account.index.note(outcome.new_id, email)
        if is_gone:
            account.index.drop(outcome.id)
