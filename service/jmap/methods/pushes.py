"""PushSubscription/get and /set (RFC 8620, 7.2): none are kept here. The event source is what reports changes."""

from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import SetError
from service.jmap.core.records import Changes


async def get(_: Account, arguments: Arguments) -> dict[str, Any]:
    """There is none."""
    return {"list": [], "notFound": arguments.ids("ids") or []}


async def set_subscriptions(_: Account, arguments: Arguments) -> dict[str, Any]:
    """None can be made."""
    changes = Changes(arguments)
    refused = SetError("forbidden", "Push subscriptions are not kept here. Use the event source.").body
    not_found = SetError("notFound").body
    return {
        "created": None,
        "updated": None,
        "destroyed": None,
        "notCreated": dict.fromkeys(changes.create, refused) or None,
        "notUpdated": dict.fromkeys(changes.update, not_found) or None,
        "notDestroyed": dict.fromkeys(changes.destroy, not_found) or None,
    }
