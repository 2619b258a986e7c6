"""Who is calling: from the Authorization header to the account's mailbox."""

from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from service.accounts.credentials import Credentials, SecretKind
from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.accounts.revocation import Revocations, TokenId
from service.accounts.servers import ServerTable
from service.accounts.tokens import Sessions
from service.api.event_streams import Streams
from service.api.idempotency import Repeats
from service.api.parameters import AccountId, MessageId, PartId
from service.mail.backend import Backend
from service.mail.errors import InvalidRequest, NotFound, Unauthenticated
from service.mail.model import PROTOCOLS, Protocol

MAX_USERNAME = 1000
MAX_SECRET = 8192
MAX_TICKET = 16 << 10


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes stand on; made by the composition root."""

    servers: ServerTable
    accounts: Accounts
    sessions: Sessions
    repeats: Repeats
    streams: Streams
    rates: Rates
    revocations: Revocations
    public_url: str | None = None
    """Where clients reach the service, without a slash at its end; None: where the request came to."""


def service_of(request: Request) -> Service:
    """The service this request came to."""
    service: Service = request.app.state.service
    return service


def sign_in(
    service: Service,
    username: str,
    secret: str,
    server: str | None,
    protocol: str | None,
    kind: SecretKind = SecretKind.PASSWORD,
) -> Credentials:
    """Credentials for a server of the table. InvalidRequest for what no mail server could be sent."""
    if any(char in "\0\r\n" for char in username + secret):
        raise InvalidRequest("A username or password must not contain NUL, CR or LF.")
    if not 0 < len(username) <= MAX_USERNAME or len(secret) > MAX_SECRET:
        raise InvalidRequest(
            f"A username has 1 to {MAX_USERNAME} characters, a password or token at most {MAX_SECRET}."
        )
    row = service.servers.pick(username, server)
    try:
        chosen = Protocol(protocol.lower()) if protocol else row.protocol
    except ValueError:
        raise InvalidRequest(f"The protocol is one of {PROTOCOLS}.") from None
    row.require(chosen)
    return Credentials(row.name, chosen, username, secret, kind)


def credentials_of(request: Request) -> Credentials:
    """From Basic (RFC 7617, UTF-8) or Bearer; Unauthenticated for anything else."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    service = service_of(request)
    match scheme.lower():
        case "bearer":
            return service.sessions.open(value.strip())
        case "basic":
            username, secret = _basic(value.strip())
            headers = request.headers
            return sign_in(service, username, secret, headers.get("casella-server"), headers.get("casella-protocol"))
    raise Unauthenticated


def is_sealed(request: Request) -> bool:
    """Whether the credentials came as a token, which nobody makes who did not know them."""
    return request.headers.get("authorization", "")[:7].lower() == "bearer "


def session_of(request: Request) -> TokenId | None:
    """The session token of the request, which opens; None for Basic."""
    if not is_sealed(request):
        return None
    return service_of(request).sessions.session_of(request.headers["authorization"].partition(" ")[2].strip())


async def require_live(request: Request, session: TokenId | None) -> None:
    """Raises Unauthenticated for a session that was ended; StoreUnavailable if that cannot be known and it writes."""
    if session is not None:
        is_search = request.method == "POST" and request.url.path.endswith("/search")
        is_read = is_search or request.method in {"GET", "HEAD"}
        await service_of(request).revocations.require_live(session, is_read=is_read)


async def caller_of(request: Request) -> Credentials:
    """As ``credentials_of``, of a session that was not ended."""
    credentials = credentials_of(request)
    await require_live(request, session_of(request))
    return credentials


Caller = Annotated[Credentials, Depends(caller_of)]


def _basic(value: str) -> tuple[str, str]:
    try:
        username, colon, secret = b64decode(value, validate=True).decode().partition(":")
    except (Error, ValueError):
        raise Unauthenticated("The Basic credentials are not base64 of UTF-8.") from None
    if not colon:
        raise Unauthenticated("The Basic credentials have no colon between login and password.")
    return username, secret


def address_of(scope: Mapping[str, Any]) -> str:
    """Who is on the other side, or whom a trusted proxy names."""
    client = scope.get("client")
    return client[0] if client else ""


@asynccontextmanager
async def opened(request: Request, credentials: Credentials, *, is_sealed: bool = False) -> AsyncIterator[Backend]:
    """The account's mailbox, within the bounds of how often. LoginRefused or TooManyRequests where it stays closed.
    ``is_sealed`` says that the credentials come from a token of ours, which the brake on guessing leaves alone."""
    service = service_of(request)
    await service.rates.account(credentials)
    admission = (
        partial(service.rates.sealed, credentials)
        if is_sealed
        else partial(service.rates.login, address_of(request.scope), credentials)
    )
    async with service.accounts.mailbox(credentials, admission) as backend:
        yield backend


async def mailbox(request: Request, account: AccountId, credentials: Caller) -> AsyncIterator[Backend]:
    """The signed-in account's mailbox, kept open until the response is sent."""
    _demand_own(account, credentials)
    async with opened(request, credentials, is_sealed=is_sealed(request)) as backend:
        yield backend


async def part_mailbox(
    request: Request,
    account: AccountId,
    message: MessageId,
    part: PartId,
    ticket: Annotated[
        str | None, Query(max_length=MAX_TICKET, description="From a link in a message's HTML; stands for a sign-in.")
    ] = None,
) -> AsyncIterator[Backend]:
    """As ``mailbox``, also for who has a ticket for this part."""
    sessions = service_of(request).sessions
    if ticket is None:
        credentials = await caller_of(request)
    else:
        credentials = sessions.open_part_link(ticket, message, part)
        await require_live(request, sessions.session_of(ticket))
    _demand_own(account, credentials)
    async with opened(request, credentials, is_sealed=ticket is not None or is_sealed(request)) as backend:
        yield backend


def _demand_own(account: str, credentials: Credentials) -> None:
    if account not in {"me", credentials.account}:
        raise NotFound("account", "You are not signed in to this account.")


Mailbox = Annotated[Backend, Depends(mailbox)]
PartMailbox = Annotated[Backend, Depends(part_mailbox)]
