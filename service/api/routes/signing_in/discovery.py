"""From an address to the mail server that it belongs to."""

from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import Query, Request
from pydantic import Field

from service.api.deps import MAX_USERNAME, Service, address_of, service_of
from service.api.problems import problem_responses
from service.api.routing import api_router
from service.discovery.model import Candidate, Listener
from service.mail.errors import MailError
from service.mail.model import Number, Value

router = api_router(prefix="/v1", tags=["sessions"])
_log = structlog.get_logger("service.api.discovery")


class FoundListener(Value):
    """A listener of a mail server."""

    host: str = Field(description="The name of the host.")
    port: Number = Field(description="The port.")
    security: str = Field(description="`tls`, `starttls` or `none`.")


class FoundServer(Value):
    """A mail server that the address may belong to."""

    source: str = Field(
        description="The source: `table` (the operator), `providers` (a table of big providers),"
        " `autoconfig` (the domain's own description), `srv` or `mx` (DNS). Later versions may add others."
    )
    server: str | None = Field(
        None,
        description="What to send as `server` to POST /v1/sessions. Absent: this service does not reach the server.",
    )
    provider: str | None = Field(None, description="The name of the provider in the table of big providers.")
    imap: FoundListener | None = Field(None, description="The listener for mailboxes by IMAP.")
    pop3: FoundListener | None = Field(None, description="The listener for mailboxes by POP3.")
    smtp: FoundListener | None = Field(None, description="The listener that sends messages.")
    login: str = Field(description="What to send as `username`: the `address`, or its `localpart` before the @.")
    auth: tuple[str, ...] = Field(description="How one signs in, best first: `password`, `oauth2`.")
    is_unconfirmed: bool | None = Field(
        None,
        description="true if DNS, which can be forged on the way, names a host outside of the address's domain."
        " Show the host, and send no password before the user has confirmed it.",
    )


class OAuthProvider(Value):
    """The provider at which the user agrees (RFC 6749, 4.1), with PKCE (RFC 7636)."""

    provider: str = Field(description="The name of the provider here.")
    authorization_endpoint: str = Field(description="The address to open in a browser.")
    scopes: tuple[str, ...] = Field(description="The scopes to ask for.")
    client_id: str = Field(description="The client to ask as.")


class DiscoveryResult(Value):
    """The mail servers that an address may belong to."""

    candidates: tuple[FoundServer, ...] = Field(description="The servers, best first. Empty: ask the user.")
    oauth: OAuthProvider | None = Field(None, description="For the first candidate that this service has tokens for.")


@router.get(
    "/discovery",
    response_model_exclude_none=True,
    responses=problem_responses("invalid-request", "too-many-requests", "internal-error"),
)
async def get_discovery(
    request: Request,
    email: Annotated[
        str, Query(min_length=3, max_length=MAX_USERNAME, description="The address.", examples=["ann@example.org"])
    ],
) -> DiscoveryResult:
    """Find the mail server that an address belongs to, and how to sign in there.

    The operator's table comes first, then a table of big providers. Only if clients may name any server, the service
    reads what the domain says of itself: by HTTPS from fixed places, and by DNS. It never sends the address, probes no
    port, and reads nothing of a parent domain. What a domain says is remembered for a day.
    """
    service = service_of(request)
    await service.rates.lookup(address_of(request.scope))
    found = await service.discovery.find(email)
    return DiscoveryResult(candidates=tuple(map(_shown, found)), oauth=await _oauth(service, found))


def _shown(found: Candidate) -> FoundServer:
    return FoundServer(
        source=found.source,
        server=found.server,
        provider=found.provider,
        imap=_listener(found.imap),
        pop3=_listener(found.pop3),
        smtp=_listener(found.smtp),
        login=found.login,
        auth=tuple(found.auth),
        is_unconfirmed=found.is_unconfirmed or None,
    )


def _listener(listener: Listener | None) -> FoundListener | None:
    return FoundListener(**listener._asdict()) if listener else None


async def _oauth(service: Service, found: Sequence[Candidate]) -> OAuthProvider | None:
    """None if the provider cannot be reached: a password may still do."""
    rows = (service.servers.named(candidate.server) for candidate in found if candidate.server)
    name = next((row.oauth for row in rows if row.oauth), None)
    if name is None:
        return None
    client = service.grants.client(name)
    try:
        place = (await client.endpoints()).authorization
    except MailError as error:
        _log.warning("an issuer does not describe itself", issuer=name, why=error.detail)
        return None
    if place is None:
        return None
    issuer = client.issuer
    return OAuthProvider(provider=name, authorization_endpoint=place, scopes=issuer.scopes, client_id=issuer.client_id)
