"""SRV (RFC 6186, RFC 8314) and MX of a domain, from the resolver of this machine.

Answers are read in threads: one of 64 KiB takes longer to read than the event loop may be held.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from dns.exception import DNSException
from dns.resolver import Resolver

from service.accounts.address_policy import is_name
from service.accounts.servers import Security
from service.discovery.model import Listener

SECONDS = 3.0
_MOST_RECORDS = 20
_THREADS = ThreadPoolExecutor(14, "records")
SERVICES = {
    "imap": (("_imaps", Security.TLS), ("_imap", Security.STARTTLS)),
    "pop3": (("_pop3s", Security.TLS), ("_pop3", Security.STARTTLS)),
    "smtp": (("_submissions", Security.TLS), ("_submission", Security.STARTTLS)),
}
"""TLS from the start first (RFC 8314, 5.1)."""


class Service(NamedTuple):
    """A row of SRV records; the order is that in which to try them."""

    priority: int
    weight: int
    host: str
    port: int


class Records:
    """Lookups of at most ``SECONDS``. ``resolver`` differs in tests only."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver

    async def listeners(self, domain: str, protocol: str) -> list[Listener]:
        """The protocol's listeners, best first. Two lookups at once."""
        names = SERVICES[protocol]
        found = await asyncio.gather(*(self._services(f"{label}._tcp.{domain}") for label, _ in names))
        return [
            Listener(service.host, service.port, security)
            for (_, security), services in zip(names, found, strict=True)
            for service in services
        ]

    async def _services(self, name: str) -> list[Service]:
        """Without those that say that there is none: their target is the root (RFC 2782)."""
        records = await self._lookup(name, "SRV")
        services = [Service(each.priority, -each.weight, _host(each.target), each.port) for each in records]
        return sorted(service for service in services if is_name(service.host))

    async def exchanges(self, domain: str) -> list[str]:
        """The hosts that receive the domain's mail, best first. One lookup."""
        records = await self._lookup(domain, "MX")
        exchanges = sorted((each.preference, _host(each.exchange)) for each in records)
        return [host for _, host in exchanges if is_name(host)]

    async def _lookup(self, name: str, kind: str) -> Sequence[Any]:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(self._records, name, kind))

    def _records(self, name: str, kind: str) -> Sequence[Any]:
        """Empty if there are none, or no answer in time."""
        try:
            resolver = self._resolver = self._resolver or Resolver()
            answer = resolver.resolve(f"{name}.", kind, lifetime=SECONDS, search=False, raise_on_no_answer=False)
            return list(answer.rrset or ())[:_MOST_RECORDS]
        except (DNSException, OSError, UnicodeError):
            return ()


def _host(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower()
