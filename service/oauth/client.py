"""Asks one issuer for tokens, by authlib on httpx2. Answers are bounded, and no secret and no word of the issuer is in
an error."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard, TypeVar

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE

from service.accounts.servers import trusting
from service.mail.errors import (
    AuthorizationPending,
    ConsentRequired,
    MailError,
    NotSupported,
    TooManyRequests,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from service.oauth.issuer import DeviceCode, Endpoints, Issuer, Tokens
from service.oauth.urls import is_endpoint
from service.telemetry.upstream import Command

T = TypeVar("T")
PROTOCOL = "oauth"
MAX_OCTETS = 64 << 10
SECONDS = 10.0
METADATA_SECONDS = 3600.0
MAX_TOKEN = 8 << 10
DEFAULT_SECONDS, MAX_SECONDS = 3600, 30 * 24 * 3600
"""How long an access token lives if the issuer does not say, and at most."""
DEFAULT_INTERVAL, SLOWER = 5, 10
"""Seconds between two questions whether the user has agreed (RFC 8628, 3.5)."""
_WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_GONE = frozenset({"invalid_grant", "access_denied", "expired_token", "interaction_required", "consent_required"})
_GONE |= {"login_required"}
_PENDING = {"authorization_pending": DEFAULT_INTERVAL, "slow_down": SLOWER}
_LATER = frozenset({"temporarily_unavailable", "server_error"})
_ERROR = re.compile(r"[a-z_]{1,60}")


class _Bounded(httpx2.AsyncHTTPTransport):
    """Refuses an answer that is too large, and any that is compressed: it could grow a thousandfold."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            await response.aclose()
            raise UpstreamProtocol("The sign-in provider's answer is compressed.", protocol=PROTOCOL)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        octets = 0
        async for chunk in self._stream:
            octets += len(chunk)
            if octets > MAX_OCTETS:
                raise UpstreamProtocol("The sign-in provider's answer is too long.", protocol=PROTOCOL)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class IssuerClient:
    """Implements ``TokenClient``."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._transport = _Bounded(verify=trusting(issuer.ca_file))
        self._described: tuple[Endpoints, float] | None = None
        self._describing = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def endpoints(self) -> Endpoints:
        """From the configuration, else as the issuer describes itself, which is kept for ``METADATA_SECONDS``."""
        issuer = self.issuer
        if issuer.token_endpoint:
            return Endpoints(issuer.token_endpoint, issuer.authorization_endpoint, issuer.device_endpoint)
        async with self._describing:
            if self._described is None or self._described[1] < time.monotonic():
                described = await self._asked("METADATA", self._describe)
                self._described = described, time.monotonic() + METADATA_SECONDS
            return self._described[0]

    async def refresh(self, refresh_token: str) -> Tokens:
        place = (await self.endpoints()).token
        return await self._tokens("REFRESH", lambda client: client.refresh_token(place, refresh_token=refresh_token))

    async def by_code(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        place = (await self.endpoints()).token
        return await self._tokens(
            "CODE",
            lambda client: client.fetch_token(
                place,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
            ),
        )

    async def by_device(self, device_code: str) -> Tokens:
        place = (await self.endpoints()).token
        return await self._tokens(
            "DEVICE",
            lambda client: client.fetch_token(place, grant_type=DEVICE_CODE_GRANT_TYPE, device_code=device_code),
        )

    async def begin_device(self) -> DeviceCode:
        place = (await self.endpoints()).device
        if place is None:
            raise NotSupported("device", "This provider has no sign-in by device code.")

        async def ask(client: AsyncOAuth2Client) -> Mapping[str, Any]:
            form = {"client_id": self.issuer.client_id, "scope": " ".join(self.issuer.scopes)}
            auth = client.client_auth(client.token_endpoint_auth_method)
            return _object(await client.post(place, data=form, auth=auth))

        return _device_code(await self._asked("AUTHORIZE", ask))

    async def _tokens(self, verb: str, ask: Callable[[AsyncOAuth2Client], Awaitable[Mapping[str, Any]]]) -> Tokens:
        return _read_tokens(await self._asked(verb, ask))

    async def _asked(self, verb: str, ask: Callable[[AsyncOAuth2Client], Awaitable[T]]) -> T:
        """Each question has a client of its own, since a client keeps the token that it got."""
        client = AsyncOAuth2Client(
            self.issuer.client_id,
            self.issuer.client_secret,
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=SECONDS,
        )
        with Command(PROTOCOL, self.issuer.name, verb) as command:
            try:
                async with asyncio.timeout(SECONDS):
                    answer = await ask(client)
            except OAuthError as error:
                refusal, command.outcome = _refusal(str(error.error)), "no"
            except MailError:
                raise
            except Exception as error:
                raise _failure(error) from None
            else:
                command.outcome = "ok"
                return answer
        raise refusal

    async def _describe(self, client: AsyncOAuth2Client) -> Endpoints:
        """OpenID Connect Discovery 1.0, 4, and RFC 8414, 3. The description has to name the issuer itself."""
        url = (self.issuer.url or "").rstrip("/")
        for place in _places(url):
            response = await client.request("GET", place, withhold_token=True)
            if response.status_code == httpx2.codes.NOT_FOUND:
                continue
            found = _object(response)
            if str(found.get("issuer", "")).rstrip("/") != url:
                raise UpstreamProtocol("The sign-in provider describes another issuer.", protocol=PROTOCOL)
            return _read_endpoints(found)
        raise UpstreamProtocol("The sign-in provider does not describe itself at this address.", protocol=PROTOCOL)


def _places(url: str) -> list[str]:
    """RFC 8414 puts the well-known part before the issuer's path, OpenID Connect behind it."""
    host_end = url.find("/", len("https://"))
    host, path = (url, "") if host_end < 0 else (url[:host_end], url[host_end:])
    openid, oauth = _WELL_KNOWN
    return [f"{url}{openid}", f"{host}{oauth}{path}"]


