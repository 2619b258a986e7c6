"""The types of settings: lists, keys, rates, domains, addresses. Their errors never repeat a value."""

import re
from base64 import b64decode
from binascii import Error
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from limits import parse
from pydantic import AfterValidator, BeforeValidator, SecretBytes, SecretStr

from service.accounts.domains import normal_domain

KEY_OCTETS = 32
_URL_SAFE = str.maketrans("-_", "+/")
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s,]+")
_DATABASES = ("postgresql", "postgres")
_REDIS = ("redis", "rediss", "redis+unix")


def _split(value: Any) -> Any:
    """A list may be one text separated by commas, because the environment has only texts."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Commas = BeforeValidator(_split)
"""Accepts a list, or one text separated by commas."""


def _key(value: Any) -> SecretBytes:
    octets = value.get_secret_value() if isinstance(value, SecretBytes) else _octets(value)
    if len(octets) != KEY_OCTETS:
        raise ValueError(
            f"a key is base64url of {KEY_OCTETS} octets:"
            f" python3 -c 'import secrets; print(secrets.token_urlsafe({KEY_OCTETS}))'"
        )
    return SecretBytes(octets)


def _octets(value: Any) -> bytes:
    """Returns no octets if the value is not base64. A lenient decoder would skip the wrong letters."""
    try:
        text = str(value).strip().rstrip("=").translate(_URL_SAFE)
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Error, ValueError):
        return b""


Key = Annotated[SecretBytes, BeforeValidator(_key)]


def _rate(value: str) -> str | None:
    """In the form of `limits`: ``10/minute``, ``100 per 5 minutes``; or ``off``."""
    if value == "off":
        return None
    try:
        parse(value)
    except ValueError:
        raise ValueError("a rate is a number per time, such as 10/minute or 100 per 5 minutes, or off") from None
    return value


Rate = Annotated[str, AfterValidator(_rate)] | None


def _store(url: SecretStr) -> SecretStr:
    """The errors do not show the URL, which may contain a password."""
    try:
        parts = urlsplit(url.get_secret_value())
        is_valid = parts.scheme in _REDIS and bool(parts.path if "unix" in parts.scheme else parts.hostname)
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("it is the URL of a Redis: redis://HOST:PORT, rediss://HOST:PORT or redis+unix:///PATH")
    if find_spec("redis") is None:
        raise ValueError("a Redis needs an extra: pip install 'casella[redis]'")
    return url


StoreUrl = Annotated[SecretStr, AfterValidator(_store)]


def _database(url: SecretStr) -> SecretStr:
    """The errors do not show the URL, which may contain a password."""
    parts = urlsplit(url.get_secret_value())
    is_file = parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1
    is_server = parts.scheme in _DATABASES and bool(parts.netloc or "host=" in parts.query)
    if not (is_file or is_server):
        raise ValueError("it is the URL of a database: postgresql://USER@HOST/NAME, or sqlite:////PATH")
    if any(find_spec(name) is None for name in ("sqlalchemy", "alembic", "aiosqlite", "asyncpg")):
        raise ValueError("a database needs an extra: pip install 'casella[store]'")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]


def host_name(text: str) -> str:
    """Raises ValueError for what is more than a host: it would only fail at each sign-in."""
    with suppress(ValueError):
        _ = ip_address(text)
        return text
    if re.search(r"[\s/:@\[\]]", text):
        raise ValueError("it is the name of a host or its address alone: no scheme, port or path")
    return text


def _domain(text: str) -> str:
    domain = normal_domain(text)
    if domain is None:
        raise ValueError("it is a domain, without @ or wildcard")
    return domain


Domain = Annotated[str, AfterValidator(_domain)]


def _proxy(text: str) -> str:
    try:
        _ = text == "*" or (ip_network(text) if "/" in text else ip_address(text))
    except ValueError:
        raise ValueError("it is the address of a proxy, or a network without host bits") from None
    return text


Proxy = Annotated[str, AfterValidator(_proxy)]


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError("it is an origin: scheme and host, without a path or a slash at the end")
    return text


Origin = Annotated[str, AfterValidator(_origin)]
