"""Reads the values of a list row from a FETCH response (RFC 9051, 7.5.2)."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.messages.doubts import is_doubtful, is_placeholder
from service.adapters.imap.messages.items import MAX_FIELDS
from service.adapters.imap.wire.responses import FetchResponse, header_fields
from service.adapters.imap.wire.tokens import Token
from service.adapters.imap.wire.values.dates import read_date_time
from service.adapters.imap.wire.values.flags import from_wire
from service.mail.errors import UpstreamProtocol
from service.mail.mime.body import body_charset, has_attachment
from service.mail.mime.charset import is_foreign
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import parse_message_ids
from service.mail.mime.headers.words import MAX_SHOWN, shown_text
from service.mail.mime.message import header_values
from service.mail.model import Address, MessageSummary, Part
from service.mail.numbers import read_number

MAX_ADDRESSES = 1000
MAX_FIELD = 256 << 10
"""Octets of an address field that are shown, as many as of a field in a header."""
CACHED = 320
"""Octets of an address, or of a field of them, that is kept for the next message: an address has 254 at most (RFC
5321), a name a few."""


def read_summary(
    row: FetchResponse, message_id: str, folder_id: str, structure: Part | None, *, in_doubt: bool = False
) -> MessageSummary:
    """The row of a list. A field that cannot be read is absent; the message is listed all the same. ``in_doubt``: there
    may be other parts than those of the structure."""
    date, subject, from_, _, _, to, _, _, in_reply_to, own_id = envelope_of(row)
    shown = Shown(octets(date), octets(subject), people_of(from_), people_of(to), octets(in_reply_to), octets(own_id))
    block = header_fields(row)
    has_to_be_read = has_more(block, shown.date, shown.subject, shown.from_, shown.to)
    return summary_of(
        row,
        message_id,
        folder_id,
        shown,
        values_of(block, lambda: body_charset(structure) if structure else None) if has_to_be_read else {},
        has_attachment=has_attachment(structure) if structure and not in_doubt else None,
    )


class Counted(Protocol):
    """What counts of a field of addresses when it is compared with the header."""

    @property
    def at_signs(self) -> int:
        """Those in it; -1 if an address is not a mailbox."""

    @property
    def is_missing(self) -> bool:
        """Whether it is NIL."""


class People(NamedTuple):
    """A field of addresses, with what is ``Counted``."""

    addresses: tuple[Address, ...]
    at_signs: int
    is_missing: bool


class Shown(NamedTuple):
    """What a list shows of an envelope."""

    date: bytes | None
    subject: bytes | None
    from_: People
    to: People
    in_reply_to: bytes | None
    message_id: bytes | None


def summary_of(
    row: FetchResponse,
    message_id: str,
    folder_id: str,
    shown: Shown,
    values: Mapping[str, Any],
    *,
    has_attachment: bool | None,
) -> MessageSummary:
    """As ``read_summary``, of an envelope that is read. ``values`` are those of the header, which count more."""
    return MessageSummary(
        id=message_id,
        folder_id=folder_id,
        subject=values["subject"] if "subject" in values else text(shown.subject),
        from_=values.get("from_", shown.from_.addresses),
        to=values.get("to", shown.to.addresses),
        received_at=read_date_time(row.get(b"INTERNALDATE")),
        sent_at=values["sent_at"] if "sent_at" in values else parse_date(shown.date),
        size=read_number(row.get(b"RFC822.SIZE")),
        flags=from_wire(row.get(b"FLAGS")),
        has_attachment=has_attachment,
        message_id=next(iter(parse_message_ids(shown.message_id)), None),
        in_reply_to=parse_message_ids(shown.in_reply_to) or None,
    )


def values_of(block: bytes, body_charset: Callable[[], str | None]) -> Mapping[str, Any]:
    """What the header fields say that came with a row."""
    return header_values(block, body_charset() if is_foreign(block) else None)


def has_more(block: bytes, date: bytes | None, subject: bytes | None, from_: Counted, to: Counted) -> bool:
    """Whether the header fields that came with a row have to be read: unless they were cut, or the envelope surely says
    the same."""
    return 0 < len(block) < MAX_FIELDS and not _says_the_same(block, date, subject, from_, to)


# In a field of addresses: comments, groups, escapes, routes, and angle brackets around no address, which servers read
# in different ways.
_ODD = re.compile(
    rb"\n(?:from|to):(?>(?:[^\r\n(\\;:<>]++|<[^\s<>@(\\;:]++@[^\s<>@(\\;:]++>|\r\n(?=[ \t]))*)[(\\;:<>]",
    re.IGNORECASE,
)

# Quotes of a mailbox's name, which an ENVELOPE does not have, and blanks amid text, of which Dovecot leaves one.
_ALTERED = re.compile(rb'^(?!date:)[ \t]*+[^\r\n]*?(?:"@|[^\s:][ \t]{2,}+[^\s])', re.IGNORECASE | re.MULTILINE)
_SIGNS = (b'"@', b"  ", b" \t", b"\t ")
"""One of them is in what is ``_ALTERED``. Most fields have none, and this is seen at once."""


def _says_the_same(block: bytes, date: bytes | None, subject: bytes | None, from_: Counted, to: Counted) -> bool:
    """Whether the fields are so usual that every server reads them alike: each there once, ASCII, and as many addresses
    as at signs. Most are, and reading them again takes a third of the time of a row."""
    if not block.isascii() or from_.at_signs < 0 or to.at_signs < 0:
        return False
    if any(sign in block for sign in _SIGNS) and _ALTERED.search(block):
        return False
    fields = 4 - (date is None) - (subject is None) - from_.is_missing - to.is_missing
    lines = block.count(b"\r\n") - block.count(b"\r\n ") - block.count(b"\r\n\t") - block.endswith(b"\r\n\r\n")
    at_signs = from_.at_signs + to.at_signs + (subject.count(b"@") if subject else 0)
    return lines == fields and block.count(b"@") == at_signs and _ODD.search(b"\n" + block) is None


def people_of(token: Token) -> People:
    """A field of addresses."""
    return People(addresses(token), _at_signs(token), token is None)


def _at_signs(entries: Token) -> int:
    if isinstance(entries, bytes):
        return -1
    count = 0
    for entry in entries or ():
        match entry:
            case [_, _, _, bytes() as domain] if not is_placeholder(domain):
                count += 1 + sum(each.count(b"@") for each in entry if isinstance(each, bytes))
            case _:
                return -1
    return count


def envelope_values(envelope: list[Token]) -> dict[str, Any]:
    """What only the message itself shows of an ENVELOPE, by the names that ``Message`` has for it. The server puts
    From in place of a missing Sender or Reply-To."""
    _, _, from_, sender, reply_to, _, cc, bcc, _, _ = envelope
    return {
        "sender": addresses(sender) if sender != from_ else (),
        "reply_to": addresses(reply_to) if reply_to != from_ else (),
        "cc": addresses(cc),
        "bcc": addresses(bcc),
    }


def weight(row: FetchResponse) -> int:
    """About how much work it is to read the response, in octets: every token counts ten more than it has, and a list,
    which may be a part, a hundred. A usual response has three thousand."""
    pending: list[Token] = list(row.values())
    octets = 0
    while pending:
        token = pending.pop()
        if isinstance(token, list):
            octets += 100
            pending.extend(token)
        elif token is not None:
            octets += len(token) + 10
    return octets


def envelope_of(row: FetchResponse) -> list[Token]:
    """The ten fields of the ENVELOPE; None for each that is missing."""
    envelope = row.get(b"ENVELOPE")
    fields = envelope if isinstance(envelope, list) else []
    return [*fields[:10], *[None] * (10 - len(fields))]


def structure_of(row: FetchResponse) -> Part | None:
    """The tree of parts; None if the server's BODYSTRUCTURE is unusable."""
    return tree_of(row.get(b"BODYSTRUCTURE"))


