"""Sign-in, sign-out, and the mail servers to sign in to."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Request
from pydantic import AfterValidator, Field, SecretStr, model_validator

from service.accounts.credentials import Credentials, SecretKind
from service.api.deps import (
    MAX_SECRET,
    MAX_USERNAME,
    address_of,
    credentials_of,
    opened,
    service_of,
    session_of,
    sign_in,
)
from service.api.parameters import encodable
from service.api.problems import SIGNED_IN, problem_responses
from service.api.routes.accounts import Account, describe
from service.api.routing import api_router
from service.mail.errors import InvalidField, InvalidRequest, StoreUnavailable
from service.mail.model import PROTOCOLS, OpenProtocol, Value
from service.oauth.issuer import TokenClient, Tokens

router = api_router(prefix="/v1", tags=["sessions"])


Text = Annotated[str, AfterValidator(encodable)]


def _printable(secret: SecretStr) -> SecretStr:
    """What a provider gives is printable ASCII (RFC 6749, A)."""
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("it is printable ASCII")
    return secret


Granted = Annotated[SecretStr, AfterValidator(_printable)]
SECRETS = ("password", "access_token", "refresh_token", "code", "device_code")


Username = Annotated[Text, Field(min_length=1, max_length=MAX_USERNAME, description="The username at the mail server.")]


class Secrets(Value):
    """One secret of a mailbox, and the server that gets it."""

    password: SecretStr | None = Field(
        None,
        max_length=MAX_SECRET,
        description="The password. Send this, or one of `accessToken`, `refreshToken`, `code` and `deviceCode`.",
    )
    access_token: SecretStr | None = Field(
        None,
        max_length=MAX_SECRET,
        description="An access token from the mailbox's provider. The session ends with it.",
    )
    refresh_token: Granted | None = Field(
        None,
        min_length=1,
        max_length=MAX_SECRET,
        description="A refresh token of a client that the operator configured.",
    )
    code: Granted | None = Field(
        None, min_length=1, max_length=MAX_SECRET, description="The code that the provider sent to `redirectUri`."
    )
    code_verifier: Granted | None = Field(
        None, min_length=43, max_length=128, description="With `code`: the verifier of its challenge (RFC 7636)."
    )
    redirect_uri: str | None = Field(
        None, pattern="^[!-~]+$", max_length=2000, description="With `code`: the address that the provider sent it to."
    )
    device_code: Granted | None = Field(
        None, min_length=1, max_length=MAX_SECRET, description="The `deviceCode` from POST /v1/oauth/{provider}/device."
    )
    server: str | None = Field(
        None, description="A name from GET /v1/servers. Default: the server of the username's domain."
    )
    protocol: str | None = Field(None, description=f"{PROTOCOLS}. Default: the first of them that the server has.")

    def require_one(self) -> None:
        """Raises InvalidField unless there is exactly one secret."""
        if sum(getattr(self, name) is not None for name in SECRETS) != 1:
            raise InvalidField("Send one of `password`, `accessToken`, `refreshToken`, `code` and `deviceCode`.")
        with_code = [self.code, self.code_verifier, self.redirect_uri]
        if any(value is not None for value in with_code) and None in with_code:
            raise InvalidField("Send `code`, `codeVerifier` and `redirectUri` together.")


class NewSession(Secrets):
    """The credentials of a mailbox: a password, or what its provider gave the app (OAuth 2.0)."""

    username: Username

    @model_validator(mode="after")
    def _has_one_secret(self) -> "NewSession":
        self.require_one()
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
    responses=problem_responses(*SIGNED_IN, "authorization-pending"),
    response_model_exclude_none=True,
)
async def create_session(request: Request, new: NewSession) -> Session:
    """Log in to the mail server at once, and get a token for further requests.

    The token contains the encrypted credentials. Nothing is stored, and any replica with the same key can use it.

    With `refreshToken`, `code` or `deviceCode` the session lasts as long as the provider accepts what the user granted,
    if a request comes before the token expires. Whenever a response has the header `Casella-Token`, use its value as
    token from then on. Until the user has agreed to a device code, the answer is 428 `authorization-pending`; once a
    grant is gone, 401 `consent-required`.
    """
    service = service_of(request)
    credentials = await credentials_from(request, new.username, new)
    async with opened(request, credentials) as backend:
        await backend.check()
        token, expires = service.sessions.seal(credentials)
        account = await describe(service, credentials, backend)
        return Session(token=token, expires_at=datetime.fromtimestamp(expires, UTC), account=account)


async def credentials_from(request: Request, username: str, new: Secrets) -> Credentials:
    """The credentials that a body has, within the rate limits. Raises InvalidRequest, and NotFound("server")."""
    service = service_of(request)
    for secret, kind in ((new.password, SecretKind.PASSWORD), (new.access_token, SecretKind.ACCESS_TOKEN)):
        if secret is not None:
            return sign_in(service, username, secret.get_secret_value(), new.server, new.protocol, kind)
    credentials = sign_in(service, username, "", new.server, new.protocol, SecretKind.GRANT)
    issuer = service.servers.named(credentials.server).oauth
    if issuer is None:
        raise InvalidRequest("This mail server has no provider of tokens here. Send a password or an accessToken.")
    async with service.rates.login(address_of(request.scope), credentials):
        tokens = await _tokens(service.grants.client(issuer), new)
    session, grant = service.grants.begin(issuer, tokens)
    return replace(credentials, secret=session, grant=grant)


async def _tokens(client: TokenClient, new: Secrets) -> Tokens:
    """What the provider gives for what the app brought. Raises ConsentRequired or AuthorizationPending."""
    if new.refresh_token is not None:
        given = new.refresh_token.get_secret_value()
        tokens = await client.refresh(given)
        return tokens if tokens.refresh else tokens._replace(refresh=given)
    if new.device_code is not None:
        return await client.by_device(new.device_code.get_secret_value())
    assert new.code is not None
    assert new.code_verifier is not None
    assert new.redirect_uri is not None
    return await client.by_code(new.code.get_secret_value(), new.code_verifier.get_secret_value(), new.redirect_uri)


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
    if credentials.kind is SecretKind.GRANT:
        session = service.sessions.whole_session(session)
        service.grants.end(credentials.secret)
    try:
        await service.revocations.revoke(session)
    except StoreUnavailable:
        await service.accounts.close(credentials)
        raise
    await service.accounts.close(credentials)


@router.get(
    "/servers",
    response_model_exclude_none=True,
    responses=problem_responses("too-many-requests", "internal-error"),
)
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
