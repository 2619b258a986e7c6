"""Messages on their way to another mailbox: by what they are known there, and what is written."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from service.mail.errors import MailError
from service.mail.exchange import Source
from service.mail.line_ends import BLANK
from service.mail.mime.digest import Digest
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import first, parse_message_ids, split_headers

BEGINNING = 4096
"""Octets of a message without Message-ID that name it, if its header is not shorter."""
UNNAMED = b""
"""The name of a message of which the mail server shows nothing without all of it."""
NEWEST = 20
"""Messages of a maildrop, the newest ones, whose inventory is read again after each list: a server may give an id for
the second time."""
_NAME_OCTETS = 12
_ID = frozenset({"message-id"})


class Item(NamedTuple):
    """A message in an inventory. ``name``, ``size`` and ``received_at`` stay the same if it is copied from mailbox to
    mailbox, as far as the servers keep them. ``size`` counts each line end as two octets, however it is stored."""

    id: str
    name: bytes
    size: int | None
    received_at: datetime | None
    flags: tuple[str, ...]


class NewMessage(NamedTuple):
    """A message to append."""

    source: Source
    flags: Sequence[str] = ()
    received_at: datetime | None = None


class Appended(NamedTuple):
    """What came of one of several messages. ``id`` is None if the mail server does not report it."""

    id: str | None
    error: MailError | None = None


def id_name(block: bytes) -> bytes | None:
    """The name of a message by the Message-ID in its header, or in the part of the header that has it; None without."""
    ids = parse_message_ids(first(split_headers(block, _ID), "Message-ID"))
    return _short(b"id", ids[0].encode(errors="surrogatepass")) if ids else None


def name_of(beginning: bytes) -> bytes:
    """The name of a message that begins like this, with all of its header or ``BEGINNING`` octets."""
    if not beginning:
        return UNNAMED
    return id_name(beginning) or header_name(beginning)


def header_name(beginning: bytes) -> bytes:
    """The name of a message without Message-ID: a digest of its header, without what servers change."""
    head = beginning[:BEGINNING]
    blank = BLANK.search(head)
    digest = Digest()
    digest.feed(head if blank is None else head[: blank.start()])
    return _short(b"header", digest.finish())


def _short(kind: bytes, octets: bytes) -> bytes:
    return blake2b(octets, digest_size=_NAME_OCTETS, key=kind).digest()


def arrival(header: bytes) -> datetime | None:
    """When a message arrived, by its header: the date of the topmost Received field, else that of Date. For servers
    that do not say it (POP3)."""
    fields = split_headers(header, frozenset({"received", "date"}))
    received = (first(fields, "Received") or b"").rpartition(b";")[2]
    return parse_date(received) or parse_date(first(fields, "Date"))
