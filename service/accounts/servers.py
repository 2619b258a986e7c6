"""Which mail servers may be reached, and how: the operator's table."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TypeVar

from service.accounts.address_policy import AddressPolicy, is_name
from service.accounts.domains import domain_of
from service.mail.errors import NotFound
from service.mail.model import Protocol

P = TypeVar("P", bound=asyncio.BaseProtocol)
ELSEWHERE = "elsewhere"


class Security(StrEnum):
    """How the connection is protected. Only the operator can choose ``none``: it is for loopback and test networks."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@lru_cache(maxsize=64)
def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A client's TLS that trusts these authorities, None: the system's. Cached, because loading a bundle of authorities
    takes 10 to 20 ms of a core."""
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
    compress: bool | None = None
    """IMAP: whether to compress the connection if the server can (RFC 4978); None: unless it is on this machine."""
    files_sent: bool | None = None
    """SMTP: whether the provider itself puts a copy of what is sent into Sent; None: unknown, look there first."""
    address_policy: AddressPolicy | None = field(default=None, compare=False)
    """Which addresses the host may have, if a client named it; None if the operator did."""
    server: str = field(default="", compare=False)
    """The name of its row in the table, as a label of metrics; ``ELSEWHERE`` for hosts that clients name, which would
    otherwise make series without limit."""

    async def connect(self, make: Callable[[], P], context: ssl.SSLContext | None) -> tuple[asyncio.Transport, P]:
        """Open TCP, and TLS if there is a context. Raises OSError (ssl.SSLError is one) if that fails."""
        loop = asyncio.get_running_loop()
        name = self.host if context else None
        if self.address_policy is None:
            return await loop.create_connection(make, self.host, self.port, ssl=context, server_hostname=name)
        connection = await _first(await self.address_policy.addresses(self.host), self.port)
        return await loop.create_connection(make, sock=connection, ssl=context, server_hostname=name)

    def tls_context(self) -> ssl.SSLContext:
        """Verifies certificate and host name, by the authorities in ``ca_file`` if it is set, else by the system's."""
        return trusting(self.ca_file)


@dataclass(frozen=True, slots=True)
class Disk:
    """Mailboxes on the local disk: ``path`` has ``{user}`` in it, ``passwords`` is a file of lines ``user:hash``."""

    path: str
    passwords: Path


@dataclass(frozen=True, slots=True)
class MailServer:
    """A row of the table: a name that clients may use, the domains it serves, and the place of its mailboxes in a field
    for each protocol."""

    name: str
    domains: frozenset[str] = frozenset()
    imap: Endpoint | None = None
    pop3: Endpoint | None = None
    smtp: Endpoint | None = None
    maildir: Disk | None = None
    oauth: str | None = None
    """The name of the issuer whose access tokens it accepts."""

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols it has, the default one first."""
        return tuple(protocol for protocol in Protocol if getattr(self, protocol) is not None)

    def require(self, protocol: Protocol) -> None:
        """Raises NotFound if this server does not have the protocol."""
        if protocol not in self.protocols:
            raise NotFound("server", f"The server {self.name!r} is not configured for {protocol.upper()}.")

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """Returns the protocol's listener. Raises NotFound if this server has none."""
        self.require(protocol)
        place = getattr(self, protocol)
        if not isinstance(place, Endpoint):
            raise NotFound("server", f"The server {self.name!r} has no network address for {protocol.upper()}.")
        return place

    @property
    def authorities(self) -> tuple[str, ...]:
        """What decides about its logins: the key of each of its hosts, and the path of its password file."""
        hosts = tuple(host_key(listener.host) for listener in (self.imap, self.pop3) if listener)
        return (*hosts, str(self.maildir.passwords)) if self.maildir else hosts

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        """Host and port of each listener for mailboxes."""
        return frozenset((host_key(each.host), each.port) for each in (self.imap, self.pop3) if each)

    @property
    def protocol(self) -> Protocol:
        """The default protocol."""
        return self.protocols[0]


async def _first(addresses: list[str], port: int) -> socket.socket:
    """Returns a socket to the first address that answers. Raises the last OSError if none does."""
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


SubmissionOf = Callable[[str], Endpoint | None]
"""Returns the listener that sends for the users of a host, if it is a well-known one."""


