"""Identity/get, /changes and /set. The account's identity is its sign-in; it cannot be changed here."""

from hashlib import blake2s
from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import SetError
from service.jmap.core.records import Changes, Outcomes, get_response, select, wanted_properties
from service.mail.errors import StaleToken

PROPERTIES = ("id", "name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete")


def identities_of(account: Account) -> dict[str, dict[str, Any]]:
    """By id; none if the username is no address."""
    identity = account.identity
    if identity is None:
        return {}
    return {
        identity.id: {
            "id": identity.id,
            "name": identity.name or "",
            "email": identity.email,
            "replyTo": None,
            "bcc": None,
            "textSignature": "",
            "htmlSignature": "",
            "mayDelete": False,
        }
    }


def _state(account: Account) -> str:
    return blake2s(repr(identities_of(account)).encode(), digest_size=8).hexdigest()


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/get."""
    account.require(arguments)
    properties, ids = wanted_properties(arguments, PROPERTIES), arguments.ids("ids")
    return get_response(account.id, _state(account), select(identities_of(account), ids, properties), ids)


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Identity/changes."""
    return no_changes(account, arguments, _state(account))


def no_changes(account: Account, arguments: Arguments, state: str) -> dict[str, Any]:
    """The response of a type whose records never change. Raises cannotCalculateChanges for any other state."""
    account.require(arguments)
    arguments.number("maxChanges", least=1)
    if arguments.required_text("sinceState") != state:
        raise StaleToken("This is no state of these records.")
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
    await account.require_state(arguments.text("ifInState"), _state(account))
    outcomes, known = Outcomes(), identities_of(account)
    forbidden = SetError("forbidden", "The identity is the sign-in, and cannot be changed.").body
    not_found = SetError("notFound").body
    outcomes.not_created = dict.fromkeys(changes.create, forbidden)
    outcomes.not_updated = {each: forbidden if each in known else not_found for each in changes.update}
    outcomes.not_destroyed = {each: forbidden if each in known else not_found for each in changes.destroy}
    return outcomes.response(account.id, _state(account), _state(account))
