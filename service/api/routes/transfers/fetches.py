"""Standing fetches: new mail of another mailbox into this one, every few minutes."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request, Response
from pydantic import Field

from service.accounts.credentials import Credentials
from service.api.deps import Caller, ConfirmedMailbox, done_once, service_of, until_sent
from service.api.idempotency import Key
from service.api.parameters import Moment, response_headers
from service.api.problems import SIGNED_IN, problem_responses, problem_type_named
from service.api.routes.transfers.imports import MAX_FOLDERS, FolderName
from service.api.routes.transfers.other import OtherMailbox, opened_other, other_of
from service.api.routing import api_router
from service.fetches.model import (
    LEAST_SECONDS,
    MAX_SHOWN,
    MOST,
    MOST_SECONDS,
    SECONDS,
    Desk,
    Fault,
    Plan,
    State,
)
from service.fetches.model import Fetch as Kept
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound, NotSupported
from service.mail.model import Capability, Count, Number, OpenProtocol, Protocol, Value
from service.transfer.links import SOURCE, named
from service.transfer.model import Failure

router = api_router(
    prefix="/v1/accounts/{account}/fetches",
    tags=["fetches"],
    responses=problem_responses(*SIGNED_IN),
)
UNAVAILABLE = "fetches"
_NO_STORE = (
    "This service keeps nothing, and so fetches nothing by itself: its operator has set no `store.url`. POST"
    " /v1/accounts/me/imports copies what is there, each time it is sent."
)
_STATES = ", ".join(f"`{each}`" for each in State)
FetchId = Annotated[str, Path(max_length=100, description="The fetch's id.", examples=["f_8f14e45fceea167a5a36dedd"])]


class NewFetch(Value):
    """Which mail to fetch, and how often."""

    from_: OtherMailbox = Field(
        alias="from",
        description="The mailbox to fetch from. An access token does not last: send a password, a refresh token, a"
        " code, or the token of a session that was made of one.",
    )
    folders: tuple[FolderName, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_FOLDERS,
        fail_fast=True,
        description="Ids or roles of folders of the other mailbox. Default: all that are the user's own, without"
        " drafts, trash and junk.",
    )
    into: FolderName | None = Field(
        None,
        description="The id or role of the folder of this mailbox that gets all messages. Default: the folder with the"
        " same role, else that with the same name; it is made if there is none.",
    )
    since: Moment | None = Field(
        None,
        description="Also fetches the mail that is there and was received then or later. Default: mail that arrives"
        " from now on.",
    )
    delete_source: bool = Field(
        False,
        description="Deletes each message from the other mailbox, after its copy was read back with the same octets.",
    )
    every_seconds: Number = Field(SECONDS, ge=LEAST_SECONDS, le=MOST_SECONDS, description="Between two runs.")

    def plan(self) -> Plan:
        """What is kept."""
        return Plan(self.every_seconds, self.folders, self.into, self.since, self.delete_source)


class FetchOrigin(Value):
    """The mailbox that mail is fetched from."""

    username: str = Field(description="The username at the mail server.")
    server: str = Field(description="The name of the mail server.")
    protocol: OpenProtocol = Field(description="How it is reached.")


class FetchProblem(Value):
    """Why the last run failed, as a Problem says it."""

    type: str = Field(description="`/problems/<name>`. The page at this address explains the problem type.")
    title: str = Field(description="The name of the problem type, in words.")
    detail: str = Field(description="What went wrong.")


class Fetch(Value):
    """A standing fetch, and what came of its last run."""

    id: str = Field(description="The fetch's id.")
    from_: FetchOrigin = Field(alias="from", description="The mailbox that mail is fetched from.")
    folders: tuple[str, ...] | None = Field(None, description="The folders that are fetched; absent for the default.")
    into: str | None = Field(None, description="The folder that gets all messages; absent for the default.")
    since: datetime | None = Field(None, description="Since when mail is fetched; absent if since `createdAt`.")
    delete_source: bool = Field(description="Whether messages are deleted from the other mailbox.")
    every_seconds: Number = Field(description="Between two runs, about.")
    created_at: datetime = Field(description="When it was first created.")
    state: str = Field(
        description=f"{_STATES}. Later versions may add others. It is `stopped` if only its user can help, as with a"
        " wrong password: create it again."
    )
    next_run_at: datetime | None = Field(None, description="When it runs next, about. Absent if it runs or is stopped.")
    last_run_at: datetime | None = Field(None, description="When the last run ended. Absent before the first one.")
    last_copied: Count = Field(description="The number of messages that the last run copied.")
    copied: Count = Field(description="The number of messages that all runs have copied.")
    failed: tuple[Failure, ...] = Field(
        description=f"The messages that the last run could not copy or delete, at most {MAX_SHOWN}. They are still in"
        " the other mailbox."
    )
    problem: FetchProblem | None = Field(None, description="Why the last run failed. Absent if it did not.")


class FetchList(Value):
    """The standing fetches of an account."""

    items: tuple[Fetch, ...] = Field(description=f"At most {MOST}, oldest first.")


@router.post(
    "", status_code=201, response_model_exclude_none=True, responses={201: {"headers": response_headers("Location")}}
)
async def create_fetch(
    request: Request,
    response: Response,
    caller: Caller,
    mailbox: ConfirmedMailbox,
    new: NewFetch,
    idempotency_key: Key = None,
) -> Fetch:
    """Fetch new mail of another mailbox from now on, every `everySeconds`. 501 `not-supported` if this service has no
    store. The first run begins within seconds.

    The credentials of both mailboxes are stored, encrypted; those of this one are the ones of this request. Mail is
    copied as POST /v1/accounts/me/imports copies it, and stays in the other mailbox unless `deleteSource` says
    otherwise. A fetch of the same mailbox is replaced, and knows what was fetched before. If a run fails, it is tried
    again later and later; if a password is refused, it is not tried again before the fetch is created again.
    """

    async def create() -> Fetch:
        return _shown(await _create(request, caller, mailbox, new))

    created = await done_once(request, mailbox, idempotency_key, create)
    response.headers["Location"] = f"/v1/accounts/me/fetches/{created.id}"
    return created


@router.get("", response_model_exclude_none=True)
async def list_fetches(request: Request, caller: Caller, mailbox: ConfirmedMailbox) -> FetchList:
    """The standing fetches of the account, and what came of their last runs."""
    return FetchList(items=tuple(map(_shown, await _desk(request, caller).all())))


@router.get("/{fetch}", response_model_exclude_none=True)
async def get_fetch(request: Request, caller: Caller, mailbox: ConfirmedMailbox, fetch: FetchId) -> Fetch:
    """A standing fetch, and what came of its last run."""
    for kept in await _desk(request, caller).all():
        if kept.id == fetch:
            return _shown(kept)
    raise NotFound("fetch")


@router.delete("/{fetch}", status_code=204)
async def delete_fetch(request: Request, caller: Caller, mailbox: ConfirmedMailbox, fetch: FetchId) -> None:
    """End a standing fetch. What it has copied stays. A run that is under way ends within seconds."""
    if not await _desk(request, caller).remove(fetch):
        raise NotFound("fetch")


def _desk(request: Request, caller: Credentials) -> Desk:
    """Raises NotSupported."""
    fetches = service_of(request).fetches
    if fetches is None:
        raise NotSupported(UNAVAILABLE, _NO_STORE)
    return fetches(caller)


async def _create(request: Request, caller: Credentials, mailbox: Backend, new: NewFetch) -> Kept:
    desk, plan = _desk(request, caller), new.plan()
    await mailbox.check()
    if Capability.IMPORT not in mailbox.capabilities:
        raise mailbox.not_supported(Capability.IMPORT)
    if plan.into is not None:
        await mailbox.get_folder(plan.into)
    other = await other_of(request, new.from_, SOURCE)
    if plan.deletes_source and caller.is_like(other.credentials):
        raise InvalidRequest("Source and destination are the same mailbox.", location="body.deleteSource")
    if other.credentials.account == caller.account:
        raise InvalidRequest("Source and destination are the same mailbox.", location="body.from")
    async with named(SOURCE):
        source = await until_sent(request, opened_other(request, other, caller, SOURCE))
        for folder in plan.folders or ():
            await source.get_folder(folder)
        return await desk.keep(other.credentials, source, plan)


def _shown(kept: Kept) -> Fetch:
    plan, record = kept.plan, kept.record
    return Fetch(
        id=kept.id,
        from_=FetchOrigin(username=kept.username, server=kept.server, protocol=Protocol(kept.protocol)),
        folders=plan.folders,
        into=plan.into,
        since=plan.since,
        delete_source=plan.deletes_source,
        every_seconds=plan.every_seconds,
        created_at=kept.created_at,
        state=kept.state,
        next_run_at=kept.next_run_at,
        last_run_at=record.last_run_at,
        last_copied=record.last_copied,
        copied=record.copied,
        failed=record.failed,
        problem=_problem(record.fault) if record.fault else None,
    )


def _problem(fault: Fault) -> FetchProblem:
    problem_type = problem_type_named(fault.kind)
    return FetchProblem(type=f"/problems/{problem_type.name}", title=problem_type.title, detail=fault.detail)
