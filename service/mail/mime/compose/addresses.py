"""Addresses: checked (RFC 5321, 4.1.2 and 4.5.3.1; RFC 6531), and written with their names (RFC 5322, 3.4)."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

import idna

from service.mail.cleaning import has_controls, is_unseen
from service.mail.errors import InvalidRequest
from service.mail.mime.compose.checks import one_line, shown
from service.mail.mime.compose.words import MAX_LINE, encoded_words, fold, has_encoded_word
from service.mail.model import Address

MAX_LOCAL = 64
MAX_ADDRESS = 254
MAX_NAME = 1000
_MAX_QUOTED = 72
"""Letters of a quoted name, which cannot be folded safely; longer ones are encoded."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"
_DOTTED = re.compile(rf"(?>(?:{_ATEXT}|\.)+)")
_DOT_ATOM = re.compile(rf"{_ATEXT}++(?>(?:\.{_ATEXT}++)*)")
_QUOTED = re.compile(r'"(?>(?:[^"\\]|\\.)+)"')
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def check_address(email: str) -> str:
    """The address as it is written and sent: its domain in ASCII, a local part such as ``a..b`` in quotes.
    Raises InvalidRequest that names the address and what is wrong with it."""
    if (problem := _problem(email)) is not None:
        raise InvalidRequest(f"{shown(email)} is not an email address: {problem}.")
    at = email.rindex("@")
    local, domain = _local(email[:at]), _ascii_domain(email[at + 1 :])
    if len(local.encode()) > MAX_LOCAL:
        raise _too_long(email, f"what is before the @ has more than {MAX_LOCAL} octets")
    if len(local.encode()) + 1 + len(domain) > MAX_ADDRESS:
        raise _too_long(email, f"it has more than {MAX_ADDRESS} octets")
    return f"{local}@{domain}"


def _too_long(email: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{shown(email)} is not an email address: {why}.")


def _problem(email: str) -> str | None:
    local, at, domain = email.rpartition("@")
    if not email:
        return "it is empty"
    if len(email) > MAX_ADDRESS:
        return f"it has more than {MAX_ADDRESS} octets"
    if has_controls(email):
        return "it has a control character"
    if not at:
        return "it has no @"
    if not local or not domain:
        return f"nothing stands {'after' if local else 'before'} the @"
    if has_encoded_word(email):
        return "it has an encoded word"
    return _local_problem(local) or _domain_problem(domain)


def _local_problem(local: str) -> str | None:
    if any(is_unseen(each) for each in local):
        return "what is before the @ has a character that cannot be seen"
    if _QUOTED.fullmatch(local):
        return None
    if not _DOTTED.fullmatch(local) or any(map(str.isspace, local)):
        return "what is before the @ has characters that must be in quotes"
    return None


def _domain_problem(domain: str) -> str | None:
    if domain.startswith("["):
        return None if _is_literal(domain) else "the IP address in its domain is not valid"
    return None if _DOMAIN.fullmatch(_ascii_domain(domain)) else "its domain is not valid"


def _is_literal(domain: str) -> bool:
    """RFC 5321, 4.1.3."""
    text = domain[1:-1] if domain.endswith("]") and domain.isascii() else ""
    try:
        if text[:5].lower() == "ipv6:":
            return "%" not in text and IPv6Address(text[5:]) is not None
        return IPv4Address(text) is not None
    except ValueError:
        return False


def _ascii_domain(domain: str) -> str:
    """By IDNA 2008 after the mapping of UTS 46; unchanged if it is ASCII or cannot be mapped."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return domain


def _local(local: str) -> str:
    return local if local.startswith('"') or _DOT_ATOM.fullmatch(local) else f'"{local}"'


def address_field(name: str, addresses: Iterable[Address]) -> bytes:
    """The field, folded between addresses and the words of their names."""
    return fold(name, _words(tuple(addresses)))


def _words(addresses: tuple[Address, ...]) -> Iterator[str]:
    for number, address in enumerate(addresses, 1):
        comma = "," if number < len(addresses) else ""
        email = check_address(address.email)
        name = one_line(address.name or "", "The name beside an address").strip()
        if len(name) > MAX_NAME:
            raise InvalidRequest(f"The name beside an address has more than {MAX_NAME} characters.")
        yield from phrase(name)
        yield f"<{email}>{comma}" if name else f"{email}{comma}"


def phrase(name: str) -> list[str]:
    """The words of a display name: as they are if they are atoms, else quoted, else encoded."""
    if _ATOMS.fullmatch(name) and "=?" not in name and max(map(len, name.split(" "))) < MAX_LINE:
        return name.split(" ")
    if name.isascii() and "=?" not in name and len(quoted := quoted_string(name)) <= _MAX_QUOTED:
        return [quoted] if name else []
    return encoded_words(name, start=len("Reply-To: "))


def quoted_string(text: str) -> str:
    """Printable ASCII in quotes (RFC 5322, 3.2.4)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
