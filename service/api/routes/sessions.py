"""Signing in and out, and the servers one may sign in to."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field, SecretStr, model_validator

from service.accounts.credentials import SecretKind
from service.api.deps import MAX_SECRET, MAX_USERNAME, credentials_of, opened, service_of, session_of, sign_in
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routes.accounts import Account, describe
from service.mail.errors import StoreUnavailable
from service.mail.model import PROTOCOLS, OpenProtocol, Value

router = APIRouter(prefix="/v1", tags=["sessions"])


def _whole(text: str) -> str:
    text.encode()  # half a character (a lone surrogate) is a ValueError here
    return text


Text = Annotated[str, AfterValidator(_whole)]


class NewSession(Value):
    """Credentials of a mailbox: a password, or an access token from its provider (OAuth 2.0)."""

    username: Text = Field(min_length=1, max_length=MAX_USERNAME, description="The mailbox's login.")
    password: SecretStr | None = Field(None, max_length=MAX_SECRET, description="Either this or an access token.")
    access_token: SecretStr | None = Field(
        None, max_length=MAX_SECRET, description="From the mailbox's provider, in place of a password."
    )
    server: str | None = Field(
        None, description="A name from GET /v1/servers; else the username's domain picks the server."
    )
    protocol: str | None = Field(None, description=f"{PROTOCOLS}; else the first of them that the server has.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> "NewSession":
        if (self.password is None) == (self.access_token is None):
            raise ValueError("give either password or accessToken")
        return self


class Session(Value):
    """A signed-in mailbox. Send `token` as `Authorization: Bearer`."""

    token: str = Field(description="The sealed credentials. Keep it as safe as a password.")
    expires_at: datetime = Field(description="From then on it is refused.")
    account: Account = Field(description="What was signed in to.")


class Server(Value):
    """A mail server one may sign in to."""

    name: str = Field(description="To be given as `server` when signing in.")
    domains: tuple[str, ...] = Field(description="Usernames of these domains are served by it without naming it.")
    protocols: tuple[OpenProtocol, ...] = Field(description="How it may be spoken to.")


class Servers(Value):
    """The operator's table."""

    items: tuple[Server, ...] = Field(description="The servers.")


@router.post(
    "/sessions",
    status_code=201,
    responses=problem_responses(*SIGNED_IN),
    response_model_exclude_none=True,
)
async def create_session(request: Request, new: NewSession) -> Session:
    """Log in to the mail server, there and then, and get a token for it.

    The token is the sealed credential itself: nothing is stored, and any replica with the same key opens it.
    """
    service = service_of(request)
    given = new.password or new.access_token
    kind = SecretKind.PASSWORD if new.password is not None else SecretKind.ACCESS_TOKEN
    secret = given.get_secret_value() if given else ""
    credentials = sign_in(service, new.username, secret, new.server, new.protocol, kind)
    async with opened(request, credentials) as backend:
        await backend.check()
        token, expires = service.sessions.seal(credentials)
        return Session(
            token=token, expires_at=datetime.fromtimestamp(expires, UTC), account=describe(credentials, backend)
        )


@router.delete(
    "/sessions/current",
    status_code=204,
    responses=problem_responses(
        *("unauthenticated", "not-found", "invalid-request", "too-many-requests", "internal-error"),
        *("upstream-error", "upstream-unavailable", "upstream-timeout"),
    ),
)
async def delete_session(request: Request) -> None:
    """End the session: its token, and links made with it, are refused from now on, and the account's connections to the
    mail server are closed.

    Where the operator has given the replicas a shared store, all of them refuse the token within 5 seconds; 503
    `store-unavailable` says that this one does, and the others will once the store answers. Without a shared store
    only the process that answered refuses it, and others take it until it expires: forget it. With Basic there is no
    session, and only connections are closed.
    """
    service, credentials = service_of(request), credentials_of(request)
    session = session_of(request)
    if session is None:
        async with opened(request, credentials):
            pass  # whoever guesses is told so
        await service.accounts.close(credentials)
        return
    try:
        await service.revocations.revoke(session)
    except StoreUnavailable:
        await service.accounts.close(credentials)
        raise
    await service.accounts.close(credentials)


@router.get("/servers", response_model_exclude_none=True, responses=problem_responses("internal-error"))
async def list_servers(request: Request) -> Servers:
    """The names one may give as `server`, with the domains they serve. No host is told."""
    rows = service_of(request).servers
    return Servers(
        items=tuple(
            Server(
                name=row.name,
                domains=tuple(sorted(row.domains)),
                protocols=row.protocols,
            )
            for row in rows
        )
    )
