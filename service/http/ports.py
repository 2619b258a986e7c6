"""The addresses that the service listens on, opened before anything else: a port that is in use ends the start with one
line."""

import errno
import os
import socket

_ADVICE = {
    errno.EADDRINUSE: "Another program listens there: choose another port.",
    errno.EACCES: "Ports below 1024 need rights: choose one above.",
    errno.EADDRNOTAVAIL: "It is not an address of this machine.",
}


class PortUnavailable(Exception):
    """The service cannot listen on an address. The text is for the operator."""


def listening(what: str, host: str, port: int) -> list[socket.socket]:
    """Returns a socket for each address of the host; of ``::`` one that takes IPv4 too. Raises PortUnavailable, which
    says ``what`` cannot be served."""
    sockets: list[socket.socket] = []
    failures: list[OSError] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise PortUnavailable(f"{what} cannot be served on {host}, port {port}: there is no such host.") from None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_listen(str(address[0]), int(address[1]), family))
        except OSError as error:
            failures.append(error)
    # A name may have an address of a family that this machine does not have.
    failures = [each for each in failures if not sockets or each.errno != errno.EADDRNOTAVAIL]
    if failures:
        for each in sockets:
            each.close()
        raise PortUnavailable(f"{what} cannot be served on {host}, port {port}: {_reason(failures[0])}")
    return sockets


def url_of(host: str, port: int) -> str:
    """The address of a listener as a URL."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reason(error: OSError) -> str:
    """Why an address cannot be listened on, and what to do."""
    if error.errno is None or error.errno <= 0:
        return f"{error.strerror or error}."
    return " ".join(filter(None, (f"{os.strerror(error.errno)}.", _ADVICE.get(error.errno))))


def _listen(host: str, port: int, family: int) -> socket.socket:
    """Binds and listens: two sockets can be bound to one port until one of them listens."""
    is_any = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, dualstack_ipv6=is_any)
