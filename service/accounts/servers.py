"""Which mail servers may be reached, and how: the operator's table."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TypeVar

from service.accounts.domains import domain_of
from service.accounts.reach import Reach, is_name
from service.mail.errors import NotFound
from service.mail.model import Protocol

P = TypeVar("P", bound=asyncio.BaseProtocol)
ELSEWHERE = "elsewhere"


class Security(StrEnum):
    """How the connection is protected. ``none`` is for loopback and test networks, and only where the operator says
    so."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@lru_cache(maxsize=64)
def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Loading a bundle of authorities takes 10 to 20 ms of a core, so once for each."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One listener of a mail server."""

    host: str
    port: int
    security: Security
    ca_file: Path | None = None
    apop: bool = False
    """POP3: sign in by APOP, and by nothing else that shows a password."""
    reach: Reach | None = field(default=None, compare=False)
    """Where the host may lie, if it was not the operator who named it."""
    server: str = field(default="", compare=False)
    """The name of its row in the table; ``ELSEWHERE`` for what callers name, so that they do not make up series."""

    async def connect(self, make: Callable[[], P], context: ssl.SSLContext | None) -> tuple[asyncio.Transport, P]:
        """TCP, and TLS where a context is given. OSError (ssl.SSLError is one) where that fails."""
        loop = asyncio.get_running_loop()
        name = self.host if context else None
        if self.reach is None:
            return await loop.create_connection(make, self.host, self.port, ssl=context, server_hostname=name)
        connection = await _first(await self.reach.addresses(self.host), self.port)
        return await loop.create_connection(make, sock=connection, ssl=context, server_hostname=name)

    def tls_context(self) -> ssl.SSLContext:
        """Verifies certificate and host name, against ``ca_file`` where one is given, else the system's authorities."""
        return _tls_context(self.ca_file)


@dataclass(frozen=True, slots=True)
class Disk:
    """Mailboxes on the local disk: ``path`` has ``{user}`` in it, ``passwords`` is a file of lines ``user:hash``."""

    path: str
    passwords: Path


@dataclass(frozen=True, slots=True)
class MailServer:
    """A row of the table: a name callers may use, the domains it serves, and where its mailboxes are, for each protocol
    by its name."""

    name: str
    domains: frozenset[str] = frozenset()
    imap: Endpoint | None = None
    pop3: Endpoint | None = None
    smtp: Endpoint | None = None
    maildir: Disk | None = None

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Those it has, the one first that is spoken unless the caller says otherwise."""
        return tuple(protocol for protocol in Protocol if getattr(self, protocol) is not None)

    def require(self, protocol: Protocol) -> None:
        """NotFound where this server does not have it."""
        if protocol not in self.protocols:
            raise NotFound("server", f"The server {self.name!r} is not configured for {protocol.upper()}.")

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """NotFound where this server does not listen for it."""
        self.require(protocol)
        found = getattr(self, protocol)
        if not isinstance(found, Endpoint):
            raise NotFound("server", f"The server {self.name!r} has {protocol.upper()} on no network.")
        return found

    @property
    def places(self) -> tuple[str, ...]:
        """Whom it asks who may sign in: its hosts, and its file of passwords."""
        hosts = tuple(host_key(listener.host) for listener in (self.imap, self.pop3) if listener)
        return (*hosts, str(self.maildir.passwords)) if self.maildir else hosts

    @property
    def protocol(self) -> Protocol:
        """What is spoken unless the caller says otherwise."""
        return self.protocols[0]


async def _first(addresses: list[str], port: int) -> socket.socket:
    """The first that answers."""
    failure = OSError("no address")
    for address in addresses:
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


_PORTS = {
    993: (Protocol.IMAP, Security.TLS),
    143: (Protocol.IMAP, Security.STARTTLS),
    995: (Protocol.POP3, Security.TLS),
    110: (Protocol.POP3, Security.STARTTLS),
}
_USUAL_PORTS = (993, 995)


def _named_by_caller(name: str, reach: Reach) -> MailServer | None:
    """``imap.example.org``, or with one of the ports of mailboxes; never without TLS."""
    host, colon, port = name.lower().partition(":")
    ports = [at for at in _PORTS if str(at) == port] if colon else list(_USUAL_PORTS)
    if not ports or not is_name(host):
        return None
    listeners = {_PORTS[at][0]: Endpoint(host, at, _PORTS[at][1], reach=reach, server=ELSEWHERE) for at in ports}
    return MailServer(name.lower(), imap=listeners.get(Protocol.IMAP), pop3=listeners.get(Protocol.POP3))


def host_key(host: str) -> str:
    """One text for a host, for all that it can be written as: letter case, a dot at its end, forms of an IP address."""
    text = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(text)
    except ValueError:
        return text
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


def _keys(servers: Iterable[MailServer]) -> dict[str, str]:
    """The name under which each place of the table is counted: the same for all rows that a place joins."""
    keys: dict[str, str] = {}
    for row in servers:
        joined = {keys[place] for place in row.places if place in keys}
        keys |= {place: row.name for place, name in keys.items() if name in joined}
        keys |= dict.fromkeys(row.places, row.name)
    return keys


class ServerTable:
    """The rows, and the rule that picks one. With ``reach`` callers may name hosts that are not in the table.

    The rows' domains are normalised (``service.accounts.domains``), and no two rows have one in common.
    """

    def __init__(
        self, servers: Mapping[str, MailServer], default: str | None = None, reach: Reach | None = None
    ) -> None:
        self._servers = dict(servers)
        self._default = servers[default] if default else _undemanding(servers)
        self._reach = reach
        self._keys = _keys(servers.values())
        self._by_domain = {domain: server for server in servers.values() for domain in server.domains}

    def __iter__(self) -> Iterator[MailServer]:
        return iter(self._servers.values())

    @property
    def default(self) -> MailServer | None:
        """Gets the passwords of strangers: of usernames without a domain, or with one that no server claims."""
        return self._default

    def named(self, name: str) -> MailServer:
        """NotFound for a name that is not in the table, and no host that may be named."""
        found = self._servers.get(name) or (_named_by_caller(name, self._reach) if self._reach else None)
        if found is None:
            raise NotFound("server", "There is no such server. GET /v1/servers lists the names.")
        return found

    def key_of(self, name: str) -> str:
        """The name under which a mail server is counted: its connections, and the passwords it refuses. One for a host,
        with or without a port, and for all rows of the table that share a host."""
        row = self._servers.get(name)
        if row is not None:
            return next((self._keys[place] for place in row.places), name)
        host = host_key(name.partition(":")[0])
        return self._keys.get(host, host)

    def pick(self, username: str, name: str | None = None) -> MailServer:
        """Returns the server of that name; else the one that claims the username's domain, exactly and never by a
        parent domain; else the default.

        Raises NotFound if there is none: a password goes to no server that was not meant.
        """
        if name:
            return self.named(name)
        found = self._by_domain.get(domain_of(username) or "") or self._default
        if found is None:
            raise NotFound(
                "server", "No server here serves this username's domain. Name one of those that GET /v1/servers lists."
            )
        return found


def _undemanding(servers: Mapping[str, MailServer]) -> MailServer | None:
    """The only server, if it states no domains: then there is nothing else that a username could be meant for."""
    only = next(iter(servers.values())) if len(servers) == 1 else None
    return only if only and not only.domains else None
