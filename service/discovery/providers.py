"""The table of big providers, in ``providers.toml``. It is read once, and needs no network."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from service.accounts.servers import Endpoint, Security
from service.discovery.model import Auth, Candidate, Listener, LoginForm, Origin

_FILE = Path(__file__).with_suffix(".toml")
_DOMAIN = "{domain}"


class Provider(NamedTuple):
    """A row. A host may have ``{domain}`` in it."""

    name: str
    domains: tuple[str, ...]
    imap: Listener | None
    pop3: Listener | None
    smtp: Listener | None
    login: LoginForm
    auth: tuple[Auth, ...]

    def candidate(self, domain: str, source: Origin) -> Candidate:
        """The provider's servers for addresses of the domain."""
        imap, pop3, smtp = (_of(listener, domain) for listener in (self.imap, self.pop3, self.smtp))
        return Candidate(source, None, self.name, imap, pop3, smtp, self.login, self.auth)


@cache
def providers() -> Mapping[str, Provider]:
    """The rows by name."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(name, row) for name, row in rows.items()})


def provider_of(domain: str) -> Provider | None:
    """The provider that has this domain, exactly."""
    return _by_domain().get(domain)


def provider_behind(exchange: str) -> Provider | None:
    """The provider that this host, which receives mail for some domain, belongs to: the one with the longest of the
    domains that the host is in."""
    labels = exchange.rstrip(".").lower().split(".")
    found = (_by_domain().get(".".join(labels[start:])) for start in range(len(labels) - 1))
    return next((provider for provider in found if provider), None)


def provider_at(host: str) -> Provider | None:
    """The provider that has mailboxes on this host."""
    return _by_host().get(host.lower())


def submission_of(host: str) -> Endpoint | None:
    """The listener with TLS that sends for the users of this host, if a provider has the host."""
    provider = provider_at(host)
    smtp = provider.smtp if provider else None
    return Endpoint(*smtp) if smtp and smtp.security is not Security.NONE else None


@cache
def _by_domain() -> Mapping[str, Provider]:
    return {domain: provider for provider in providers().values() for domain in provider.domains}


@cache
def _by_host() -> Mapping[str, Provider]:
    return {place.host: row for row in providers().values() for place in (row.pop3, row.imap) if place}


def _read(name: str, row: Mapping[str, Any]) -> Provider:
    imap, pop3, smtp = (_listener(row.get(protocol)) for protocol in ("imap", "pop3", "smtp"))
    login = LoginForm(row.get("login", LoginForm.ADDRESS))
    return Provider(name, tuple(row["domains"]), imap, pop3, smtp, login, tuple(map(Auth, row["auth"])))


def _listener(text: str | None) -> Listener | None:
    if text is None:
        return None
    host, port, security = text.rsplit(":", 2)
    return Listener(host, int(port), Security(security))


def _of(listener: Listener | None, domain: str) -> Listener | None:
    return listener._replace(host=listener.host.replace(_DOMAIN, domain)) if listener else None
