"""Credentials: what signs in to a mailbox."""

from dataclasses import dataclass, field
from enum import StrEnum

from service.mail.ids import account_id
from service.mail.model import Protocol


class SecretKind(StrEnum):
    """What the secret is."""

    PASSWORD = "password"  # noqa: S105 - the kind's name
    ACCESS_TOKEN = "accessToken"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login, the server it is for, and the protocol to speak.

    Equal credentials share connections. The secret is compared too, so a wrong password never uses a connection that
    the right one opened.
    """

    server: str
    protocol: Protocol
    username: str
    secret: str = field(repr=False)
    kind: SecretKind = SecretKind.PASSWORD

    @property
    def account(self) -> str:
        """The account's id. It does not depend on the secret."""
        return account_id(self.server, self.protocol, self.username)
