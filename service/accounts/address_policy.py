"""Which addresses a mail server may have if the client names it (``any_server``): protection against SSRF.

A name is resolved once, each address is checked, and the connection goes to an address that was checked, so a name that
resolves differently the second time (DNS rebinding) leads nowhere else. An address that is not allowed looks the same
as one that does not answer, so that no client can map an internal network.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str], Awaitable[Collection[str]]]
"""Returns the addresses of a name. Raises OSError if it has none."""
_NAME = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z")
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that IANA has opened for global unicast; everything else is special or reserved (RFC 4291, 2.4)."""
_SPECIAL: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments (RFC 6890)
    IPv4Network("192.31.196.0/24"),  # AS112-v4 (RFC 7535)
    IPv4Network("192.52.193.0/24"),  # AMT (RFC 7450)
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, deprecated (RFC 7526), and 6a44 (RFC 6751)
    IPv4Network("192.175.48.0/24"),  # direct delegation to AS112 (RFC 7534)
    IPv6Network("2001::/23"),  # IETF protocol assignments: Teredo, ORCHID, benchmarks and more (RFC 2928)
    IPv6Network("2001:db8::/32"),  # documentation (RFC 3849)
    IPv6Network("2620:4f:8000::/48"),  # direct delegation to AS112 (RFC 7534)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
"""Rows of IANA's special-purpose registries that the table of Python lacks, in some or all versions of Python. No mail
server is in any of them, not even in those that the registry calls globally reachable."""


def resolving_by(threads: Executor) -> Resolve:
    """Resolves fully qualified names by the system's resolver, without its search domains, in these threads."""

    async def resolve(name: str) -> Collection[str]:
        lookup = partial(socket.getaddrinfo, f"{name}.", None, type=socket.SOCK_STREAM)
        rows = await asyncio.get_running_loop().run_in_executor(threads, lookup)
        return [str(address[0]) for *_, address in rows]

    return resolve


resolve = resolving_by(ThreadPoolExecutor(8, "resolve"))
"""In separate threads: names that an attacker makes slow to resolve must not delay the operator's."""


def is_name(text: str) -> bool:
    """Whether it is the name of a host with its domain. An IP address is not, in any notation."""
    return _NAME.match(text) is not None


def is_public(address: Address) -> bool:
    """Whether it is on the public Internet, and so is the IPv4 address embedded in it, if there is one."""
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public(embedded)
        if address not in _UNICAST:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL)
    return address.is_global and not is_special


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator on the path would turn it into (RFC 4291, 6052, 3056)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class AddressPolicy:
    """Allows public addresses, and the ``networks`` that the operator adds."""

    def __init__(self, networks: Collection[Network] = (), resolve: Resolve = resolve) -> None:
        self._networks = tuple(networks)
        self._resolve = resolve

    async def addresses(self, name: str) -> list[str]:
        """Returns the allowed addresses of the name. Raises OSError if there is none. One lookup."""
        resolved = [ip_address(text.partition("%")[0]) for text in await self._resolve(name)]
        allowed = [str(address) for address in resolved if self.allows(address)]
        if not allowed:
            raise ConnectionRefusedError(name)
        return allowed

    def allows(self, address: Address) -> bool:
        """Whether a connection may go to this address."""
        return is_public(address) or any(address in network for network in self._networks)


class OnlyNetworks(AddressPolicy):
    """Allows the operator's ``networks`` and no public address."""

    def allows(self, address: Address) -> bool:
        return any(address in network for network in self._networks)
