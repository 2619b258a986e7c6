"""Failures of the network and of TLS as errors of ``service.mail.errors``."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from service.mail.errors import UpstreamFailure, UpstreamTimeout, UpstreamTls, UpstreamUnavailable


@contextmanager
def network_errors(protocol: str, *, retry_after: int | None = None) -> Iterator[None]:
    """Raises UpstreamTls, UpstreamTimeout or UpstreamUnavailable for what fails below the mail protocol. A server that
    cannot be reached may be tried again after ``retry_after`` seconds."""
    try:
        yield
    except Exception as error:
        if (failure := network_error(error, protocol, retry_after=retry_after)) is None:
            raise
        raise failure from error


def network_error(error: BaseException, protocol: str, *, retry_after: int | None = None) -> UpstreamFailure | None:
    """None for an error that is not of the network."""
    match error:
        case ssl.SSLCertVerificationError():
            detail = f"The mail server's certificate is not trusted: {error.verify_message}"
            return UpstreamTls(detail, protocol=protocol)
        case ssl.SSLError():
            return UpstreamTls("The mail server's TLS failed.", protocol=protocol)
        case TimeoutError():
            return UpstreamTimeout(protocol=protocol)
        case socket.gaierror() | UnicodeError():
            detail = "The mail server's name is not known."
            return UpstreamUnavailable(detail, protocol=protocol, retry_after=retry_after)
        case OSError():
            return UpstreamUnavailable(protocol=protocol, retry_after=retry_after)
    return None
