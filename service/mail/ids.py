"""Ids of folders and messages. They say where the message is, so no table maps them; clients treat them as opaque.

An id has a tag of its account: another account does not find it, instead of finding some other message. An id grants
nothing: a client has to sign in to use it.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2s

from service.mail import base64url
from service.mail.errors import NotFound

TAG_OCTETS = 4
MAX_THREAD_NAME = 500


def account_id(server: str, protocol: str, username: str) -> str:
    """An id that is the same on every replica, and does not reveal the username."""
    digest = blake2s("\0".join((server, protocol, username)).encode(errors="surrogatepass"), digest_size=12).digest()
    return urlsafe_b64encode(digest).decode()


def account_tag(account: str) -> bytes:
    """The octets that begin all ids of an account."""
    return blake2s(account.encode(), digest_size=TAG_OCTETS).digest()


def make_id(kind: str, tag: bytes, key: bytes) -> str:
    """``kind`` is one letter. Roles such as ``inbox`` have no underscore, so no id is also a role."""
    return f"{kind}_{base64url.write(tag + key)}"


def read_id(kind: str, tag: bytes, text: str, what: str) -> bytes:
    """The key in an id of this account and kind. Raises NotFound for anything else, malformed ids included."""
    body = text[2:]
    try:
        octets = base64url.read(body)
    except ValueError:
        raise NotFound(what) from None
    if make_id(kind, tag, octets[TAG_OCTETS:]) != text:
        raise NotFound(what)
    return octets[TAG_OCTETS:]


def thread_id(name: str) -> str:
    """The id of a conversation, by the mail server's own id of it or the oldest Message-ID that its messages name; of a
    longer one the beginning."""
    octets = name[:MAX_THREAD_NAME].encode(errors="surrogatepass")
    return f"t_{base64url.write(octets)}"


def read_thread_id(text: str) -> str:
    """The name in the id of a conversation. Raises NotFound for anything else."""
    try:
        name = base64url.read(text[2:]).decode(errors="surrogatepass")
    except ValueError:
        raise NotFound("thread") from None
    if not name or thread_id(name) != text or not name.isprintable():
        raise NotFound("thread")
    return name
