"""Quota/get, /changes, /query and /queryChanges (RFC 9425)."""

from hashlib import blake2s
from typing import Any

from service.jmap.account.account import Account
from service.jmap.core.arguments import Arguments
from service.jmap.core.errors import MethodError
from service.jmap.core.paging import Paging
from service.jmap.core.records import get_response, select, wanted_properties
from service.jmap.methods.identities import no_changes
from service.mail.errors import NotSupported

PROPERTIES = (
    *("id", "resourceType", "used", "hardLimit", "warnLimit", "softLimit", "scope", "name", "types", "description"),
)
_KINDS = {"storage": "octets", "message": "count"}


async def _quotas(account: Account) -> dict[str, dict[str, Any]]:
    """By id; none if the server has no quota."""
    try:
        listed = await account.backend.list_quotas()
    except NotSupported:
        return {}
    found = {}
    for quota in listed:
        if quota.resource in _KINDS:
            quota_id = blake2s(f"{quota.root}\0{quota.resource}".encode(), digest_size=8).hexdigest()
            found[quota_id] = {
                "id": quota_id,
                "resourceType": _KINDS[quota.resource],
                "used": quota.used,
                "hardLimit": quota.limit,
                "warnLimit": None,
                "softLimit": None,
                "scope": "account",
                "name": quota.root or quota.resource,
                "types": ["Mail"],
                "description": None,
            }
    return found


def _state(quotas: dict[str, dict[str, Any]]) -> str:
    return blake2s(repr(sorted(quotas.items())).encode(), digest_size=8).hexdigest()


async def get(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Quota/get."""
    account.require(arguments)
    properties, ids = wanted_properties(arguments, PROPERTIES), arguments.ids("ids")
    quotas = await _quotas(account)
    return get_response(account.id, _state(quotas), select(quotas, ids, properties), ids)


async def changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Quota/changes: only that nothing changed can be said."""
    return {**no_changes(account, arguments, _state(await _quotas(account))), "updatedProperties": None}


async def query(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Quota/query, of all: there are two at most."""
    account.require(arguments)
    if arguments.object("filter"):
        raise MethodError("unsupportedFilter")
    quotas = await _quotas(account)
    page = Paging.read(arguments).page(list(quotas))
    return {"accountId": account.id, "queryState": _state(quotas), "canCalculateChanges": False, **page}


async def query_changes(account: Account, arguments: Arguments) -> dict[str, Any]:
    """Quota/queryChanges: only that nothing changed can be said."""
    account.require(arguments)
    state = _state(await _quotas(account))
    if arguments.required_text("sinceQueryState") != state:
        raise MethodError("cannotCalculateChanges")
    return {"accountId": account.id, "oldQueryState": state, "newQueryState": state, "removed": [], "added": []}
