"""Addresses compared as mail servers do, and own ones in any spelling."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from service.accounts.domains import normal_domain
from service.mail.cleaning import is_unseen
from service.mail.model import Address

MAX_EMAIL = 320
_MAX_DOMAIN = 253
_ATOM = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,255}")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\[ -~]){0,253})\"")
_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]")
_ESCAPED = re.compile(r"\\(.)")


def address_key(email: str) -> str | None:
    """The same for all spellings of an address: letter case, quotes that are not needed, and the two forms of a domain
    (RFC 5890) do not count. None if mail cannot be sent to it: it is a local name, or no address at all.

    RFC 5321 lets a server tell ``Ann`` from ``ann``; none does.
    """
    local, at, domain = email.strip().rpartition("@")
    if not at or len(email) > MAX_EMAIL or any(map(is_unseen, email)):
        return None
    if (quoted := _QUOTED.fullmatch(local)) is not None:
        inner = _ESCAPED.sub(r"\1", quoted[1])
        local = inner if _ATOM.fullmatch(inner) else local
    elif not _ATOM.fullmatch(local):
        return None
    host = domain.lower() if _LITERAL.fullmatch(domain) else _host(domain)  # at most MAX_EMAIL characters
    return f"{unicodedata.normalize('NFC', local).casefold()}@{host}" if host else None


def usable(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Those that mail can be sent to."""
    return tuple(each for each in addresses if address_key(each.email) is not None)


@lru_cache(maxsize=2048)
def _host(domain: str) -> str | None:
    """Remembered, because every address of a message is compared several times, and its domain is what takes time."""
    return normal_domain(domain) if len(domain) <= _MAX_DOMAIN else None


class OwnAddresses:
    """The addresses of the user. With ``ann@example.org``, ``ann+news@example.org`` is own too (RFC 5233), because it
    is the same mailbox. It is not so the other way round: with ``ann+news@example.org`` alone, ``ann@example.org`` may
    be another person, who should get the reply."""

    def __init__(self, own: Collection[str]) -> None:
        self._keys = {key for key in map(address_key, own) if key is not None}

    def __contains__(self, address: Address) -> bool:
        key = address_key(address.email)
        return key is not None and (key in self._keys or _untagged(key) in self._keys)


def _untagged(key: str) -> str:
    local, _, domain = key.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def addressed_as(original_recipients: Iterable[Address], own: Collection[str]) -> str | None:
    """Which of the own addresses a message was sent to, as it stands in ``own``: the one to answer from. None if it was
    sent to none of them, or to a tagged one that is not in ``own``."""
    spellings = {address_key(each): each for each in own}
    keys = (address_key(each.email) for each in original_recipients)
    return next((spellings[key] for key in keys if key is not None and key in spellings), None)
