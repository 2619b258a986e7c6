"""A second connection to a server whose TLS was refused, to find out why. It is never used for a login."""

import ssl
import warnings
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from service.accounts.servers import Endpoint
from service.mail.errors import MailError
from service.probe.capabilities import Ask

_OLD = {"SSLv3", "TLSv1", "TLSv1.1"}


@dataclass(frozen=True, slots=True)
class _Lenient(Endpoint):
    """The same endpoint, with a TLS context that accepts what Casella refuses otherwise."""

    context: ssl.SSLContext | None = None

    def tls_context(self) -> ssl.SSLContext:
        assert self.context is not None
        return self.context


@dataclass(slots=True)
class _Handshake:
    """What the handshake showed."""

    version: str | None = None
    names: tuple[str, ...] = ()


async def certificate_names(endpoint: Endpoint, ask: Ask) -> tuple[str, ...]:
    """Returns the host names in the server's certificate; empty if it sends none, or one that is not trusted."""
    context = ssl.create_default_context(cafile=endpoint.ca_file)
    context.check_hostname = False
    return (await _inspect(endpoint, ask, context)).names


async def outdated_version(endpoint: Endpoint, ask: Ask) -> str | None:
    """Returns the TLS version that the server speaks, if it is too old; else None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is looked for
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    version = (await _inspect(endpoint, ask, context)).version
    return version if version in _OLD else None


async def _inspect(endpoint: Endpoint, ask: Ask, context: ssl.SSLContext) -> _Handshake:
    handshake = _Handshake()

    class Recorder(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            handshake.version = self.version()
            certificate: dict[str, Any] = dict(self.getpeercert() or {})
            handshake.names = tuple(str(pair[1]) for pair in certificate.get("subjectAltName", ()))

    context.sslobject_class = Recorder
    values = {field.name: getattr(endpoint, field.name) for field in fields(endpoint)}
    with suppress(MailError, OSError):
        await ask(_Lenient(**values, context=context))
    return handshake