def tree_of(structure: Token) -> Part | None:
    """As ``structure_of``."""
    with suppress(UpstreamProtocol):
        return read_structure(structure)
    return None


def trusted_structure(row: FetchResponse) -> Part | None:
    """The tree of parts; None if the message is to be read from its source, because it may have other parts."""
    return None if is_doubtful(row) else structure_of(row)


def octets(token: Token) -> bytes | None:
    """A string field, None for NIL or anything else."""
    return token if isinstance(token, bytes) else None


def text(token: Token) -> str | None:
    """A field for people, decoded; of more than 8 KiB the beginning."""
    return shown_text(token) if isinstance(token, bytes) else None


def addresses(token: Token) -> tuple[Address, ...]:
    """The mailboxes of an address field; a group's members stand alone."""
    return tuple(_addresses(token)) if isinstance(token, list) else ()


def _addresses(fields: list[Token]) -> Iterator[Address]:
    left = MAX_FIELD
    for field in fields[:MAX_ADDRESSES]:
        match field:
            case [name, _, bytes() as local, bytes() as domain, *_]:
                name = name if isinstance(name, bytes) else None
                octets = len(name or b"") + len(local) + len(domain)
                left -= min(octets, 2 * MAX_SHOWN)
                if left < 0:
                    return
                address = (_known_address if octets <= CACHED else _address)(name, local, domain)
                if address.email or address.name:
                    yield address


def _address(name: bytes | None, local: bytes, domain: bytes) -> Address:
    """Without what servers write for what the header does not say."""
    local = b"" if is_placeholder(local) else local
    domain = b"" if is_placeholder(domain) else domain
    email = shown_text(local + b"@" + domain if domain else local)
    return Address(name=(shown_text(name) or None) if name is not None else None, email=email)


_known_address = lru_cache(maxsize=4096)(_address)
"""People write more than once."""
