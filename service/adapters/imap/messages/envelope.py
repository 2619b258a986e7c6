"""A FETCH row to the values of a list (RFC 9051, 7.5.2)."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from service.adapters.imap.messages.bodystructure import read_structure
from service.adapters.imap.wire.flags import from_wire
from service.adapters.imap.wire.responses import FetchResponse
from service.adapters.imap.wire.tokens import Token
from service.mail.errors import UpstreamProtocol
from service.mail.mime.body import has_attachment
from service.mail.mime.dates import parse_date
from service.mail.mime.headers import parse_message_ids
from service.mail.mime.words import decode_words
from service.mail.model import Address, MessageSummary, Part

SUMMARY_ITEMS = b"UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"
MAX_ADDRESSES = 1000
_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}


def read_summary(row: FetchResponse, message_id: str, folder_id: str, structure: Part | None) -> MessageSummary:
    """What a list shows. A field the server garbled is absent; the message still stands in the list."""
    envelope = envelope_of(row)
    return MessageSummary(
        id=message_id,
        folder_id=folder_id,
        subject=text(envelope[1]),
        from_=addresses(envelope[2]),
        to=addresses(envelope[5]),
        received_at=internal_date(row.get(b"INTERNALDATE")),
        sent_at=parse_date(octets(envelope[0])),
        size=size(row.get(b"RFC822.SIZE")),
        flags=from_wire(row.get(b"FLAGS")),
        has_attachment=has_attachment(structure) if structure else None,
        message_id=next(iter(message_ids(envelope[9])), None),
        in_reply_to=message_ids(envelope[8]) or None,
    )


def envelope_of(row: FetchResponse) -> list[Token]:
    """The ten fields of the ENVELOPE, None where one is missing."""
    envelope = row.get(b"ENVELOPE")
    fields = envelope if isinstance(envelope, list) else []
    return [*fields[:10], *[None] * (10 - len(fields))]


def structure_of(row: FetchResponse) -> Part | None:
    """The tree of parts, None where the server's cannot be read."""
    with suppress(UpstreamProtocol):
        return read_structure(row.get(b"BODYSTRUCTURE"))
    return None


def octets(token: Token) -> bytes | None:
    """A string field, None for NIL or anything else."""
    return token if isinstance(token, bytes) else None


def text(token: Token) -> str | None:
    """A field for people, decoded."""
    return decode_words(token) if isinstance(token, bytes) else None


def message_ids(token: Token) -> tuple[str, ...]:
    """Message-IDs without their angle brackets."""
    return parse_message_ids(token) if isinstance(token, bytes) else ()


def size(token: Token) -> int | None:
    """Octets as told; never to be trusted for an allocation or a Content-Length."""
    return int(token) if isinstance(token, bytes) and token.isdigit() and len(token) < 19 else None


def addresses(token: Token) -> tuple[Address, ...]:
    """The mailboxes of an address field; a group's members stand alone."""
    return tuple(_addresses(token)) if isinstance(token, list) else ()


def _addresses(fields: list[Token]) -> Iterator[Address]:
    for field in fields[:MAX_ADDRESSES]:
        match field:
            case [name, _, bytes() as local, bytes() as domain, *_]:
                yield _address(name if isinstance(name, bytes) else None, local, domain)


@lru_cache(maxsize=4096)
def _address(name: bytes | None, local: bytes, domain: bytes) -> Address:
    """People write more than once."""
    email = decode_words(local + b"@" + domain if domain else local)
    return Address(name=(decode_words(name) or None) if name is not None else None, email=email)


def internal_date(token: Token) -> datetime | None:
    """``17-Jul-1996 02:44:25 -0700`` in UTC; None for anything else."""
    if not isinstance(token, bytes):
        return None
    try:
        day, month, year = token[:11].strip().split(b"-")
        hour, minute, second = map(int, token[12:20].split(b":"))
        zone = int(token[21:26])
        minutes = abs(zone) // 100 * 60 + abs(zone) % 100
        offset = timezone(timedelta(minutes=minutes if zone >= 0 else -minutes))
        return datetime(int(year), _MONTHS[month.lower()], int(day), hour, minute, second, tzinfo=offset).astimezone(
            UTC
        )
    except (ValueError, KeyError, OverflowError):
        return None
