"""What a domain that is in no table says of itself: its own description by HTTPS, SRV, and where its mail goes (MX).

Only for names that are names of the Internet, and only hosts at allowed addresses become candidates: a client learns
nothing of a network that it could not reach itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from service.accounts.address_policy import AddressPolicy, is_name
from service.discovery import autoconfig
from service.discovery.autoconfig import PORTS
from service.discovery.dns_records import Records
from service.discovery.fetching import Fetcher
from service.discovery.model import Candidate, Listener, Origin
from service.discovery.providers import provider_behind

_MOST_HOSTS = 2
"""Of SRV, for one protocol, whose addresses are looked up."""


class Reach(NamedTuple):
    """The rules for hosts that clients name: which addresses are allowed, and which hosts the operator named."""

    policy: AddressPolicy
    is_known: Callable[[Listener], bool]


class Network:
    """Reads what the domain says. Without ``reach`` only MX is looked up, and only known providers are found by it."""

    def __init__(self, records: Records, fetcher: Fetcher | None = None, reach: Reach | None = None) -> None:
        self._records = records
        self._fetcher = fetcher
        self._reach = reach

    async def find(self, domain: str) -> Sequence[Candidate]:
        """Best first, all sources at once: two fetches and seven lookups, each of a few seconds at most."""
        if not is_name(domain):
            return ()
        sources: list[Awaitable[Candidate | None]] = [self._by_mx(domain)]
        if self._fetcher is not None and self._reach is not None:
            sources = [self._by_autoconfig(domain, self._fetcher), self._by_srv(domain), *sources]
        return [found for found in await asyncio.gather(*sources) if found]

    async def aclose(self) -> None:
        """Close what is open."""
        if self._fetcher is not None:
            await self._fetcher.aclose()

    async def _by_autoconfig(self, domain: str, fetcher: Fetcher) -> Candidate | None:
        fetches = [fetcher.get(host.format(domain), path) for host, path in autoconfig.PLACES]
        for document in await asyncio.gather(*fetches):
            if document is not None and (found := autoconfig.read(document, domain)):
                return await self._allowed(found)
        return None

    async def _by_srv(self, domain: str) -> Candidate | None:
        imap, pop3, smtp = await asyncio.gather(*(self._service(domain, protocol) for protocol in PORTS))
        if not (imap or pop3):
            return None
        hosts = [listener.host for listener in (imap, pop3, smtp) if listener]
        is_foreign = any(host != domain and not host.endswith(f".{domain}") for host in hosts)
        return Candidate(Origin.SRV, imap=imap, pop3=pop3, smtp=smtp, is_unconfirmed=is_foreign)

    async def _service(self, domain: str, protocol: str) -> Listener | None:
        found = await self._records.listeners(domain, protocol)
        usual = [each for each in found if PORTS[protocol].get(each.port) is each.security]
        for listener in usual[:_MOST_HOSTS]:
            if await self._is_allowed(listener):
                return listener
        return None

    async def _by_mx(self, domain: str) -> Candidate | None:
        """The provider that receives the domain's mail. One whose hosts are named by the address's domain is left out:
        that would be a guess."""
        exchanges = await self._records.exchanges(domain)
        provider = provider_behind(exchanges[0]) if exchanges else None
        if provider is None:
            return None
        found = provider.candidate("", Origin.MX)
        return found if all(is_name(listener.host) for listener in found.listeners if listener) else None

    async def _allowed(self, found: Candidate) -> Candidate | None:
        """The candidate without listeners that may not be reached; None if no mailbox is left."""
        imap, pop3, smtp = await asyncio.gather(*map(self._checked, found.listeners))
        return replace(found, imap=imap, pop3=pop3, smtp=smtp) if imap or pop3 else None

    async def _checked(self, listener: Listener | None) -> Listener | None:
        return listener if listener and await self._is_allowed(listener) else None

    async def _is_allowed(self, listener: Listener) -> bool:
        assert self._reach is not None
        if self._reach.is_known(listener):
            return True
        try:
            return bool(await self._reach.policy.addresses(listener.host))
        except (OSError, UnicodeError):
            return False
