"""Credentials: what signs in to a mailbox."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from service.mail.ids import account_id
from service.mail.model import Protocol as MailProtocol


class SecretKind(StrEnum):
    """What the secret is."""

    PASSWORD = "password"  # noqa: S105 - the kind's name
    ACCESS_TOKEN = "accessToken"  # noqa: S105
    GRANT = "grant"
    """The id of the session whose grant has the tokens: it stays the same when they change."""


class SealedGrant(NamedTuple):
    """What a session token holds of a grant (OAuth 2.0): enough for any replica to go on with it."""

    issuer: str
    generation: int
    """Counts the refreshes: of two states of a grant the one with more is newer."""
    refresh: str
    """The refresh token. Empty in the ticket of a link, which must never cause a refresh: no client would get the
    new session token."""
    access: str
    ends_at: float
    """When the access token ends, in seconds since the epoch."""
    seconds: float
    """How long the access token lives in all."""


class AccessToken(NamedTuple):
    """An access token, and when it ends, by the monotonic clock."""

    value: str
    ends_at: float


class Grant(Protocol):
    """What a user has allowed (OAuth 2.0): it gives access tokens for as long as it lasts."""

    @property
    def sealed(self) -> SealedGrant:
        """Its present state."""

    async def access_token(self) -> AccessToken:
        """One that is valid. Raises ConsentRequired if the grant is gone, UpstreamFailure if that cannot be found
        out."""

    async def replacement(self, refused: AccessToken) -> AccessToken:
        """Another one, because the mail server refuses this one. Raises as ``access_token``."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login, the server it is for, and the protocol to speak.

    Equal credentials share connections. The secret is compared too, so a wrong password never uses a connection that
    the right one opened.
    """

    server: str
    protocol: MailProtocol
    username: str
    secret: str = field(repr=False)
    kind: SecretKind = SecretKind.PASSWORD
    grant: Grant | None = field(default=None, compare=False, repr=False)
    """Of the kind GRANT: the source of the access token for a login."""
    ends_at: float | None = field(default=None, compare=False)
    """When the secret ends, by the monotonic clock, if that is known."""

    def is_like(self, other: "Credentials") -> bool:
        """Whether both may be of the same mailbox, by two protocols."""
        return self.server == other.server and self.username.casefold() == other.username.casefold()

    @property
    def account(self) -> str:
        """The account's id. It does not depend on the secret."""
        return account_id(self.server, self.protocol, self.username)
