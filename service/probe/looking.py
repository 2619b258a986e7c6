"""A second look at a server whose TLS was refused, to say what is wrong. Nobody signs in on such a connection."""

import ssl
import warnings
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from service.accounts.servers import Endpoint
from service.mail.errors import MailError
from service.probe.offers import Ask

_OLD = {"SSLv3", "TLSv1", "TLSv1.1"}


@dataclass(frozen=True, slots=True)
class _Lenient(Endpoint):
    """The same place, with a TLS context that accepts what is otherwise refused."""

    context: ssl.SSLContext | None = None

    def tls_context(self) -> ssl.SSLContext:
        assert self.context is not None
        return self.context


@dataclass(slots=True)
class _Seen:
    """What the handshake showed."""

    version: str | None = None
    names: tuple[str, ...] = ()


async def names_of(endpoint: Endpoint, ask: Ask) -> tuple[str, ...]:
    """The hosts that the server's certificate is made for; empty if it shows none, or one that is not trusted."""
    context = ssl.create_default_context(cafile=endpoint.ca_file)
    context.check_hostname = False
    return (await _look(endpoint, ask, context)).names


async def version_of(endpoint: Endpoint, ask: Ask) -> str | None:
    """The version of TLS that the server speaks, if it is one that is too old."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the question
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    version = (await _look(endpoint, ask, context)).version
    return version if version in _OLD else None


async def _look(endpoint: Endpoint, ask: Ask, context: ssl.SSLContext) -> _Seen:
    seen = _Seen()

    class Noting(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            seen.version = self.version()
            told: dict[str, Any] = dict(self.getpeercert() or {})
            seen.names = tuple(str(pair[1]) for pair in told.get("subjectAltName", ()))

    context.sslobject_class = Noting
    same = {one.name: getattr(endpoint, one.name) for one in fields(endpoint)}
    with suppress(MailError, OSError):
        await ask(_Lenient(**same, context=context))
    return seen
