"""New and deleted messages, by the unique-ids of the maildrop (RFC 1939, 7). POP3 reports nothing else."""

import zlib

from service.adapters.pop3.session.maildrop import UNIQUE, Maildrop
from service.mail.errors import NotSupported, StaleToken

MAX_OCTETS = 5000
"""Octets that fit into a request line of a length that proxies allow."""
MAX_UNPACKED = 1 << 20
_TOO_MANY = b"\0"
"""A token for more messages than one can name."""


def write_sync_token(maildrop: Maildrop) -> bytes:
    """A token made of all unique-ids. Raises NotSupported if a message has none of its own."""
    if len(maildrop.uidls) != len(maildrop.sizes):
        raise NotSupported("changes", "This POP3 server gives no unique-ids that tell its messages apart.")
    octets = zlib.compress(b"\n".join(maildrop.uidls.values()), 9)
    return octets if len(octets) <= MAX_OCTETS else _TOO_MANY


def read_sync_token(octets: bytes) -> set[bytes]:
    """The unique-ids in a token. Raises StaleToken if it was made for too many messages, or is malformed."""
    if octets == _TOO_MANY:
        raise StaleToken("There are more messages than a token can name. List again.")
    try:
        work = zlib.decompressobj()
        uidls = work.decompress(octets, MAX_UNPACKED).split()
    except zlib.error:
        uidls = [b"\0"]
    if not work.eof or not all(map(UNIQUE.fullmatch, uidls)):
        raise StaleToken
    return set(uidls)
