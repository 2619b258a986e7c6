"""Imports: mail of another mailbox into this one, in bursts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any, NamedTuple, Self

from fastapi import Request, Response
from pydantic import Field, SecretStr, model_validator

from service.accounts.credentials import Credentials
from service.accounts.tokens import MAX_IMPORT, Sessions
from service.api.deps import Caller, Mailbox, service_of, until_sent
from service.api.events.response import event_stream
from service.api.parameters import Moment
from service.api.problems import SIGNED_IN, fault_of, problem_of, problem_responses
from service.api.routes.transfers.other import Other, OtherMailbox, by_token, opened_other, other_of
from service.api.routing import api_router
from service.mail.backend import Backend
from service.mail.errors import InvalidField, InvalidRequest, MailError, OverQuota
from service.mail.model import Count, Number, Value
from service.transfer.burst import Listener, run_burst
from service.transfer.links import SOURCE
from service.transfer.model import Failure, FolderProgress, ImportProgress, Job, Options, Report

router = api_router(
    prefix="/v1/accounts/{account}",
    tags=["imports"],
    responses=problem_responses(*SIGNED_IN, "stale-token", "over-quota"),
)
SECONDS, MAX_SECONDS = 20, 300
MAX_FOLDERS = 1000
MAX_ID = 3000
PROGRESS_SECONDS = 0.5
PING_SECONDS = 15.0
FolderName = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class NewImport(Value):
    """What to import, or the token of an import to go on with."""

    token: SecretStr | None = Field(
        None,
        min_length=1,
        max_length=MAX_IMPORT,
        description="Goes on with an import. Send this, or `from` with what is to be imported.",
    )
    from_: OtherMailbox | None = Field(None, alias="from", description="The mailbox to copy from.")
    folders: tuple[FolderName, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_FOLDERS,
        fail_fast=True,
        description="Ids or roles of folders of the other mailbox. Default: all that are the user's own.",
    )
    into: FolderName | None = Field(
        None,
        description="The id or role of the folder of this mailbox that gets all messages. Default: the folder with the"
        " same role, else that with the same name; it is made if there is none.",
    )
    since: Moment | None = Field(None, description="Only messages that were received then or later.")
    dry_run: bool = Field(False, description="Copies nothing, and counts what would be copied.")
    delete_source: bool = Field(
        False,
        description="Deletes each message from the other mailbox, after its copy was read back with the same octets.",
    )
    seconds: Number = Field(SECONDS, ge=1, le=MAX_SECONDS, description="How long this request may take.")

    @model_validator(mode="after")
    def _is_new_or_not(self) -> Self:
        if (self.token is None) == (self.from_ is None):
            raise InvalidField("Send either `token` or `from`.")
        has_options = any((self.folders, self.into, self.since, self.dry_run, self.delete_source))
        if self.token is not None and has_options:  # what is as by default, generated clients may send
            raise InvalidField("With `token` only `seconds` can be sent: the rest is in the token.")
        return self

    def job(self) -> Job:
        """A new one."""
        return Job(Options(self.folders, self.into, self.since, self.dry_run, self.delete_source))


class ImportResult(Value):
    """What an import has done so far, over all of its requests."""

    token: str = Field(
        description="Send it as `token` to go on. It contains the encrypted credentials of the other mailbox: keep it"
        " as safe as a password."
    )
    is_done: bool = Field(description="Whether nothing is left to do.")
    copied: Count = Field(description="The number of messages copied by this import.")
    skipped: Count = Field(description="The number of messages that were here before.")
    failed: tuple[Failure, ...] = Field(
        description="The messages that this request could not copy or delete. They are not tried again by this import."
    )
    left: Count | None = Field(None, description="The number of messages still to be copied, as far as is known.")
    octets: Count = Field(description="The octets copied. Of a dry run: those to be copied.")
    folders: tuple[FolderProgress, ...] = Field(description="The folders of the other mailbox.")
    deleted: Count | None = Field(
        None,
        description="With `deleteSource`: the number of messages that this request deleted from the other mailbox.",
    )
    dropped_flags: tuple[str, ...] | None = Field(
        None, description="The flags that this mailbox does not keep, and that copies of this request lack."
    )
    retry_after: Number | None = Field(
        None, description="Wait this many seconds before you go on: a mail server asked for it, or was lost."
    )
    source_token: str | None = Field(
        None, description="The session token of the other mailbox from now on, if its provider gave new tokens."
    )


class _Running(NamedTuple):
    """An import whose two mailboxes are open."""

    request: Request
    account: str
    other: Other
    is_own: bool
    source: Backend
    destination: Backend
    job: Job
    seconds: float

    async def burst(self, listen: Listener) -> ImportResult:
        """Raises OverQuota with a token."""
        try:
            report = await run_burst(self.source, self.destination, self.job, self.seconds, listen)
        except OverQuota as full:
            full.token = self._token()
            raise
        return self._import(report)

    def _import(self, report: Report) -> ImportResult:
        renewed = self._session() if not self.is_own and self.other.is_renewed(self.request) else None
        return ImportResult(
            token=self._token(),
            is_done=report.is_done,
            copied=report.progress.copied,
            skipped=report.progress.skipped,
            failed=report.failed,
            left=report.progress.left,
            octets=report.progress.octets,
            folders=report.folders,
            deleted=report.deleted if self.job.options.deletes_source else None,
            dropped_flags=report.dropped or None,
            retry_after=report.retry_after,
            source_token=renewed,
        )

    def _session(self) -> str:
        return self._sessions.seal(self.other.credentials)[0]

    def _token(self) -> str:
        """The session in it lasts as long as the one that the client brought, or, if it brought credentials, as long as
        the token."""
        session = self.other.token
        if session is None or self.is_own or self.other.is_renewed(self.request):
            session = self._session()
        return self._sessions.seal_import(self.account, session, self.job.claims(), is_own=self.is_own)

    @property
    def _sessions(self) -> Sessions:
        return service_of(self.request).sessions


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What was done. With `Accept: text/event-stream`, events while it is done.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.post("/imports", response_model=ImportResult, responses=_RESPONSES)
async def import_mail(request: Request, caller: Caller, mailbox: Mailbox, new: NewImport) -> Response:
    """Copy the mail of another mailbox into this one. A request works for `seconds` at most; send its `token` to go on,
    until `isDone`.

    What is here already is not copied again: an import can be broken off at any moment, and begun again. Octets, flags,
    times of receipt, folders and their roles are kept. `\\All Mail` of Gmail comes last, and only what is in no other
    folder. What cannot be copied unaltered is left in the other mailbox, and listed in `failed`.

    The other mailbox is any that POST /v1/sessions signs in to, by the same rules. If this mailbox is full, the
    response is 507 `over-quota` with a `token` to go on with.

    With `Accept: text/event-stream` the response has events: `progress` with ImportProgress as often as it changes, and
    at the end `done` with ImportResult, or `error` with a Problem.
    """
    running = await _open(request, caller, mailbox, new)
    if _wants_events(request):
        return event_stream(_events(running))
    return Response(_json(await running.burst(lambda _: None)), media_type="application/json")


def _wants_events(request: Request) -> bool:
    """Whether only events will do. Generated clients name every type of the contract."""
    types = {each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(",")}
    return "text/event-stream" in types and "application/json" not in types


async def _open(request: Request, caller: Credentials, mailbox: Backend, new: NewImport) -> _Running:
    """Waits for the turn of the account, and opens the other mailbox; both until the response is sent."""
    service = service_of(request)
    if new.token is not None:
        sealed = service.sessions.open_import(new.token.get_secret_value(), caller.account)
        other, job, is_own = await by_token(request, sealed.source, SOURCE), Job.of(sealed.job), sealed.is_own
    else:
        assert new.from_ is not None
        other, job, is_own = await other_of(request, new.from_, SOURCE), new.job(), new.from_.token is None
    if job.options.deletes_source and caller.is_like(other.credentials):
        raise InvalidRequest("Source and destination are the same mailbox.", location="body.deleteSource")
    await until_sent(request, service.imports.turn(caller.account))
    source = await until_sent(request, opened_other(request, other, caller, SOURCE))
    return _Running(request, caller.account, other, is_own, source, mailbox, job, new.seconds)


def _json(value: Value) -> bytes:
    return value.model_dump_json(by_alias=True, exclude_none=True).encode()


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def _events(running: _Running) -> AsyncIterator[bytes]:
    """The events of a burst. If the client leaves, the burst ends."""
    latest = _Latest()
    burst = asyncio.create_task(running.burst(latest.note))
    burst.add_done_callback(lambda _: latest.wake())
    try:
        while not burst.done():
            progress = await latest.next()
            if progress is not None:
                yield _event("progress", _json(progress))
            elif not burst.done():
                yield b": ping\n\n"
            await asyncio.wait([burst], timeout=PROGRESS_SECONDS)
        yield _last(running.request, burst.result)
    finally:
        burst.cancel()
        await asyncio.gather(burst, return_exceptions=True)


def _last(request: Request, result: Callable[[], ImportResult]) -> bytes:
    try:
        return _event("done", _json(result()))
    except MailError as error:
        return _event("error", _json(problem_of(request, error)))
    except Exception as error:  # the response has begun, so this is an event too
        return _event("error", _json(fault_of(request, error)))


class _Latest:
    """The newest progress: what comes in between is not sent."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._progress: ImportProgress | None = None

    def note(self, progress: ImportProgress) -> None:
        self._progress = progress
        self._changed.set()

    def wake(self) -> None:
        """There is no more."""
        self._changed.set()

    async def next(self) -> ImportProgress | None:
        """As soon as there is one; None if there is none for long, or no more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PING_SECONDS):
                await self._changed.wait()
        progress, self._progress = self._progress, None
        self._changed.clear()
        return progress
