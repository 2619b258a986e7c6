"""The events of several accounts on one connection."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Request
from pydantic import Field, SecretStr
from starlette.responses import StreamingResponse

from service.accounts.tokens import MAX_TOKEN, Listener
from service.api.deps import MAX_TICKET, require_live, service_of, with_grant
from service.api.events.position import LOST, open_position
from service.api.events.response import STREAM, Folders, LastEventId, Since, event_stream, names_of
from service.api.events.several import SharedStream
from service.api.problems import Problem, problem_of, problem_responses
from service.api.routing import api_router
from service.mail.errors import MailError, StaleToken, TooLarge, Unauthenticated
from service.mail.model import Value

router = api_router(
    prefix="/v1/events",
    tags=["changes"],
    responses=problem_responses("unauthenticated", "invalid-request", "too-many-requests", "internal-error"),
)
MAX_ACCOUNTS = 50
SessionToken = Annotated[SecretStr, Field(min_length=1, max_length=MAX_TOKEN)]


class NewEventTicket(Value):
    """The accounts of a stream, by the tokens of their sessions."""

    tokens: tuple[SessionToken, ...] = Field(
        min_length=1, max_length=MAX_ACCOUNTS, fail_fast=True, description="The token of each account's session."
    )


class EventTicketAccount(Value):
    """What came of one of the tokens."""

    account_id: str | None = Field(None, description="The account whose events the stream has.")
    problem: Problem | None = Field(None, description="Why the stream does not have this account.")


class EventTicket(Value):
    """A permission to open a stream."""

    ticket: str = Field(description="The value of `ticket` for GET /v1/events. Keep it as safe as a token.")
    expires_at: datetime = Field(
        description="Until when streams can be opened with it. A stream that is open then stays open."
    )
    accounts: tuple[EventTicketAccount, ...] = Field(description="What came of each token, in their order.")


@router.post(
    "/tickets",
    status_code=201,
    responses=problem_responses("too-large"),
    response_model_exclude_none=True,
)
async def create_event_ticket(request: Request, new: NewEventTicket) -> EventTicket:
    """A ticket for one stream of the events of several accounts: an `EventSource` sends no headers, and a browser opens
    only six connections to a host over HTTP/1.1.

    The ticket lives ten minutes and opens streams of events only. A token that is not valid is named in `accounts`, and
    does not affect the others; 401 if none is.
    """
    listeners: dict[str, Listener] = {}
    accounts = []
    for token in new.tokens:
        try:
            listener = await _listener(request, token.get_secret_value())
        except MailError as error:
            accounts.append(EventTicketAccount(problem=problem_of(request, error)))
        else:
            listeners.setdefault(listener.credentials.account, listener)
            accounts.append(EventTicketAccount(account_id=listener.credentials.account))
    if not listeners:
        raise Unauthenticated("None of these tokens is valid here. Sign in again with POST /v1/sessions.")
    ticket, expires = service_of(request).sessions.seal_event_ticket([*listeners.values()])
    if len(ticket) > MAX_TICKET:
        raise TooLarge("One ticket cannot hold all of these sessions. Get two, and open two streams.")
    return EventTicket(ticket=ticket, expires_at=datetime.fromtimestamp(expires, UTC), accounts=tuple(accounts))


async def _listener(request: Request, token: str) -> Listener:
    service = service_of(request)
    credentials = with_grant(service, service.sessions.open(token), token)
    session = service.sessions.session_of(token)
    assert session is not None  # only the ticket of a request without a session has none
    await service.revocations.require_live(session, is_read=True)  # a ticket changes nothing
    return Listener(credentials, session)


@router.get("", response_class=StreamingResponse, responses=STREAM)
async def watch_accounts(
    request: Request,
    ticket: Annotated[
        str,
        Query(
            max_length=MAX_TICKET,
            description="A ticket from POST /v1/events/tickets.",
            examples=["eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..m0sZ3kqVn7yTq2Lw.XkYd.Jr5fTg8vWq1bNc4xZp7aSw"],
        ),
    ],
    folders: Folders = None,
    since: Since = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Changes in several accounts as they happen, as server-sent events.

    The events are those of an account's own stream, each with `accountId`. An account that cannot be reached has pings
    with the mode `down`, and comes back by itself. `ended` has `accountId` and `problem`: the stream has no more events
    of this account, because its session was ended or it cannot be watched. `resync` without `folderId` is about all
    folders of the account. The id of an event is the state of all accounts:
    `Last-Event-ID` or `since`, with the same accounts or others, continues on any replica.
    """
    sessions = service_of(request).sessions
    listeners = sessions.open_event_ticket(ticket)
    if not [each for each in listeners if await _is_live(request, each)]:
        raise Unauthenticated("The sessions of this ticket have ended. Sign in again with POST /v1/sessions.")
    states: Mapping[str, bytes] = {}
    if token := last_event_id or since:
        try:
            states = open_position(sessions, token)
        except StaleToken:
            states = dict.fromkeys((each.credentials.account for each in listeners), LOST)
    return event_stream(SharedStream(request, listeners, states, names_of(folders)).events())


async def _is_live(request: Request, listener: Listener) -> bool:
    try:
        listener.require_unexpired()
        await require_live(request, listener.session)
    except Unauthenticated:
        return False
    return True
