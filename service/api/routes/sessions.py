"""Sign-in, sign-out, and the mail servers to sign in to."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Request
from pydantic import AfterValidator, Field, SecretStr, model_validator

from service.accounts.credentials import SecretKind
from service.api.deps import MAX_SECRET, MAX_USERNAME, credentials_of, opened, service_of, session_of, sign_in
from service.api.parameters import encodable
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routes.accounts import Account, describe
from service.api.routing import api_router
from service.mail.errors import InvalidField, StoreUnavailable
from service.mail.model import PROTOCOLS, OpenProtocol, Value

router = api_router(prefix="/v1", tags=["sessions"])


Text = Annotated[str, AfterValidator(encodable)]


class NewSession(Value):
    """The credentials of a mailbox: a password, or an access token from its provider (OAuth 2.0)."""

    username: Text = Field(min_length=1, max_length=MAX_USERNAME, description="The username at the mail server.")
    password: SecretStr | None = Field(
        None, max_length=MAX_SECRET, description="The password. Send either this or `accessToken`."
    )
    access_token: SecretStr | None = Field(
        None, max_length=MAX_SECRET, description="An access token from the mailbox's provider, in place of a password."
    )
    server: str | None = Field(
        None, description="A name from GET /v1/servers. Default: the server of the username's domain."
    )
    protocol: str | None = Field(None, description=f"{PROTOCOLS}. Default: the first of them that the server has.")

    @model_validator(mode="after")
    def _has_one_secret(self) -> "NewSession":
        if (self.password is None) == (self.access_token is None):
            raise InvalidField("Send either `password` or `accessToken`.")
        return self


class Session(Value):
    """A signed-in mailbox. Send `token` as `Authorization: Bearer`."""

    token: str = Field(description="The encrypted credentials. Keep it as safe as a password.")
    expires_at: datetime = Field(description="The time at which the token expires.")
    account: Account = Field(description="The signed-in account.")


class Server(Value):
    """A mail server of this service."""

    name: str = Field(description="The name to send as `server` when signing in.")
    domains: tuple[str, ...] = Field(description="Usernames of these domains use this server by default.")
    protocols: tuple[OpenProtocol, ...] = Field(description="The protocols that the server supports.")


class ServerList(Value):
    """The mail servers of this service."""

    items: tuple[Server, ...] = Field(description="The mail servers.")


@router.post(
    "/sessions",
    status_code=201,
    responses=problem_responses(*SIGNED_IN),
    response_model_exclude_none=True,
)
async def create_session(request: Request, new: NewSession) -> Session:
    """Log in to the mail server at once, and get a token for further requests.

    The token contains the encrypted credentials. Nothing is stored, and any replica with the same key can use it.
    """
    service = service_of(request)
    given = new.password or new.access_token
    kind = SecretKind.PASSWORD if new.password is not None else SecretKind.ACCESS_TOKEN
    secret = given.get_secret_value() if given else ""
    credentials = sign_in(service, new.username, secret, new.server, new.protocol, kind)
    async with opened(request, credentials) as backend:
        await backend.check()
        token, expires = service.sessions.seal(credentials)
        can_send = service.accounts.submitter(credentials) is not None
        account = describe(credentials, backend, can_send=can_send)
        return Session(token=token, expires_at=datetime.fromtimestamp(expires, UTC), account=account)


@router.delete(
    "/sessions/current",
    status_code=204,
    responses=problem_responses(
        *("unauthenticated", "not-found", "invalid-request", "too-many-requests", "internal-error"),
        *("upstream-error", "upstream-unavailable", "upstream-timeout"),
    ),
)
async def delete_session(request: Request) -> None:
    """End the session. Its token, and links made with it, are rejected from now on, and the account's connections to
    the mail server are closed.

    If the operator has configured a shared store, all replicas reject the token within 5 seconds. 503
    `store-unavailable` means that this replica rejects it, and the others will once the store is available. Without a
    shared store only the process that answered rejects it; others accept it until it expires, so the client should
    delete it. With Basic there is no session, and only the connections are closed.
    """
    service, credentials = service_of(request), credentials_of(request)
    session = session_of(request)
    if session is None:
        async with opened(request, credentials):
            pass  # a wrong password is refused here, not confirmed
        await service.accounts.close(credentials)
        return
    try:
        await service.revocations.revoke(session)
    except StoreUnavailable:
        await service.accounts.close(credentials)
        raise
    await service.accounts.close(credentials)


@router.get("/servers", response_model_exclude_none=True, responses=problem_responses("internal-error"))
async def list_servers(request: Request) -> ServerList:
    """The names of the mail servers, with their domains. Host names are not shown."""
    rows = service_of(request).servers
    return ServerList(
        items=tuple(
            Server(
                name=row.name,
                domains=tuple(sorted(row.domains)),
                protocols=row.protocols,
            )
            for row in rows
        )
    )
