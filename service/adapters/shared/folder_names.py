"""Folder names as stored and as shown (RFC 3501, 5.1.3), and the roles that they suggest."""

import re
from binascii import Error, a2b_base64, b2a_base64

from service.adapters.shared.role_names import ROLES
from service.mail.cleaning import mark_controls

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+|&")


def decode_name(name: bytes) -> str:
    """Modified UTF-7 to Unicode. A name that is not modified UTF-7 is shown as it stands; 8-bit names are read as
    UTF-8."""
    text = name.decode(errors="replace")
    return mark_controls(_SHIFTED.sub(_unshift, text))


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


def guessed_role(path: tuple[str, ...]) -> str | None:
    """The role by the name of a folder at the top, or one below INBOX or the server's own root such as ``[Gmail]``."""
    is_below = path[0].upper() == "INBOX" or path[0].startswith("[")
    top = path[1:] if is_below else path
    return ROLES.get(top[0].casefold()) if len(top) == 1 else None
