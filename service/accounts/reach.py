"""Servers that callers name themselves, where the operator allows that: which addresses one may be led to.

A name is resolved once, each address is checked, and what was checked is connected to: a name that changes its mind in
between leads nowhere else. Nothing within is told apart from what does not answer, so that nobody maps a network by it.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str], Awaitable[Collection[str]]]
"""The addresses of a name; OSError where it has none."""
_NAME = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z")
_RESOLVERS = ThreadPoolExecutor(8, "resolve")
"""Threads of their own: names that somebody makes slow to resolve must not hold up those of the operator."""
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
"""Rows of IANA's special-purpose registries that Python's own table lacks, in some or all of its versions. No mail
server is in any of them, not even in those that the registry calls globally reachable."""


async def resolve(name: str) -> Collection[str]:
    """As the system does it, and without the domains it searches by itself: ``name`` is whole."""
    ask = partial(socket.getaddrinfo, f"{name}.", None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    return [str(address[0]) for *_, address in found]


def is_name(text: str) -> bool:
    """Whether it is the name of a host, with its domain. Addresses, in whatever form, are none."""
    return _NAME.match(text) is not None


def is_public(address: Address) -> bool:
    """Whether it is of the open Internet, and so is what it stands for."""
    if isinstance(address, IPv6Address):
        inner = _within(address)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL)
    return address.is_global and not is_special


def _within(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that a translator on the way would make of it (RFC 4291, 6052, 3056)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class Reach:
    """Public addresses, and the ``networks`` that the operator adds."""

    def __init__(self, networks: Collection[Network] = (), resolve: Resolve = resolve) -> None:
        self._networks = tuple(networks)
        self._resolve = resolve

    async def addresses(self, name: str) -> list[str]:
        """Those of the name that may be connected to. OSError where there is none."""
        found = [ip_address(text.partition("%")[0]) for text in await self._resolve(name)]
        allowed = [str(address) for address in found if self.allows(address)]
        if not allowed:
            raise ConnectionRefusedError(name)
        return allowed

    def allows(self, address: Address) -> bool:
        """Whether one may be led there."""
        return is_public(address) or any(address in network for network in self._networks)
