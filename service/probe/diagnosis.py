"""Why a mail server cannot be used, and what to do about it: names, network, TLS, greeting."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from service.accounts.servers import Disk, Endpoint, Security
from service.mail.errors import MailError, UpstreamProtocol, UpstreamTimeout, UpstreamTls, UpstreamUnavailable
from service.probe.capabilities import Ask
from service.probe.tls_inspection import certificate_names, outdated_version

E = TypeVar("E", bound=BaseException)
_TLS_PORTS = "993 for IMAP, 995 for POP3, 465 for SMTP"
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
_UNTRUSTED = {18, 19, 20, 21}
"""X509_V_ERR_… of OpenSSL's x509_vfy.h."""
_IN_CLEAR = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNKNOWN_PROTOCOL",
}
_TOO_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW"}


@dataclass(frozen=True, slots=True)
class Cause:
    """One sentence on what is wrong, and one on what to do."""

    what: str
    advice: str


class Unreachable(Exception):
    """No connection to the server can be made."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.what)
        self.cause = cause


def unreachable(error: OSError | UnicodeError, endpoint: Endpoint) -> Unreachable:
    """Returns the diagnosis of a failed connection without TLS: a fault of the name or of the network."""
    return Unreachable(_of_network(error, f"{endpoint.host}:{endpoint.port}", endpoint.host))


def _of_network(error: OSError | UnicodeError, where: str, host: str) -> Cause:
    numbers = {error.errno} if isinstance(error, OSError) and error.errno else set()
    numbers |= {int(number) for number in _ERRNO.findall(str(error))}  # several addresses were tried
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Cause(
                f"The name {host} cannot be looked up: no name server (DNS) answers.",
                "Check the name servers of this machine, and in a cluster the network policy's rule for DNS.",
            )
        case socket.gaierror() | UnicodeError():
            return Cause(f"There is no host with the name {host} (DNS).", "Check the spelling of `host`.")
        case _ if errno.ECONNREFUSED in numbers:
            return Cause(
                f"{where} refuses connections: the host is there, and nothing listens on that port.",
                "Check `port`, and whether the mail server runs.",
            )
        case TimeoutError():
            return _timeout(where)
        case _ if numbers & _UNREACHABLE:
            return Cause(f"{where} cannot be reached: the network is unreachable.", "Check routes and firewalls.")
    return Cause(f"No connection to {where}: {type(error).__name__}.", "Check `host`, `port` and firewalls.")


def _timeout(where: str) -> Cause:
    return Cause(
        f"{where} does not answer in time (timeout).",
        "Check `host` and `port`. Often a firewall or a network policy drops the packets.",
    )


async def cause_of(error: BaseException, place: Endpoint | Disk, ask: Ask | None) -> Cause | None:
    """Returns the cause of an error; None if the error's own text says it all."""
    if isinstance(error, Unreachable):
        return error.cause
    if isinstance(place, Disk):
        return _of_disk(error, place)
    if isinstance(error, TimeoutError):
        return _timeout(f"{place.host}:{place.port}")
    if isinstance(error, UpstreamTls | UpstreamUnavailable) and ask and place.security is not Security.NONE:
        cause = await _of_tls(error, place, ask)
        if cause is not None:
            return cause
    if isinstance(error, OSError):
        return _of_file(error, place)
    return _of_server(error, place) if isinstance(error, MailError) else None


def _of_disk(error: BaseException, disk: Disk) -> Cause | None:
    if not isinstance(error, UpstreamUnavailable | OSError):
        return None
    what = error.detail if isinstance(error, MailError) else f"The disk cannot be read: {error}."
    return Cause(what, f"Check that Casella's user may read {disk.passwords}, and read and write below {disk.path}.")


def _of_file(error: OSError, endpoint: Endpoint) -> Cause:
    """An error of ``ca_file``: all errors of the network are MailErrors at this point."""
    reason = error.strerror or type(error).__name__
    return Cause(
        f"ca_file {endpoint.ca_file} cannot be used: {reason}.", "Name a readable file of certificates in PEM."
    )


async def _of_tls(error: MailError, endpoint: Endpoint, ask: Ask) -> Cause | None:
    refused = _in_chain(error, ssl.SSLCertVerificationError)
    if refused is not None:
        return await _of_certificate(refused, endpoint, ask)
    failed = _in_chain(error, ssl.SSLError)
    reason = str(failed.reason or "").upper() if failed else ""
    if reason in _IN_CLEAR:
        return Cause(
            f"Port {endpoint.port} does not speak TLS from the start.",
            f'Set `security = "starttls"`, or use the port for TLS: {_TLS_PORTS}.',
        )
    if failed is None and not _in_chain(error, ConnectionError):
        return None
    version = await outdated_version(endpoint, ask)
    if reason in _TOO_OLD or version is not None:
        return Cause(
            f"The server speaks {version or 'a TLS version'}, which is too old: TLS 1.2 is the oldest accepted.",
            "Turn on TLS 1.2 or 1.3 on the mail server.",
        )
    return Cause(f"TLS failed: {reason}.", "See the mail server's log.") if failed else None


async def _of_certificate(refused: ssl.SSLCertVerificationError, endpoint: Endpoint, ask: Ask) -> Cause:
    code = refused.verify_code
    if code == _EXPIRED:
        return Cause(
            "The server's certificate has expired.",
            "Renew it and reload the mail server. If it was renewed, check this machine's clock.",
        )
    if code == _NOT_YET:
        return Cause(
            "The server's certificate is not valid yet.", "Check the clocks of this machine and of the server."
        )
    if code in {_OTHER_NAME, _OTHER_ADDRESS}:
        names = ", ".join(await certificate_names(endpoint, ask)) or "none"
        return Cause(
            f"The server's certificate is for another host than {endpoint.host}. Its names: {names}.",
            "Set `host` to one of these names, or get a certificate for the name that is used.",
        )
    if code in _UNTRUSTED:
        return Cause(
            f"The server's certificate is not trusted: {refused.verify_message}.",
            "If it was issued by your own authority, set `ca_file` to that authority's certificate. If not, the server"
            " may not send the intermediate certificates.",
        )
    return Cause(f"The server's certificate is refused: {refused.verify_message}.", "Get a new one.")


def _of_server(error: MailError, endpoint: Endpoint) -> Cause | None:
    """Adds advice to an error of the adapter, after the connection was made."""
    advice: dict[type[MailError], str] = {
        UpstreamTls: f'Use the port for TLS from the start, with `security = "tls"`: {_TLS_PORTS}.',
        UpstreamProtocol: "Check that `port` is the one for this protocol.",
        UpstreamTimeout: "Check that `port` and `security` go together: a port for TLS is silent until TLS begins.",
        UpstreamUnavailable: "The server closes the connection: see its log, and check its limits.",
    }
    return Cause(error.detail, advice[type(error)]) if type(error) in advice else None


def _in_chain(error: BaseException, kind: type[E]) -> E | None:
    """Returns the first error of this class in the chain of causes; None if there is none."""
    return next((cause for cause in _chain(error) if isinstance(cause, kind)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
