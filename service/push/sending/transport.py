"""HTTP to endpoints that clients name: bounded in octets and time, only to addresses that were checked, and without
following redirects.

A name is resolved once for a connection, and the connection goes to an address that was checked. Its certificate has to
be the name's.
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from service.accounts.address_policy import AddressPolicy
from service.push.sending.exchange import MAX_ANSWER, Answer, Post, Unreachable

SECONDS = 10.0
"""For one request, with its connection."""
_CONNECT_SECONDS = 5.0
_CONTENT_SECONDS = 3.0
_KEPT = 200
_KEPT_SECONDS = 60.0
_MOST_ADDRESSES = 2
"""Of one name: a host with many that do not answer must not use up the time."""
_MAX_WAIT = 3600.0
_ERRORS = (
    OSError,
    UnicodeError,
    ValueError,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Opens TCP to addresses that the policy allows."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises OSError if no address is allowed: that looks the same as a host that does not answer."""
        *others, last = (await self._addresses(host))[:_MOST_ADDRESSES]
        for address in others:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (OSError, httpcore2.NetworkError, httpcore2.TimeoutException):
                continue
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _addresses(self, host: str) -> list[str]:
        try:
            address = ip_address(host)
        except ValueError:
            return await self._policy.addresses(host)
        if not self._policy.allows(address):
            raise ConnectionRefusedError(host)
        return [host]

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HttpTransport:
    """Implements ``Transport``. ``plain`` is the policy for http, which only the operator's own networks may get.
    ``context`` differs in tests only."""

    def __init__(
        self,
        policy: AddressPolicy,
        plain: AddressPolicy | None = None,
        *,
        http2: bool = False,
        connections: int = 256,
        context: ssl.SSLContext | None = None,
    ) -> None:
        # Not the context that others share: the protocols of HTTP are set in it.
        tls = context or ssl.create_default_context()
        tls.minimum_version = ssl.TLSVersion.TLSv1_2

        def pool(rules: AddressPolicy) -> httpcore2.AsyncConnectionPool:
            return httpcore2.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=connections,
                max_keepalive_connections=_KEPT,
                keepalive_expiry=_KEPT_SECONDS,
                http2=http2,
                network_backend=CheckedBackend(rules),
            )

        self._pools = {"https": pool(policy)} | ({"http": pool(plain)} if plain else {})

    async def post(self, request: Post) -> Answer:
        pool = self._pools.get(urlsplit(request.url).scheme)
        if pool is None:
            raise Unreachable
        try:
            async with asyncio.timeout(SECONDS):
                return await _post(pool, request)
        except (*_ERRORS, ExceptionGroup):
            raise Unreachable from None

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


async def _post(pool: httpcore2.AsyncConnectionPool, request: Post) -> Answer:
    headers = {"Host": urlsplit(request.url).netloc, "User-Agent": "Casella", "Accept-Encoding": "identity"}
    headers |= {"Content-Length": str(len(request.body)), **request.headers}
    waits = {"connect": _CONNECT_SECONDS, "read": SECONDS, "write": SECONDS, "pool": SECONDS}
    async with pool.stream(
        "POST", request.url, headers=list(headers.items()), content=request.body, extensions={"timeout": waits}
    ) as response:
        return Answer(response.status, await _content(response), _retry_after(response.headers))


async def _content(response: httpcore2.Response) -> bytes:
    """The beginning of it, as far as it comes in time. A push whose status has come is not sent again for the rest."""
    body = bytearray()
    with suppress(*_ERRORS, ExceptionGroup):
        async with asyncio.timeout(_CONTENT_SECONDS):
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_ANSWER:
                    break
    return bytes(body[:MAX_ANSWER])


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Only in seconds: those who answer a push do not send a date."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 8:
            return min(float(value), _MAX_WAIT)
    return None
