"""What discovery finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from service.accounts.servers import Security


class Origin(StrEnum):
    """The source of a candidate, the most trusted first."""

    TABLE = "table"
    PROVIDERS = "providers"
    AUTOCONFIG = "autoconfig"
    SRV = "srv"
    MX = "mx"


class LoginForm(StrEnum):
    """What the mail server takes as username."""

    ADDRESS = "address"
    LOCALPART = "localpart"


class Auth(StrEnum):
    """How one signs in."""

    PASSWORD = "password"  # noqa: S105 - the method's name
    OAUTH2 = "oauth2"


class Listener(NamedTuple):
    """A host, its port, and how the connection is protected."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mail server that an address may belong to. One of the operator's table has no listeners: its hosts are not
    shown."""

    source: Origin
    server: str | None = None
    """What to send as ``server`` to sign in there; None if this service does not reach it."""
    provider: str | None = None
    imap: Listener | None = None
    pop3: Listener | None = None
    smtp: Listener | None = None
    login: LoginForm = LoginForm.ADDRESS
    auth: Sequence[Auth] = (Auth.PASSWORD,)
    is_unconfirmed: bool = False
    """Whether an unsigned DNS answer names a host outside of the address's domain (RFC 6186, 6)."""

    @property
    def listeners(self) -> tuple[Listener | None, ...]:
        """Its listeners. Two candidates with the same ones are one server."""
        return self.imap, self.pop3, self.smtp
