"""FastAPI dependencies: from the Authorization header to the account's mailbox."""

from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from secrets import token_bytes
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request

from service.accounts.credentials import Credentials, SealedGrant, SecretKind
from service.accounts.live import Accounts
from service.accounts.rates import Rates
from service.accounts.revocation import Revocations, TokenId
from service.accounts.servers import ServerTable
from service.accounts.tokens import Sessions
from service.api.events.streams import EventStreams
from service.api.idempotency import IdempotencyStore, fingerprint
from service.api.parameters import AccountId, MessageId, PartId, encodable
from service.discovery.finding import Discovery
from service.fetches.model import Desk
from service.mail.backend import Backend
from service.mail.errors import InvalidField, InvalidRequest, NotFound, Unauthenticated
from service.mail.model import PROTOCOLS, Protocol, Value
from service.oauth.grants import Grants, SessionGrant
from service.personal.identities import Identities
from service.personal.people import People
from service.push.subscribing import Push
from service.push.vapid import KEY_OCTETS, VapidKeys
from service.submission.claims import Turns
from service.submission.copies import Filing
from service.transfer.turns import ImportTurns

T = TypeVar("T")
V = TypeVar("V", bound=Value)
MAX_USERNAME = 1000
MAX_SECRET = 8192
MAX_TICKET = 16 << 10
RENEWED = "casella_renewed"
"""The key of a request's scope for the function that returns the session token to go on with, if it is a new one."""
_UNTIL_SENT = "fastapi_inner_astack"
"""The key of a request's scope for what ends after the response. FastAPI does not document it: a dependency that is a
generator would use it, but takes four times as long."""


@dataclass(frozen=True, slots=True)
class Service:
    """The objects that routes use. The composition root makes them."""

    servers: ServerTable
    accounts: Accounts
    sessions: Sessions
    idempotency: IdempotencyStore
    streams: EventStreams
    rates: Rates
    revocations: Revocations
    turns: Turns = field(default_factory=Turns)
    filing: Filing = field(default_factory=Filing)
    grants: Grants = field(default_factory=lambda: Grants({}, 0))
    discovery: Discovery = field(default_factory=lambda: Discovery(ServerTable({})))
    identities: Identities = field(default_factory=Identities)
    people: People = field(default_factory=People)
    push: Push = field(default_factory=lambda: Push(VapidKeys([token_bytes(KEY_OCTETS)])))
    imports: ImportTurns = field(default_factory=ImportTurns)
    fetches: Callable[[Credentials], Desk] | None = None
    """The standing fetches of an account. None: the service has no store."""
    max_recipients: int = 100
    max_body_octets: int = 1 << 20
    public_url: str | None = None
    """The URL at which clients reach the service, without a trailing slash. None: that of the request."""


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
    """Credentials for a server of the table. Raises InvalidRequest for values that cannot be sent to a mail server."""
    if any(char in "\0\r\n" for char in username + secret):
        raise InvalidRequest("A username or password must not contain NUL, CR or LF.")
    if not 0 < len(username) <= MAX_USERNAME or len(secret) > MAX_SECRET:
        raise InvalidRequest(
            f"A username has 1 to {MAX_USERNAME} characters, a password or token at most {MAX_SECRET}."
        )
    try:
        encodable(secret)
    except InvalidField as error:
        raise InvalidRequest(f"A password or token: {error}") from None
    mail_server = service.servers.pick(username, server)
    try:
        chosen = Protocol(protocol.lower()) if protocol else mail_server.protocol
    except ValueError:
        raise InvalidRequest(f"The protocol must be one of {PROTOCOLS}.") from None
    mail_server.require(chosen)
    return Credentials(mail_server.name, chosen, username, secret, kind)


def credentials_of(request: Request) -> Credentials:
    """The credentials from Basic (RFC 7617, UTF-8) or Bearer. Raises Unauthenticated for anything else."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    service = service_of(request)
    match scheme.lower():
        case "bearer":
            token = value.strip()
            return with_grant(service, service.sessions.open(token), token)
        case "basic":
            username, secret = _basic(value.strip())
            headers = request.headers
            return sign_in(service, username, secret, headers.get("casella-server"), headers.get("casella-protocol"))
    raise Unauthenticated


def with_grant(service: Service, credentials: Credentials, token: str) -> Credentials:
    """The credentials of a token that was opened, with the grant that is in it, if there is one."""
    sealed = service.sessions.grant_of(token) if credentials.kind is SecretKind.GRANT else None
    return granted(service, credentials, sealed)


def granted(service: Service, credentials: Credentials, sealed: SealedGrant | None) -> Credentials:
    """The credentials with their grant, in the newest state that is known. Raises Unauthenticated if its issuer is no
    longer in the configuration."""
    return replace(credentials, grant=service.grants.of(credentials.secret, sealed)) if sealed else credentials


def is_sealed(request: Request) -> bool:
    """Whether the credentials came as a session token. Only a sign-in with the right credentials makes one."""
    return request.headers.get("authorization", "")[:7].lower() == "bearer "


def session_of(request: Request) -> TokenId | None:
    """The id of the request's session token, which must be valid; None for Basic."""
    if not is_sealed(request):
        return None
    return service_of(request).sessions.session_of(_bearer(request))


