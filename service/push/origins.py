"""The form of an endpoint. Its address is checked when a push is sent."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from service.accounts.address_policy import is_name

MAX_ENDPOINT = 1000
_PORTS = {"https": 443, "http": 80}
_LOWEST = 1024
"""Other ports below it belong to other protocols: nothing is posted to a mail server."""


def endpoint_fault(url: str) -> str | None:
    """What is wrong with the URL of an endpoint, for people; None if nothing is."""
    if (
        len(url) > MAX_ENDPOINT
        or not url.isascii()
        or not url.isprintable()
        or any(char in url for char in ' "<>\\^`{|}')
    ):
        return f"It is a URL of at most {MAX_ENDPOINT} characters."
    parts = _parts(url)
    if parts is None or parts.scheme not in _PORTS or parts.fragment or "@" in parts.netloc:
        return "It is an https URL, without a user or a fragment."
    if not _is_host(parts.hostname or ""):
        return "Its host is a full name or an address."
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    if port not in _PORTS.values() and port < _LOWEST:
        return f"Its port is 443, or one from {_LOWEST} on."
    return None


def origin_of(url: str) -> str:
    """The origin of an endpoint (RFC 6454, 6.2): scheme, host, and the port unless it is the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    usual = parts.port in {None, _PORTS.get(parts.scheme)}
    return f"{parts.scheme}://{place}" if usual else f"{parts.scheme}://{place}:{parts.port}"


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname  # raise ValueError if they are none
    except ValueError:
        return None
    return parts


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return is_name(host) or host == "localhost"
    return True
