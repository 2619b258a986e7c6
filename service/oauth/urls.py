"""Which addresses an endpoint may have."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_endpoint(url: str) -> bool:
    """Whether it is an https URL, or http to this machine: secrets go there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
