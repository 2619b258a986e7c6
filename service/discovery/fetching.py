"""Fetches a small document by HTTPS from a host that a client named: bounded in octets and time, at an allowed address,
without following any redirect."""

import asyncio
import ssl

import httpx2

from service.accounts.address_policy import AddressPolicy
from service.accounts.servers import trusting

MAX_OCTETS = 64 << 10
SECONDS = 3.0
_MOST_ADDRESSES = 2
"""Of one name: a host with many that do not answer must not use up the time."""
_HEADERS = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity", "User-Agent": "Casella"}


class Fetcher:
    """``port`` and ``context`` differ in tests only."""

    def __init__(self, policy: AddressPolicy, port: int = 443, context: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._port = port
        # No proxy of the environment is used: it would resolve the name a second time, by rules of its own.
        self._client = httpx2.AsyncClient(
            verify=context or trusting(None),
            trust_env=False,
            follow_redirects=False,
            timeout=SECONDS,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def get(self, host: str, path: str) -> bytes | None:
        """Returns the document; None for anything that is not simply one of at most ``MAX_OCTETS`` within
        ``SECONDS``."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._get(host, path)
        except (OSError, UnicodeError, httpx2.HTTPError, httpx2.InvalidURL):
            return None

    async def _get(self, host: str, path: str) -> bytes | None:
        *others, last = (await self._policy.addresses(host))[:_MOST_ADDRESSES]
        for address in others:
            try:
                return await self._get_at(address, host, path)
            except (OSError, httpx2.TransportError):
                continue
        return await self._get_at(last, host, path)

    async def _get_at(self, address: str, host: str, path: str) -> bytes | None:
        """The connection goes to the address that was checked, and its certificate has to be the host's."""
        place = f"[{address}]" if ":" in address else address
        request = self._client.build_request(
            "GET",
            f"https://{place}:{self._port}{path}",
            headers={**_HEADERS, "Host": host},
            extensions={"sni_hostname": host},
        )
        response = await self._client.send(request, stream=True)
        try:
            is_plain = response.headers.get("content-encoding", "identity") == "identity"
            return await _body(response) if response.status_code == httpx2.codes.OK and is_plain else None
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close what is open."""
        await self._client.aclose()


async def _body(response: httpx2.Response) -> bytes | None:
    octets = bytearray()
    async for chunk in response.aiter_raw():
        octets += chunk
        if len(octets) > MAX_OCTETS:
            return None
    return bytes(octets)
