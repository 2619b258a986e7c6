"""Identity/get, /changes and /set. Identities cannot be changed here."""

from hashlib import blake2s
from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import SetError
from service.jmap.core.records import Changes, Outcomes, get_response, select, wanted_properties
from service.mail.errors import StaleToken
from service.mail.submission.model import Identity

PROPERTIES = ("id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete")


async def identities_of(account: Account) -> dict[str, dict[str, Any]]:
    """By id; empty if the username is not an address and the user has added none."""
    return {each.id: _identity(each) for each in await account.identities()}


def _identity(identity: Identity) -> dict[str, Any]:
    known = identity.model_dump(mode="json", by_alias=True, exclude_none=True)
    signature = known.get("signature", {})
    return {
        "id": identity.id,
        "name": identity.name or "",
        "email": identity.email,
        "replyTo": [{"name": each.get("name"), "email": each["email"]} for each in known.get("replyTo", ())] or None,
        "bcc": None,
        "textSignature": signature.get("text", ""),
        "htmlSignature": signature.get("html", ""),
        "mayDelete": False,
    }


def _state(identities: dict[str, dict[str, Any]]) -> str:
    return blake2s(repr(identities).encode(), digest_size=8).hexdigest()


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/get."""
    account.require(arguments)
    properties, ids = wanted_properties(arguments, PROPERTIES), arguments.ids("ids")
    identities = await identities_of(account)
    return get_response(account.id, _state(identities), select(identities, ids, properties), ids)


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/changes."""
    return no_changes(account, arguments, _state(await identities_of(account)))


def no_changes(account: Account, arguments: Arguments, state: str) -> dict[str, Any]:
    """The response of a type whose records never change. Raises cannotCalculateChanges for any other state."""
    account.require(arguments)
    arguments.number("maxChanges", least=1)
    if arguments.required_text("sinceState") != state:
        raise StaleToken("This is not a state of these records.")
    return {
        "accountId": account.id,
        "oldState": state,
        "newState": state,
        "hasMoreChanges": False,
        "created": [],
        "updated": [],
        "destroyed": [],
    }


async def set_identities(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/set."""
    account.require(arguments)
    changes = Changes(arguments)
    known = await identities_of(account)
    state = _state(known)
    await account.require_state(arguments.text("ifInState"), state)
    outcomes = Outcomes()
    forbidden = SetError("forbidden", "Identities cannot be changed here.").body
    not_found = SetError("notFound").body
    outcomes.not_created = dict.fromkeys(changes.create, forbidden)
    outcomes.not_updated = {each: forbidden if each in known else not_found for each in changes.update}
    outcomes.not_destroyed = {each: forbidden if each in known else not_found for each in changes.destroy}
    return outcomes.response(account.id, state, state)
