"""The signed-in account."""

from fastapi import APIRouter
from pydantic import Field

from service.accounts.credentials import Credentials
from service.api.deps import Caller, Mailbox
from service.api.problems import SIGNED_IN, problem_responses
from service.mail.backend import Backend
from service.mail.changes import WatchHealth
from service.mail.model import Capability, Count, OpenProtocol, Value

router = APIRouter(prefix="/v1/accounts/{account}", tags=["accounts"], responses=problem_responses(*SIGNED_IN))


class Usage(Value):
    """Octets used, of so many."""

    used: Count = Field(description="Octets used.")
    limit: Count = Field(description="Octets there may be.")


class Account(Value):
    """A mailbox and what it can do."""

    id: str = Field(description="Opaque and URL-safe; `me` may stand wherever it is taken.")
    username: str = Field(description="As signed in with.")
    server: str = Field(description="The server's name in the operator's table.")
    protocol: OpenProtocol
    capabilities: tuple[str, ...] = Field(
        description="Of folders, flags, move, append, search, sort, threads, changes, push, quota, acl. "
        "A call for one that is missing is answered 501 not-supported."
    )
    quota: Usage | None = Field(None, description="Where the server tells: the room for messages, in octets.")
    watch: WatchHealth | None = Field(None, description="While somebody listens to its events.")
    warnings: tuple[str, ...] | None = Field(
        None,
        description="What to know of this mailbox's server. `ids-unstable`: POP3 without unique ids of its own, so "
        "that ids are made of what a message holds, and copies share one. `headers-incomplete`: POP3 without TOP, so "
        "that lists may show large messages without what their headers say.",
    )


def describe(credentials: Credentials, backend: Backend) -> Account:
    """What the API says of an account."""
    return Account(
        id=credentials.account,
        username=credentials.username,
        server=credentials.server,
        protocol=credentials.protocol,
        capabilities=tuple(sorted(backend.capabilities)),
        watch=backend.watch_health(),
        warnings=backend.warnings or None,
    )


@router.get("", response_model_exclude_none=True)
async def get_account(caller: Caller, mailbox: Mailbox) -> Account:
    """Who is signed in, by which protocol, and what the mailbox can do."""
    await mailbox.check()
    account = describe(caller, mailbox)
    if Capability.QUOTA not in mailbox.capabilities:
        return account
    storage = [quota for quota in await mailbox.list_quotas() if quota.resource == "storage"]
    usage = Usage(used=storage[0].used, limit=storage[0].limit) if storage else None
    return account.model_copy(update={"quota": usage})
