"""Domains of usernames, in the one form in which they are compared."""

import re

import idna

_FORM = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")


def normal_domain(text: str) -> str | None:
    """Returns the domain in lower case, as A-labels (IDNA 2008 after the mapping of UTS 46), without a trailing dot.

    None if it is not a domain. Nothing is guessed: ``faß.example`` is not ``fass.example``.
    """
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode()
        except idna.IDNAError:
            return None
    text = text.lower().removesuffix(".")
    return text if _FORM.match(text) else None


def domain_of(username: str) -> str | None:
    """Returns the domain of a login such as ``ann@example.org``, normalised. None for a login without one."""
    _, at, domain = username.rpartition("@")
    return normal_domain(domain) if at else None
