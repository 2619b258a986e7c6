"""The signed-in account."""

from fastapi import Request
from pydantic import Field

from service.accounts.credentials import Credentials
from service.api.deps import Caller, Mailbox, Service, service_of
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routing import api_router
from service.mail.backend import Backend
from service.mail.changes import WatchHealth
from service.mail.model import Capability, Count, OpenProtocol, Value
from service.push.server import entry as push

router = api_router(prefix="/v1/accounts/{account}", tags=["accounts"], responses=problem_responses(*SIGNED_IN))


class QuotaUsage(Value):
    """The storage quota of a mailbox."""

    used: Count = Field(description="Octets in use.")
    limit: Count = Field(description="The limit in octets.")


class Account(Value):
    """A mailbox and its capabilities."""

    id: str = Field(description="Opaque and URL-safe. `me` can be used in its place everywhere.")
    username: str = Field(description="The username of the sign-in.")
    server: str = Field(description="The name of the mail server, as in GET /v1/servers.")
    protocol: OpenProtocol
    capabilities: tuple[str, ...] = Field(
        description="Some of folders, flags, move, append, search, sort, threads, changes, push, quota, acl, send, "
        "settings, subscriptions, import. A request that needs another one is answered 501 `not-supported`."
    )
    quota: QuotaUsage | None = Field(None, description="The storage quota, if the server reports one.")
    watch: WatchHealth | None = Field(
        None, description="How the mailbox is watched. Present while a client listens to its events."
    )
    warnings: tuple[str, ...] | None = Field(
        None,
        description="Limitations of the mail server. `ids-unstable`: the POP3 server has no UIDL, so ids are made from "
        "the content of a message, and identical messages share one id. `headers-incomplete`: the POP3 server has no "
        "TOP, so lists may show large messages without the values of their headers.",
    )


async def describe(service: Service, credentials: Credentials, backend: Backend) -> Account:
    """The account as the API shows it, without its quota. Its mailbox is open and signed in."""
    capabilities: set[str] = {*backend.capabilities}
    if service.accounts.submitter(credentials) is not None:
        capabilities.add(Capability.SEND)
    if await service.push.can_subscribe(credentials, backend):
        capabilities.add(push.CAPABILITY)
    return Account(
        id=credentials.account,
        username=credentials.username,
        server=credentials.server,
        protocol=credentials.protocol,
        capabilities=tuple(sorted(capabilities)),
        watch=backend.watch_health(),
        warnings=backend.warnings or None,
    )


@router.get("", response_model_exclude_none=True)
async def get_account(request: Request, caller: Caller, mailbox: Mailbox) -> Account:
    """The signed-in account: its username, protocol, capabilities and quota."""
    await mailbox.check()
    account = await describe(service_of(request), caller, mailbox)
    if Capability.QUOTA not in mailbox.capabilities:
        return account
    storage = [quota for quota in await mailbox.list_quotas() if quota.resource == "storage"]
    usage = QuotaUsage(used=storage[0].used, limit=storage[0].limit) if storage else None
    return account.model_copy(update={"quota": usage})
