"""EmailSubmission (RFC 8621, 7): a message is sent at once, and nothing is kept of the submission."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from service.jmap.account.account import Account
from service.jmap.account.emails import chunks_of, read_rows
from service.jmap.core.arguments import Arguments, write_utc
from service.jmap.core.dispatch import Also
from service.jmap.core.errors import MethodError, SetError, invalid_properties
from service.jmap.core.paging import Paging
from service.jmap.core.records import Changes, Outcomes, attempt, get_response, wanted_properties
from service.jmap.methods.identities import identities_of, no_changes
from service.jmap.values.emails import thread_of
from service.mail.errors import InvalidRequest, NotPermitted, RecipientsRefused
from service.mail.mime.compose.addresses import check_address
from service.spooled import Spooled
from service.submission.outbox import Options, Outbox

PROPERTIES = (
    *("id", "identityId", "emailId", "threadId", "envelope", "sendAt", "undoStatus", "deliveryStatus", "dsnBlobIds"),
    "mdnBlobIds",
)
STATE = "sent"
MAX_RECIPIENTS = 1000
_SETTABLE = frozenset({"identityId", "emailId", "envelope"})
_NO_RECIPIENTS = "noRecipients"


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """EmailSubmission/get: what was sent is not kept (RFC 8621, 7)."""
    account.require(arguments)
    wanted_properties(arguments, PROPERTIES)
    return get_response(account.id, STATE, [], arguments.ids("ids"))


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """EmailSubmission/changes."""
    return no_changes(account, arguments, STATE)


async def query(account: Account, arguments: Arguments) -> dict[str, Any]:
    """EmailSubmission/query."""
    account.require(arguments)
    arguments.object("filter")
    page = Paging.read(arguments).page([])
    return {"accountId": account.id, "queryState": STATE, "canCalculateChanges": False, **page}


async def query_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """EmailSubmission/queryChanges."""
    account.require(arguments)
    since = arguments.required_text("sinceQueryState")
    if since != STATE:
        raise MethodError("cannotCalculateChanges")
    return {"accountId": account.id, "oldQueryState": since, "newQueryState": STATE, "removed": [], "added": []}


async def set_submissions(account: Account, arguments: Arguments) -> dict[str, Any]:
    """EmailSubmission/set. What is to be done with the Emails afterwards is an Email/set of its own."""
    account.require(arguments)
    changes = Changes(arguments)
    updates, destroys = arguments.objects("onSuccessUpdateEmail"), arguments.texts("onSuccessDestroyEmail") or []
    await account.require_state(arguments.text("ifInState"), STATE)
    outcomes, emails = Outcomes(), dict[str, str]()
    for key, record in changes.create.items():
        await attempt(outcomes.not_created, key, _create(account, key, record, outcomes, emails))
    not_found = SetError("notFound").body
    outcomes.not_updated = dict.fromkeys(changes.update, not_found)
    outcomes.not_destroyed = dict.fromkeys(changes.destroy, not_found)
    update = {emails[each]: patch for each, patch in updates.items() if each in emails}
    destroy = [emails[each] for each in destroys if each in emails]
    if update or destroy:
        account.also.append(
            Also("Email/set", {"accountId": account.id, "update": update or None, "destroy": destroy or None})
        )
    return outcomes.response(account.id, STATE, STATE)


async def _create(
    account: Account, key: str, record: Mapping[str, Any], outcomes: Outcomes, emails: dict[str, str]
) -> None:
    outcomes.created[key], emails[f"#{key}"] = await _send(account, record)
    account.created[key] = outcomes.created[key]["id"]


async def _send(account: Account, record: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The properties that the server set, and the Email."""
    if wrong := sorted(record.keys() - _SETTABLE):
        raise invalid_properties(*wrong)
    identity = record.get("identityId")
    if not isinstance(identity, str) or account.resolve(identity) not in await identities_of(account):
        raise invalid_properties("identityId", why="There is no such identity.")
    if not isinstance(record.get("emailId"), str):
        raise invalid_properties("emailId")
    email = account.resolve(record["emailId"])
    rows = (await read_rows(account, [email], thread=True)).get(email)
    if rows is None:
        raise invalid_properties("emailId", why="There is no such Email.")
    outbox = account.sending()
    options = _options(record.get("envelope"))
    with closing(Spooled()) as message:
        async for chunk in chunks_of(account, rows[0]["id"]):
            await message.write(chunk)
        await _submit(outbox, message, options)
    created: dict[str, Any] = {
        "id": f"s-{token_hex(12)}",
        "threadId": thread_of(email, rows[0]),
        "sendAt": write_utc(datetime.now(UTC)),
        "undoStatus": "final",
        "deliveryStatus": None,
        "dsnBlobIds": [],
        "mdnBlobIds": [],
    }
    return created, email


async def _submit(outbox: Outbox, message: Spooled, options: Options) -> None:
    try:
        await outbox.send_straight(message, options)
    except RecipientsRefused as error:
        refused = [each.email for each in error.recipients]
        raise SetError("invalidRecipients", error.detail, invalidRecipients=refused) from None
    except NotPermitted as error:
        raise SetError("forbiddenToSend", error.detail) from None
    except InvalidRequest as error:
        kind = _NO_RECIPIENTS if "no recipients" in error.detail else "invalidEmail"
        raise SetError(kind, error.detail) from None


def _options(envelope: Any) -> Options:
    """Raises invalidProperties."""
    match envelope:
        case None:
            return Options()
        case {"mailFrom": {"email": str() as sender}, "rcptTo": list() as recipients}:
            if len(recipients) > MAX_RECIPIENTS:
                raise SetError("tooManyRecipients", maxRecipients=MAX_RECIPIENTS)
            emails = [each.get("email") if isinstance(each, dict) else None for each in recipients]
            if not emails:
                raise SetError(_NO_RECIPIENTS)
            if any(each.get("parameters") for each in (envelope["mailFrom"], *recipients) if isinstance(each, dict)):
                raise invalid_properties("envelope", why="There are no parameters: submissionExtensions is empty.")
            return Options(sender=_sender(sender), recipients=tuple(map(_checked, emails)))
    raise invalid_properties("envelope")


def _sender(email: str) -> str:
    """May be empty: then no bounces are sent."""
    try:
        return check_address(email) if email else ""
    except InvalidRequest as error:
        raise invalid_properties("envelope", why=error.detail) from None


def _checked(email: Any) -> str:
    if not isinstance(email, str):
        raise invalid_properties("envelope")
    try:
        return check_address(email)
    except InvalidRequest as error:
        raise SetError("invalidRecipients", error.detail, invalidRecipients=[email[:300]]) from None