def _named_by_client(name: str, policy: AddressPolicy, submission_of: SubmissionOf) -> MailServer | None:
    """``imap.example.org``, or with one of the ports of IMAP and POP3; never without TLS. None for any other name."""
    host, colon, port = name.lower().partition(":")
    ports = [known for known in _PORTS if str(known) == port] if colon else list(_USUAL_PORTS)
    if not ports or not is_name(host):
        return None
    listeners = {
        _PORTS[at][0]: Endpoint(host, at, _PORTS[at][1], address_policy=policy, server=ELSEWHERE) for at in ports
    }
    smtp = submission_of(host)
    if smtp is not None:
        smtp = replace(smtp, address_policy=policy, server=ELSEWHERE)
    return MailServer(name.lower(), imap=listeners.get(Protocol.IMAP), pop3=listeners.get(Protocol.POP3), smtp=smtp)


def host_key(host: str) -> str:
    """The host in one form: without differences of case, a final dot, brackets, or the notation of an IP address."""
    text = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(text)
    except ValueError:
        return text
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


def _keys(servers: Iterable[MailServer]) -> dict[str, str]:
    """The name that each authority is counted under: rows that share an authority share the name."""
    keys: dict[str, str] = {}
    for row in servers:
        joined = {keys[authority] for authority in row.authorities if authority in keys}
        keys |= {authority: row.name for authority, name in keys.items() if name in joined}
        keys |= dict.fromkeys(row.authorities, row.name)
    return keys


class ServerTable:
    """The rows, and the rule that picks one. With an ``address_policy``, clients may name hosts that are not in it.

    The rows' domains are normalised (``service.accounts.domains``), and no two rows have one in common.
    """

    def __init__(
        self,
        servers: Mapping[str, MailServer],
        default: str | None = None,
        address_policy: AddressPolicy | None = None,
        submission_of: SubmissionOf = lambda _: None,
    ) -> None:
        self._servers = dict(servers)
        self._default = servers[default] if default else _only_server(servers)
        self.address_policy = address_policy
        """The addresses that hosts named by clients may have; None if clients may name none."""
        self._submission_of = submission_of
        self._keys = _keys(servers.values())
        self._by_domain = {domain: server for server in servers.values() for domain in server.domains}

    def __iter__(self) -> Iterator[MailServer]:
        return iter(self._servers.values())

    @property
    def default(self) -> MailServer | None:
        """The server for usernames without a domain, or with one that no server claims: it gets their passwords."""
        return self._default

    def claiming(self, domain: str) -> MailServer | None:
        """The server that claims the domain, exactly and never by a parent domain."""
        return self._by_domain.get(domain)

    def at(self, host: str, port: int) -> MailServer | None:
        """The first server that the operator has at this host and port, by IMAP or POP3."""
        place = host_key(host), port
        return next((row for row in self if place in row.places), None)

    def may_name(self, name: str) -> bool:
        """Whether ``named`` returns a server for this name."""
        with suppress(NotFound):
            return bool(self.named(name))
        return False

    def named(self, name: str) -> MailServer:
        """Returns the server of that name. Raises NotFound unless the table has it, or clients may name that host."""
        server = self._servers.get(name)
        if server is None and self.address_policy:
            server = _named_by_client(name, self.address_policy, self._submission_of)
        if server is None:
            raise NotFound("server", "There is no such server. GET /v1/servers lists the names.")
        return server

    def key_of(self, name: str) -> str:
        """The name that a mail server's connections and refused logins are counted under: the same for a host with and
        without a port, and for all rows of the table that share a host."""
        row = self._servers.get(name)
        if row is not None:
            return next((self._keys[authority] for authority in row.authorities), name)
        host = host_key(name.partition(":")[0])
        return self._keys.get(host, host)

    def pick(self, username: str, name: str | None = None) -> MailServer:
        """Returns the server of that name; else the one that claims the username's domain, exactly and never by a
        parent domain; else the default.

        Raises NotFound if there is none, so that no password goes to a server it is not meant for.
        """
        if name:
            return self.named(name)
        server = self.claiming(domain_of(username) or "") or self._default
        if server is None:
            raise NotFound(
                "server", "No server here serves this username's domain. Name one of those that GET /v1/servers lists."
            )
        return server


def _only_server(servers: Mapping[str, MailServer]) -> MailServer | None:
    """The only server, if it states no domains: then every username can only be meant for it."""
    only = next(iter(servers.values())) if len(servers) == 1 else None
    return only if only and not only.domains else None
