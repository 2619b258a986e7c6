"""Ids name a place and are opaque to clients: no map, no store.

An id carries a tag of its account, so that one shown to another account is unknown there instead of naming some other
message. It is a name and no permission: whoever uses it still signs in.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2s

from service.mail.errors import NotFound

TAG_OCTETS = 4


def account_id(server: str, protocol: str, username: str) -> str:
    """The same on every replica, and no way back to the username."""
    digest = blake2s("\0".join((server, protocol, username)).encode(errors="surrogatepass"), digest_size=12).digest()
    return urlsafe_b64encode(digest).decode()


def account_tag(account: str) -> bytes:
    """What an account's ids begin with."""
    return blake2s(account.encode(), digest_size=TAG_OCTETS).digest()


def make_id(kind: str, tag: bytes, place: bytes) -> str:
    """``kind`` is one letter; the underscore keeps ids apart from roles such as ``inbox``."""
    return f"{kind}_{urlsafe_b64encode(tag + place).rstrip(b'=').decode()}"


def read_id(kind: str, tag: bytes, text: str, what: str) -> bytes:
    """The place in an id of this account and kind; NotFound for anything else, malformed ones included."""
    body = text[2:]
    try:
        octets = urlsafe_b64decode(body.encode("ascii") + b"=" * (-len(body) % 4))
    except (Error, UnicodeEncodeError):
        raise NotFound(what) from None
    if make_id(kind, tag, octets[TAG_OCTETS:]) != text:
        raise NotFound(what)
    return octets[TAG_OCTETS:]
