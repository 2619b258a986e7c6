"""The report of ``casella check`` on an issuer of tokens (OAuth 2.0)."""

from service.mail.errors import ConsentRequired, MailError, UpstreamError, UpstreamFailure
from service.oauth.issuer import Endpoints, Issuer, TokenClient
from service.probe.line import Line

_NO_TOKEN = "casella-check"  # noqa: S105 - no issuer gave it
_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
_ADVICE = "Check the address, the network, and ca_file if its certificate is not signed by a public authority."
_WRONG_CLIENT = (
    "Compare client_id and client_secret with what is registered there, and allow this client refresh tokens."
)


async def describe_issuer(issuer: Issuer) -> list[Line]:
    """Returns the report: whether the issuer describes itself, and knows the client. It has to refuse a token that
    it never gave, and says so only to a client that it knows."""
    from service.oauth.client import IssuerClient  # noqa: PLC0415 - its libraries are an extra

    client = IssuerClient(issuer)
    try:
        return await _described(client)
    finally:
        await client.aclose()


async def _described(client: TokenClient) -> list[Line]:
    where = f"oauth {client.issuer.name}"
    try:
        endpoints = await client.endpoints()
        await client.refresh(_NO_TOKEN)
    except ConsentRequired:
        return [Line(f"{where}: ok"), Line(f"  sign-in by: {_ways(endpoints)}")]
    except UpstreamError as error:
        is_client = error.code in _CLIENT
        what = f"it refuses this client: {error.code}" if is_client else f"it refuses the request: {error.code}"
        return _failed(where, what, _WRONG_CLIENT if is_client else "See the documentation of the provider.")
    except MailError as error:
        return _failed(where, error.detail, _ADVICE if isinstance(error, UpstreamFailure) else "Try again later.")
    return _failed(where, "it accepts any refresh token", "Report it to the provider: this is not safe.")


def _ways(endpoints: Endpoints) -> str:
    ways = {"code": endpoints.authorization, "device code": endpoints.device}
    return ", ".join([*(way for way, place in ways.items() if place), "refresh token"])


def _failed(where: str, what: str, advice: str) -> list[Line]:
    return [Line(f"{where}: FAILED: {what}", "✗"), Line(f"  do: {advice}")]