def _read_endpoints(found: Mapping[str, Any]) -> Endpoints:
    names = ("token_endpoint", "authorization_endpoint", "device_authorization_endpoint")
    token, authorization, device = (
        value if isinstance(value := found.get(name), str) and is_endpoint(value) else None for name in names
    )
    if token is None:
        raise UpstreamProtocol("The sign-in provider describes no token endpoint.", protocol=PROTOCOL)
    return Endpoints(token, authorization, device)


def _object(response: httpx2.Response) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises OAuthError for one that is an error."""
    if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR or response.is_redirect:
        response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError("not an object")
    if "error" in found:
        raise OAuthError(error=found["error"])
    response.raise_for_status()
    return found


def _read_tokens(found: Mapping[str, Any]) -> Tokens:
    access, refresh, seconds = found.get("access_token"), found.get("refresh_token"), found.get("expires_in")
    if str(found.get("token_type") or "bearer").lower() != "bearer":  # RFC 6749, 7.1
        raise UpstreamProtocol(
            "The sign-in provider's token is of a kind that mail servers do not take.", protocol=PROTOCOL
        )
    if not (_is_token(access) and (refresh is None or _is_token(refresh))):
        raise UpstreamProtocol("The sign-in provider's answer has no usable token.", protocol=PROTOCOL)
    return Tokens(access, min(max(1, _number(seconds, DEFAULT_SECONDS)), MAX_SECONDS), refresh)


def _device_code(found: Mapping[str, Any]) -> DeviceCode:
    """Google says ``verification_url``."""
    place = found.get("verification_uri") or found.get("verification_url")
    complete = found.get("verification_uri_complete")
    texts = [found.get("device_code"), found.get("user_code"), place]
    if not all(_is_token(text) for text in texts) or not is_endpoint(str(place)):
        raise UpstreamProtocol("The sign-in provider's answer has no usable device code.", protocol=PROTOCOL)
    return DeviceCode(
        str(found["device_code"]),
        str(found["user_code"]),
        str(place),
        min(max(1, _number(found.get("interval"), DEFAULT_INTERVAL)), 300),
        datetime.now(UTC) + timedelta(seconds=min(max(1, _number(found.get("expires_in"), 600)), MAX_SECONDS)),
        complete if _is_token(complete) and is_endpoint(complete) else None,
    )


def _is_token(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_TOKEN and value.isascii() and value.isprintable()


def _number(value: Any, default: int) -> int:
    """Some send it as text."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default


def _failure(error: Exception) -> Exception:
    """The error for an issuer that gives no answer, or one that is not of OAuth."""
    match error:
        case TimeoutError() | httpx2.TimeoutException():
            return UpstreamTimeout("The sign-in provider did not respond in time.", protocol=PROTOCOL)
        case httpx2.HTTPStatusError() if error.response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            return TooManyRequests("The sign-in provider limits requests.", retry_after=30)
        case httpx2.HTTPStatusError() | httpx2.TransportError() | OSError():
            return UpstreamUnavailable("The sign-in provider cannot be reached.", protocol=PROTOCOL, retry_after=5)
        case httpx2.HTTPError() | ValueError() | RecursionError():
            return UpstreamProtocol("The sign-in provider's answer could not be read.", protocol=PROTOCOL)
    return error


def _refusal(code: str) -> MailError:
    """The error for an error code of RFC 6749, 5.2, RFC 8628, 3.5, or OpenID Connect."""
    if code in _GONE:
        return ConsentRequired()
    if code in _PENDING:
        return AuthorizationPending(retry_after=_PENDING[code])
    shown = code if _ERROR.fullmatch(code) else None
    if code in _LATER:
        detail = "The sign-in provider is not available."
        return UpstreamUnavailable(detail, protocol=PROTOCOL, code=shown, retry_after=5)
    detail = "The sign-in provider refuses this service's request. The operator should check it by `casella check`."
    return UpstreamError(detail, protocol=PROTOCOL, code=shown)
