"""Folder names on the wire and for people (RFC 3501, 5.1.3), and the roles folders play (RFC 6154)."""

import re
from binascii import Error, a2b_base64, b2a_base64

from service.adapters.imap.responses import Listed

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+|&")
_NOT_FOR_PEOPLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_SPECIAL_USE = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\archive": "archive",
    "\\all": "all",
    "\\flagged": "flagged",
}
# For servers without SPECIAL-USE: the names programs give, at the top level or below INBOX.
_WELL_KNOWN = {
    "sent": "sent",
    "sent items": "sent",
    "sent messages": "sent",
    "sent mail": "sent",
    "drafts": "drafts",
    "draft": "drafts",
    "trash": "trash",
    "deleted items": "trash",
    "deleted messages": "trash",
    "bin": "trash",
    "junk": "junk",
    "spam": "junk",
    "junk e-mail": "junk",
    "junk email": "junk",
    "bulk mail": "junk",
    "archive": "archive",
    "archives": "archive",
}


def decode_name(name: bytes) -> str:
    """Modified UTF-7 to Unicode. What is not modified UTF-7 is shown as it stands; 8-bit names are taken for UTF-8."""
    text = name.decode(errors="replace")
    return _NOT_FOR_PEOPLE.sub("\ufffd", _SHIFTED.sub(_unshift, text))


def _unshift(found: re.Match[str]) -> str:
    if not found[1]:
        return "&"
    octets = found[1].replace(",", "/").encode()
    try:
        return a2b_base64(octets + b"=" * (-len(octets) % 4)).decode("utf-16-be")
    except (Error, UnicodeDecodeError):
        return found[0]


def encode_name(name: str) -> bytes:
    """Unicode to modified UTF-7."""
    return _UNPRINTABLE.sub(_shift, name).encode("ascii")


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    octets = b2a_base64(found[0].encode("utf-16-be", "surrogatepass"), newline=False)
    return f"&{octets.rstrip(b'=').replace(b'/', b',').decode()}-"


def role_of(folder: Listed, path: tuple[str, ...]) -> str | None:
    """By SPECIAL-USE, else by name; INBOX is the inbox in any letter case."""
    if folder.name.upper() == b"INBOX":
        return "inbox"
    for attribute, role in _SPECIAL_USE.items():
        if attribute in folder.attributes:
            return role
    top = path[1:] if path[0].upper() == "INBOX" else path
    return _WELL_KNOWN.get(top[0].casefold()) if len(top) == 1 else None
