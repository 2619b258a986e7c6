"""Which mail servers may be reached, and how: the operator's table."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from service.mail.errors import InvalidRequest, NotFound
from service.mail.model import Protocol


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

    def tls_context(self) -> ssl.SSLContext:
        """Verifies certificate and host name, against ``ca_file`` where one is given, else the system's authorities."""
        return _tls_context(self.ca_file)


@dataclass(frozen=True, slots=True)
class MailServer:
    """A row of the table: a name callers may use, the domains it serves, its endpoints."""

    name: str
    domains: frozenset[str] = frozenset()
    imap: Endpoint | None = None
    pop3: Endpoint | None = None
    smtp: Endpoint | None = None

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """NotFound where this server does not speak it."""
        found = self.imap if protocol is Protocol.IMAP else self.pop3
        if found is None:
            raise NotFound("server", f"The server {self.name!r} is not configured for {protocol.upper()}.")
        return found

    @property
    def protocol(self) -> Protocol:
        """What is spoken unless the caller says otherwise."""
        return Protocol.IMAP if self.imap else Protocol.POP3


class ServerTable:
    """The rows, and the rule that picks one."""

    def __init__(self, servers: Mapping[str, MailServer], default: str | None = None) -> None:
        self._servers = dict(servers)
        self._default = default
        self._by_domain = {domain.lower(): server for server in servers.values() for domain in server.domains}

    def __iter__(self) -> Iterator[MailServer]:
        return iter(self._servers.values())

    def named(self, name: str) -> MailServer:
        """NotFound for a name that is not in the table."""
        if name not in self._servers:
            raise NotFound("server", "There is no such server. GET /v1/servers lists the names.")
        return self._servers[name]

    def pick(self, username: str, name: str | None = None) -> MailServer:
        """By name; else by the username's domain; else the default; else the only one."""
        if name:
            return self.named(name)
        by_domain = self._by_domain.get(username.rpartition("@")[2].lower())
        if by_domain:
            return by_domain
        if self._default:
            return self.named(self._default)
        if len(self._servers) == 1:
            return next(iter(self._servers.values()))
        raise InvalidRequest("Name a server: none serves the domain of this username and there is no default.")
