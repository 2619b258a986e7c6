"""Reads the values of a list row from a FETCH response (RFC 9051, 7.5.2)."""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.wire.dates import read_date_time
from service.adapters.imap.wire.flags import from_wire
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import Token
from service.mail.errors import UpstreamProtocol
from service.mail.mime.body import has_attachment
from service.mail.mime.headers.dates import parse_date
from service.mail.mime.headers.fields import parse_message_ids
from service.mail.mime.headers.words import MAX_SHOWN, shown_text
from service.mail.model import Address, MessageSummary, Part
from service.mail.numbers import read_number

MAX_ADDRESSES = 1000
MAX_FIELD = 256 << 10
"""Octets of an address field that are shown, as many as of a field in a header."""
_CACHED = 320
"""Octets of an address that is kept for the next message: an address has 254 at most (RFC 5321), a name a few."""


def read_summary(row: FetchResponse, message_id: str, folder_id: str, structure: Part | None) -> MessageSummary:
    """The row of a list. A field that cannot be read is absent; the message is listed all the same."""
    envelope = envelope_of(row)
    return MessageSummary(
        id=message_id,
        folder_id=folder_id,
        subject=text(envelope[1]),
        from_=addresses(envelope[2]),
        to=addresses(envelope[5]),
        received_at=read_date_time(row.get(b"INTERNALDATE")),
        sent_at=parse_date(octets(envelope[0])),
        size=read_number(row.get(b"RFC822.SIZE")),
        flags=from_wire(row.get(b"FLAGS")),
        has_attachment=has_attachment(structure) if structure else None,
        message_id=next(iter(message_ids(envelope[9])), None),
        in_reply_to=message_ids(envelope[8]) or None,
    )


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
    with suppress(UpstreamProtocol):
        return read_structure(row.get(b"BODYSTRUCTURE"))
    return None


def octets(token: Token) -> bytes | None:
    """A string field, None for NIL or anything else."""
    return token if isinstance(token, bytes) else None


def text(token: Token) -> str | None:
    """A field for people, decoded; of more than 8 KiB the beginning."""
    return shown_text(token) if isinstance(token, bytes) else None


def message_ids(token: Token) -> tuple[str, ...]:
    """Message-IDs without their angle brackets."""
    return parse_message_ids(token) if isinstance(token, bytes) else ()


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
                yield (_known_address if octets <= _CACHED else _address)(name, local, domain)


def _address(name: bytes | None, local: bytes, domain: bytes) -> Address:
    """Dovecot writes MISSING_MAILBOX and MISSING_DOMAIN for what the header does not say."""
    local = b"" if local == b"MISSING_MAILBOX" else local
    domain = b"" if domain == b"MISSING_DOMAIN" else domain
    email = shown_text(local + b"@" + domain if domain else local)
    return Address(name=(shown_text(name) or None) if name is not None else None, email=email)


_known_address = lru_cache(maxsize=4096)(_address)
"""People write more than once."""
