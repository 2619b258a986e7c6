"""Domains of the test's own: their DNS, their HTTPS, and a resolver that remembers which names it was asked for."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from service.accounts.address_policy import AddressPolicy
from service.accounts.servers import ServerTable
from service.discovery.dns_records import Records
from service.discovery.fetching import Fetcher
from service.discovery.finding import Discovery
from service.discovery.network import Network, Reach
from tests.servers.dns import DnsServer
from tests.servers.process import HOST
from tests.servers.tls import Certificate, make_certificate

PUBLIC = ip_network("127.0.0.0/30")
"""What counts as the Internet here: 127.0.0.1 to 127.0.0.3. All else on this machine is private."""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str, str], Awaitable[None]]
"""Answers a request for host and path."""


class Names:
    """The resolver. Names without a row do not exist."""

    def __init__(self, rows: Mapping[str, Collection[str]]) -> None:
        self._rows = rows
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Collection[str]:
        self.asked.append(name)
        if name not in self._rows:
            raise OSError("no such name")
        return self._rows[name]


class Web:
    """Speaks HTTPS for every host of the certificate. ``requests`` are hosts with their paths."""

    def __init__(self, certificate: Certificate, documents: Mapping[tuple[str, str], bytes | Serve]) -> None:
        self._certificate = certificate
        self._documents = documents
        self.requests: list[tuple[str, str]] = []
        self.targets: list[str] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ")[1]
            host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
            place = host.partition(":")[0], target.partition("?")[0]
            self.requests.append(place)
            self.targets.append(target)
            found = self._documents.get(place)
            if found is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            elif isinstance(found, bytes):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(found), found))
            else:
                await found(reader, writer, *place)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def served(self, host: str = HOST) -> AsyncIterator["Web"]:
        context = self._certificate.server_context()
        server = await asyncio.start_server(self.answer, host, 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


HOSTS = ("example.com", "autoconfig.example.com", "evil.example.com", "autoconfig.evil.example.com")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder: Path = tmp_path_factory.mktemp("web")
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    return make_certificate(folder, f"subjectAltName={names},IP:127.0.0.1")


class World:
    """All that a domain says, and what was asked for it."""

    def __init__(self, names: Names, dns: DnsServer, web: Web, discovery: Discovery) -> None:
        self.names, self.dns, self.web, self.discovery = names, dns, web, discovery


@pytest.fixture
def world(certificate: Certificate) -> Callable[..., object]:
    """``async with world(names, records, documents) as made``"""

    @asynccontextmanager
    async def make(
        names: Mapping[str, Collection[str]],
        records: Mapping[tuple[str, str], Sequence[str]] | None = None,
        documents: Mapping[tuple[str, str], bytes | Serve] | None = None,
        servers: ServerTable | None = None,
        *,
        is_silent: bool = False,
    ) -> AsyncIterator[World]:
        resolver = Names(names)
        policy = AddressPolicy([PUBLIC], resolver)
        table = servers or ServerTable({}, address_policy=policy)
        context: ssl.SSLContext = certificate.client_context()
        web = Web(certificate, documents or {})
        with DnsServer(records or {}, is_silent=is_silent) as dns:
            async with web.served():
                reach = Reach(policy, lambda listener: table.at(listener.host, listener.port) is not None)
                network = Network(Records(dns.resolver()), Fetcher(policy, web.port, context), reach)
                discovery = Discovery(table, network)
                try:
                    yield World(resolver, dns, web, discovery)
                finally:
                    await discovery.aclose()

    return make
