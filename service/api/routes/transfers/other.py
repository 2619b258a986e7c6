"""The other mailbox of a request: its credentials, and signing in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from fastapi import Request
from pydantic import Field, SecretStr, model_validator

from service.accounts.credentials import Credentials
from service.accounts.tokens import MAX_TOKEN
from service.api.deps import opened, require_live, service_of, with_grant
from service.api.routes.signing_in.sessions import SECRETS, Secrets, Username, credentials_from
from service.mail.backend import Backend
from service.mail.errors import InvalidField, InvalidRequest
from service.oauth.grants import SessionGrant
from service.transfer.links import named


class OtherMailbox(Secrets):
    """Another mailbox: the token of a session there, or credentials as POST /v1/sessions takes them."""

    token: SecretStr | None = Field(
        None, min_length=1, max_length=MAX_TOKEN, description="The token of a session. Send this, or credentials."
    )
    username: Username | None = None

    @model_validator(mode="after")
    def _has_one_way(self) -> Self:
        if self.token is None and self.username is None:
            raise InvalidField("Send `token`, or `username` with a secret.")
        if self.token is None:
            self.require_one()
        elif self.model_fields_set & {"username", "server", "protocol", *SECRETS}:
            raise InvalidField("Send `token`, or credentials, not both.")
        return self


class OtherFolder(OtherMailbox):
    """A folder of another mailbox."""

    folder_id: str = Field(min_length=1, max_length=3000, description="The folder's id or role there.")


class Other(NamedTuple):
    """The credentials. ``token`` is that of a session; None: they have not been tried yet."""

    credentials: Credentials
    token: str | None

    def is_renewed(self, request: Request) -> bool:
        """Whether the grant is newer than that in the token."""
        grant = self.credentials.grant
        sealed = service_of(request).sessions.grant_of(self.token) if self.token else None
        return bool(sealed and grant and grant.sealed.generation > sealed.generation)


async def other_of(request: Request, given: OtherMailbox, side: str) -> Other:
    """Of a body. Raises Unauthenticated, InvalidRequest, and NotFound("server"), with ``side`` before the details."""
    if given.token is not None:
        return await by_token(request, given.token.get_secret_value(), side)
    async with named(side):
        return Other(await credentials_from(request, given.username or "", given), None)


async def by_token(request: Request, token: str, side: str) -> Other:
    """Of a session token. Raises Unauthenticated if it is not valid, or the session was ended."""
    service = service_of(request)
    async with named(side):
        credentials = with_grant(service, service.sessions.open(token), token)
        await require_live(request, service.sessions.session_of(token))
        if isinstance(credentials.grant, SessionGrant):
            await credentials.grant.keep_fresh()
        return Other(credentials, token)


@asynccontextmanager
async def opened_other(request: Request, other: Other, own: Credentials, side: str) -> AsyncIterator[Backend]:
    """The mailbox, signed in, within the same limits as any other sign-in. Raises InvalidRequest if it is that of
    ``own``."""
    if other.credentials.account == own.account:
        raise InvalidRequest("Source and destination are the same mailbox.")
    async with opened(request, other.credentials, is_sealed=other.token is not None) as mailbox:
        async with named(side):
            await mailbox.check()
        yield mailbox
