"""The rules for the head of a request that the parser does not check (RFC 9110, 9112)."""

import re
from collections.abc import Sequence

from service.api import problems
from service.api.problems import ProblemType

OF_THE_CONNECTION = frozenset({b"connection", b"upgrade", b"http2-settings", b"keep-alive"})
BODY_FIELDS = frozenset({b"content-length", b"transfer-encoding"})
NO_TRAILERS = OF_THE_CONNECTION | BODY_FIELDS | {b"host"}
"""Fields that must not be trailers (RFC 9110, 6.5.1): a proxy in front may act on them. Other trailers are ignored."""
MAX_FIELDS = 100
_HOST = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,300}\Z")
Headers = Sequence[tuple[bytes, bytes]]


def problem_of(method: bytes, url: bytes, version: str, headers: Headers, max_octets: int) -> ProblemType | None:
    """Returns the problem with a complete head, or None. Names in ``headers`` are in lower case."""
    octets = len(url) + sum(len(name) + len(value) for name, value in headers)
    if octets > max_octets or len(headers) > MAX_FIELDS:
        return problems.HEAD_TOO_LARGE
    is_valid = (
        version in {"1.0", "1.1"}
        and url[:1] in {b"/", b"*"}
        and method != b"CONNECT"
        and _has_one_host(version, headers)
        and _has_plain_framing(version, headers)
    )
    return None if is_valid else problems.MALFORMED


def framing_of(headers: Headers) -> tuple[bytes, bytes] | None:
    """Returns the field that says how the body ends; None if there is no body."""
    return next(((name, value) for name, value in headers if name in BODY_FIELDS), None)


def _has_one_host(version: str, headers: Headers) -> bool:
    """Exactly one valid Host, so that a proxy that routes by it sees the same one (RFC 9112, 3.2)."""
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts:
        return version == "1.0"
    return len(hosts) == 1 and _HOST.match(hosts[0]) is not None


def _has_plain_framing(version: str, headers: Headers) -> bool:
    """No body, one length, or ``chunked`` alone in HTTP/1.1 (RFC 9112, 6)."""
    framing = [(name, value) for name, value in headers if name in BODY_FIELDS]
    if not framing:
        return True
    [(name, value), *more] = framing
    is_known = name == b"content-length" or (value.lower() == b"chunked" and version == "1.1")
    return is_known and not more
