"""The operator's table of issuers, and what they answer."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Issuer:
    """A row: either ``url``, at which the issuer describes itself (RFC 8414), or its endpoints."""

    name: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    url: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    device_endpoint: str | None = None
    ca_file: Path | None = None


class Endpoints(NamedTuple):
    """The endpoints of an issuer."""

    token: str
    authorization: str | None = None
    device: str | None = None


class Tokens(NamedTuple):
    """The answer of a token endpoint (RFC 6749, 5.1)."""

    access: str
    seconds: float
    """How long the access token lives."""
    refresh: str | None = None


class DeviceCode(NamedTuple):
    """The answer of a device authorization endpoint (RFC 8628, 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    interval: int
    expires_at: datetime
    verification_uri_complete: str | None = None


class TokenClient(Protocol):
    """Asks one issuer. All methods raise leaves of ``errors.MailError``: ConsentRequired if the issuer says that the
    grant is gone or was not given, AuthorizationPending, and UpstreamFailure with the protocol ``oauth``."""

    issuer: Issuer

    async def endpoints(self) -> Endpoints: ...
    async def refresh(self, refresh_token: str) -> Tokens: ...
    async def by_code(self, code: str, verifier: str, redirect_uri: str) -> Tokens: ...
    async def by_device(self, device_code: str) -> Tokens: ...
    async def begin_device(self) -> DeviceCode: ...
    async def aclose(self) -> None: ...