async def require_live(request: Request, session: TokenId | None) -> None:
    """Raises Unauthenticated if the session was ended. If that is unknown, raises StoreUnavailable for a request that
    writes."""
    if session is not None:
        is_search = request.method == "POST" and request.url.path.endswith("/search")
        is_read = is_search or request.method in {"GET", "HEAD"}
        await service_of(request).revocations.require_live(session, is_read=is_read)


async def caller_of(request: Request) -> Credentials:
    """As ``credentials_of``. Raises Unauthenticated if the session was ended."""
    credentials = credentials_of(request)
    await require_live(request, session_of(request))
    if isinstance(credentials.grant, SessionGrant):
        request.scope[RENEWED] = partial(_renewed, request, credentials)
        await credentials.grant.keep_fresh()
    return credentials


def _renewed(request: Request, credentials: Credentials) -> str | None:
    """A new session token, if the grant is newer than the token that the request brought."""
    sessions = service_of(request).sessions
    sealed = sessions.grant_of(_bearer(request))
    is_newer = sealed and credentials.grant and credentials.grant.sealed.generation > sealed.generation
    return sessions.seal(credentials)[0] if is_newer else None


def _bearer(request: Request) -> str:
    return request.headers["authorization"].partition(" ")[2].strip()


Caller = Annotated[Credentials, Depends(caller_of)]


def _basic(value: str) -> tuple[str, str]:
    try:
        username, colon, secret = b64decode(value, validate=True).decode().partition(":")
    except (Error, ValueError):
        raise Unauthenticated("The Basic credentials are not base64-encoded UTF-8.") from None
    if not colon:
        raise Unauthenticated("The Basic credentials have no colon between username and password.")
    return username, secret


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address, or the one that a trusted proxy names. Empty if unknown."""
    client = scope.get("client")
    return client[0] if client else ""


@asynccontextmanager
async def opened(request: Request, credentials: Credentials, *, is_sealed: bool = False) -> AsyncIterator[Backend]:
    """The account's mailbox, within the rate limits. Raises LoginRefused or TooManyRequests. ``is_sealed``: the
    credentials come from a session token or a ticket, so the limit on login attempts does not apply."""
    service = service_of(request)
    admission = (
        partial(service.rates.sealed, credentials)
        if is_sealed
        else partial(service.rates.login, address_of(request.scope), credentials)
    )
    async with service.accounts.mailbox(credentials, admission) as backend:
        await service.rates.account(credentials)  # not before: others could use it up without the password
        service.push.clean_soon(credentials.account, lambda: service.accounts.mailbox(credentials))
        yield backend


async def mailbox(request: Request, account: AccountId) -> Backend:
    """The signed-in account's mailbox, kept open until the response is sent."""
    credentials = await caller_of(request)
    _require_own(account, credentials)
    return await until_sent(request, opened(request, credentials, is_sealed=is_sealed(request)))


async def confirmed(request: Request, backend: Backend) -> None:
    """For what is answered from memory or from the store: while the mail server cannot say whether a password is right,
    raises UpstreamUnavailable. A session token was made with the right one."""
    if not is_sealed(request):
        await backend.check()


async def confirmed_mailbox(request: Request, account: AccountId) -> Backend:
    """As ``mailbox``, and ``confirmed``."""
    backend = await mailbox(request, account)
    await confirmed(request, backend)
    return backend


async def done_once(
    request: Request, backend: Backend, key: str | None, work: Callable[[], Awaitable[V]], body: bytes | None = None
) -> V:
    """See ``IdempotencyStore.once``. ``body``, or a digest of it, if it is not the request's as it came."""
    if body is None:
        body = await request.body() if key is not None else b""
    store, confirm = service_of(request).idempotency, partial(confirmed, request, backend)
    return await store.once(backend.account, key, fingerprint(request, body), work, confirm)


async def until_sent(request: Request, context: AbstractAsyncContextManager[T]) -> T:
    """Enters the context, which ends after the response, and sees an error of the route before it becomes one."""
    stack: AsyncExitStack = request.scope[_UNTIL_SENT]
    return await stack.enter_async_context(context)


async def part_mailbox(
    request: Request,
    account: AccountId,
    message: MessageId,
    part: PartId,
    ticket: Annotated[
        str | None,
        Query(max_length=MAX_TICKET, description="The ticket of a link in a message's HTML, in place of a sign-in."),
    ] = None,
) -> Backend:
    """As ``mailbox``. A ticket for this part is accepted in place of a sign-in."""
    sessions = service_of(request).sessions
    if ticket is None:
        credentials = await caller_of(request)
    else:
        credentials = with_grant(service_of(request), sessions.open_part_link(ticket, message, part), ticket)
        await require_live(request, sessions.session_of(ticket))
    _require_own(account, credentials)
    return await until_sent(request, opened(request, credentials, is_sealed=ticket is not None or is_sealed(request)))


def _require_own(account: str, credentials: Credentials) -> None:
    if account not in {"me", credentials.account}:
        raise NotFound("account", "You are not signed in to this account.")


Mailbox = Annotated[Backend, Depends(mailbox)]
ConfirmedMailbox = Annotated[Backend, Depends(confirmed_mailbox)]
PartMailbox = Annotated[Backend, Depends(part_mailbox)]
