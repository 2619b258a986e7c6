"""Parameters of Content-Type and Content-Disposition (RFC 2045, 5.1; RFC 2231)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from service.mail.mime.compose.addresses import quoted_string
from service.mail.mime.compose.checks import is_token

_PIECE = 50
"""Octets of a percent-encoded value that go on one line."""
_MAX_FALLBACK = 40
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+")
_UNREADABLE = re.compile(r'[^ -~]|["=?/\\]')
_OCTET = re.compile("%..|.")
_SAFE = "!#$&+-.^_`{|}~"


def parameters(values: Iterable[tuple[str, str]]) -> list[str]:
    """Words for ``fold``: one or more for each parameter. Other names than tokens are left out."""
    return [word for name, value in values if is_token(name) and "*" not in name for word in _parameter(name, value)]


def _parameter(name: str, value: str) -> list[str]:
    if _TOKEN.fullmatch(value) and len(value) <= _PIECE:
        return [f"{name}={value}"]
    return [f"{name}={quoted_string(value)}"] if _is_readable(value) else list(_extended(name, value))


def file_names(name: str) -> list[str]:
    """``filename`` as every reader knows it; a name that cannot be written so also as RFC 2231 has it. That one comes
    first, because Python's parser takes the first."""
    if _is_readable(name):
        return [f"filename={quoted_string(name)}"]
    return [*_extended("filename", name), f"filename={quoted_string(fallback(name))}"]


def fallback(name: str) -> str:
    """The name in ASCII, for readers that know no other; at most 60 characters, the extension kept."""
    if _is_readable(name):
        return name
    text = unicodedata.normalize("NFKD", name)
    text = "".join(each for each in text if not unicodedata.combining(each))
    text = _UNREADABLE.sub("_", text)
    suffix = PurePosixPath(text).suffix[:20]
    return text.removesuffix(suffix)[:_MAX_FALLBACK].rstrip() + suffix


def _is_readable(value: str) -> bool:
    """Whether all readers give it back from a quoted string: not all know escapes, and some decode encoded words."""
    return value.isascii() and value.isprintable() and len(value) <= _PIECE and not re.search(r'["\\]|=\?', value)


def _extended(name: str, value: str) -> Iterator[str]:
    octets: list[str] = _OCTET.findall(quote(value, safe=_SAFE, errors="replace"))
    pieces = list(_lines(octets))
    if len(pieces) == 1:
        yield f"{name}*=utf-8''{pieces[0]}"
        return
    for number, piece in enumerate(pieces):
        charset = "" if number else "utf-8''"
        yield f"{name}*{number}*={charset}{piece}"


def _lines(octets: list[str]) -> Iterator[str]:
    """Each of at most ``_PIECE`` letters."""
    line = ""
    for octet in octets:
        if len(line) + len(octet) > _PIECE:
            yield line
            line = ""
        line += octet
    yield line
