"""How to leave a mailing list (RFC 2369, 3.2; RFC 8058). Only addresses that are safe to offer are read."""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote_to_bytes, urlsplit

from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.fields import RawHeader
from service.mail.mime.headers.words import decode_words
from service.mail.model import Unsubscribe

MAX_VALUE = 16 * 1024
MAX_URL = 4000
MAX_URLS = 20
_URL = re.compile(r"<([^<>]{1,8000})>")
_BLANKS = re.compile(r"\s+")
_ONE_CLICK = re.compile(r"\s*list-unsubscribe\s*=\s*one-click\s*", re.IGNORECASE)
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63}){1,20}\.?|\[[0-9a-f:.]{2,45}\]", re.IGNORECASE)
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_FIELDS = {"subject", "body"}
"""What a link may set in a message (RFC 6068, 7: only what is safe)."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def read_unsubscribe(fields: Sequence[RawHeader]) -> Unsubscribe | None:
    """None if nothing safe is offered. Of several addresses of a kind the first counts, one with TLS before one
    without."""
    urls = list(_urls(_all(fields, "list-unsubscribe")))
    web = [url for url in urls if _is_web(url)]
    secure = next((url for url in web if url[:6].lower() == "https:"), None)
    mailto = next(filter(None, map(_mailto, urls)), None)
    url = secure or next(iter(web), None)
    if url is None and mailto is None:
        return None
    asks = any(_ONE_CLICK.fullmatch(decode_words(raw[:200])) for raw in _all(fields, "list-unsubscribe-post"))
    return Unsubscribe(one_click=asks and secure is not None, url=url, mailto=mailto)


def _all(fields: Iterable[RawHeader], name: str) -> list[bytes]:
    return [raw for field, raw in fields if field.lower() == name][:10]


def _urls(raws: Iterable[bytes]) -> Iterator[str]:
    """Those between angle brackets; without any, the words. White space within counts as a fold's (RFC 2369, 2)."""
    for raw in raws:
        value = decode_words(raw[:MAX_VALUE])
        found = _URL.findall(value) if "<" in value else re.split(r"[\s,]+", value)
        for url in found[:MAX_URLS]:
            url = quote(_BLANKS.sub("", url), safe=_PRINTABLE)
            if 0 < len(url) <= MAX_URL and not set(url) & set('"<>\\^`{|}'):
                yield url


def _is_web(url: str) -> bool:
    """http or https, with a name of a host and without a user, who would only be there to deceive."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_host = host is not None and _HOST.fullmatch(f"[{host}]" if ":" in host else host) is not None
    return parts.scheme in {"http", "https"} and is_host and "@" not in parts.netloc


def _mailto(url: str) -> str | None:
    """The link with its subject and body, and none of the fields that would send to others or forge something."""
    scheme, _, rest = url.partition(":")
    address, _, query = rest.partition("?")
    if scheme.lower() != "mailto" or not _is_address(address):
        return None
    kept = [field for field in query.split("&")[:20] if _is_harmless(field)]
    return f"mailto:{address}{'?' if kept else ''}{'&'.join(kept)}"


def _is_address(text: str) -> bool:
    """Whether it is exactly one address."""
    octets = unquote_to_bytes(text)
    email = octets.decode("utf-8", "replace")
    found = parse_addresses(octets, 2)
    return len(found) == 1 and not found[0].name and found[0].email == email and _has_domain(email)


def _has_domain(email: str) -> bool:
    local, at, domain = email.rpartition("@")
    return bool(local and at and domain) and not _CONTROL.search(email.encode())


def _is_harmless(field: str) -> bool:
    """A line break is allowed in a body alone."""
    name, _, value = field.partition("=")
    octets = unquote_to_bytes(value)
    name = name.lower()
    return name in _FIELDS and not _CONTROL.search(octets.replace(b"\r\n", b"") if name == "body" else octets)
