"""From an address to the mail servers that it may belong to, the best first.

The rule that picks the server for a password stays as it is (``ServerTable.pick``): discovery names servers, and a
client that signs in names one of them, or leaves the choice to the table.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog
from cachetools import TLRUCache

from service.accounts.domains import domain_of
from service.accounts.servers import MailServer, Security, ServerTable
from service.discovery.model import Auth, Candidate, Listener, Origin
from service.discovery.providers import provider_at, provider_of
from service.mail.errors import InvalidRequest

KEPT = 10_000
FOUND_SECONDS, MISSED_SECONDS = 24 * 3600.0, 600.0
"""How long it is remembered what a domain says of itself, and that it says nothing."""
AT_ONCE = 20
SECONDS = 10.0
"""For all that one domain says, the wait for its turn included. After that the tables alone answer."""
_log = structlog.get_logger("service.discovery")


class Network(Protocol):
    """What a domain says of itself (``service.discovery.network``)."""

    async def find(self, domain: str) -> Sequence[Candidate]: ...
    async def aclose(self) -> None: ...


class Discovery:
    """Remembers what domains say. ``network`` is None if nothing outside of the tables is read."""

    def __init__(self, servers: ServerTable, network: Network | None = None) -> None:
        self._servers = servers
        self._network = network
        self._kept: TLRUCache[str, Sequence[Candidate], float] = TLRUCache(KEPT, _expires, timer=time.monotonic)
        self._under_way: dict[str, asyncio.Task[Sequence[Candidate]]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def find(self, email: str) -> Sequence[Candidate]:
        """Raises InvalidRequest if it is not an address."""
        localpart, _, _ = email.rpartition("@")
        domain = domain_of(email)
        if domain is None or not localpart:
            raise InvalidRequest("This is not an email address.")
        if (claimed := self._servers.claiming(domain)) is not None:
            return [_of_row(claimed)]
        default = [_of_row(self._servers.default)] if self._servers.default else []
        provider = provider_of(domain)
        found = [provider.candidate(domain, Origin.PROVIDERS)] if provider else await self._said(domain)
        return [*default, *map(self._with_server, _distinct(found))]

    async def aclose(self) -> None:
        """Stop reading."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        if self._network is not None:
            await self._network.aclose()

    async def _said(self, domain: str) -> Sequence[Candidate]:
        """What the domain says of itself; read once for all who ask at the same time."""
        if self._network is None:
            return ()
        kept = self._kept.get(domain)
        if kept is not None:
            return kept
        task = self._under_way.get(domain)
        if task is None:
            task = self._under_way[domain] = asyncio.create_task(self._read(domain, self._network))
            task.add_done_callback(lambda _: self._under_way.pop(domain, None))
        return await asyncio.shield(task)

    async def _read(self, domain: str, network: Network) -> Sequence[Candidate]:
        try:
            async with asyncio.timeout(SECONDS), self._turns:
                found = self._kept[domain] = tuple(await network.find(domain))
        except TimeoutError:
            _log.warning("discovery takes too long")
            return ()
        return found

    def _with_server(self, found: Candidate) -> Candidate:
        """With the name by which a client signs in there: of the operator's row for this host, else the host's own if
        clients may name any."""
        for listener in (found.imap, found.pop3):
            row = self._servers.at(listener.host, listener.port) if listener else None
            if row is not None:
                return replace(found, server=row.name, auth=_auth_of(row, found.auth), is_unconfirmed=False)
        return replace(found, server=self._named(found))

    def _named(self, found: Candidate) -> str | None:
        """None unless clients may name any server."""
        names = (_host_name(listener) for listener in (found.imap, found.pop3) if listener)
        return next((name for name in names if name and self._servers.may_name(name)), None)


def _expires(_: str, found: Sequence[Candidate], now: float) -> float:
    return now + (FOUND_SECONDS if found else MISSED_SECONDS)


def _of_row(row: MailServer) -> Candidate:
    known = next((provider_at(place.host) for place in (row.imap, row.pop3) if place), None)
    return Candidate(Origin.TABLE, row.name, auth=_auth_of(row, known.auth if known else (Auth.PASSWORD,)))


def _auth_of(row: MailServer, auth: Sequence[Auth]) -> Sequence[Auth]:
    """An operator who names an issuer of tokens says that the server takes them."""
    return auth if row.oauth is None or Auth.OAUTH2 in auth else (Auth.OAUTH2, *auth)


def _distinct(found: Iterable[Candidate]) -> list[Candidate]:
    return list({candidate.listeners: candidate for candidate in reversed(list(found))}.values())[::-1]


def _host_name(listener: Listener) -> str | None:
    """As a client names it: the host alone means both 993 and 995."""
    if listener.security is Security.NONE:
        return None
    return listener.host if listener.port == 993 else f"{listener.host}:{listener.port}"
