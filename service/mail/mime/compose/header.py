"""The header of a message: what the service sets, what the user adds, and fields of the service's own."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.addresses import address_field
from service.mail.mime.compose.checks import INTERNAL, is_id, is_token, one_line, shown
from service.mail.mime.compose.values import Identified
from service.mail.mime.compose.words import fold, subject_field, value_field
from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.fields import MAX_BLOCK, split_headers
from service.mail.model import Address
from service.mail.submission.model import NewDraft, NewHeader

_MAX_NAME = 100
_OWN_NAMES = (
    "from sender reply-to to cc bcc apparently-to subject date message-id in-reply-to references received return-path"
    " delivered-to authentication-results"
)
_OWN = frozenset(_OWN_NAMES.split())
_OWN_PREFIXES = ("mime-", "content-", "dkim-", "arc-", "resent-", INTERNAL)
_ADDRESS_NAMES = "disposition-notification-to mail-followup-to mail-reply-to return-receipt-to errors-to"
_OF_ADDRESSES = frozenset(_ADDRESS_NAMES.split())
_INTERNAL_VALUE = re.compile("[!-~]+")
_PIECE = 900
"""Octets of a field of the service's own on one line. Readers have a space at each fold of a longer one."""


def message_header(draft: NewDraft, identified: Identified) -> bytes:
    """All fields but those of the content. Raises InvalidRequest if one cannot be written, TooLarge above 256 KiB."""
    header = b"".join(_fields(draft, identified))
    if len(header) > MAX_BLOCK - 4096:
        raise TooLarge("The addresses and header fields of the message exceed 256 KiB.")
    return header


def is_set_by_service(name: str) -> bool:
    """Whether a user cannot add a field of this name."""
    lower = name.lower()
    return lower in _OWN or lower.startswith(_OWN_PREFIXES)


def internal_fields(block: bytes) -> dict[str, str]:
    """The ``Identified.internal`` of a stored header, by name in lower case."""
    return {
        name.lower(): "".join(raw.decode("ascii", "replace").split())
        for name, raw in split_headers(block)
        if name.lower().startswith(INTERNAL)
    }


def date_field(moment: datetime) -> bytes:
    """RFC 5322, 3.3."""
    offset = moment.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        moment = moment.astimezone(UTC)
    return fold("Date", [format_datetime(moment)])


def id_field(name: str, message_id: str) -> bytes:
    """On one line, since some readers do not unfold it. Raises InvalidRequest if it is not an id."""
    if not is_id(message_id):
        raise InvalidRequest(f"{shown(message_id)} cannot be a {name}.")
    return fold(name, [f"<{message_id}>"])


def _fields(draft: NewDraft, identified: Identified) -> Iterator[bytes]:
    yield date_field(identified.date)
    author = draft.from_ or identified.from_
    yield from _addresses("From", (author,) if author else ())
    yield from _addresses("Reply-To", draft.reply_to)
    yield from _addresses("To", draft.to)
    yield from _addresses("Cc", draft.cc)
    yield from _addresses("Bcc", draft.bcc)
    yield id_field("Message-ID", identified.message_id)
    yield from _ids("In-Reply-To", identified.in_reply_to)
    yield from _ids("References", identified.references)
    if subject := one_line(draft.subject or "", "The subject"):
        yield subject_field("Subject", subject)
    for header in draft.headers:
        yield _added(header)
    for name, value in identified.internal:
        yield internal_field(name, value)
    yield b"MIME-Version: 1.0\r\n"


def _addresses(name: str, addresses: Sequence[Address]) -> Iterator[bytes]:
    if addresses:
        yield address_field(name, addresses)


def _ids(name: str, ids: Sequence[str]) -> Iterator[bytes]:
    if words := [f"<{each}>" for each in ids if is_id(each)]:
        yield fold(name, words)


def _added(header: NewHeader) -> bytes:
    if not is_token(header.name) or len(header.name) > _MAX_NAME:
        raise InvalidRequest(f"{shown(header.name)} cannot be the name of a header field.")
    if is_set_by_service(header.name):
        raise InvalidRequest(f"The service sets the header field {header.name}; it cannot be added.")
    value = one_line(header.value, f"The header field {header.name}")
    if header.name.lower() in _OF_ADDRESSES and (addresses := parse_addresses(value)):
        return address_field(header.name, addresses)
    return value_field(header.name, value)


def internal_field(name: str, value: str) -> bytes:
    """A field that ``Outgoing`` removes. Raises InvalidRequest unless its name is one of those, and its value is ASCII
    without spaces."""
    if not is_token(name) or not name.lower().startswith(INTERNAL) or not _INTERNAL_VALUE.fullmatch(value):
        raise InvalidRequest(f"{shown(name)} cannot be a field of the service's own.")
    return fold(name, [value[at : at + _PIECE] for at in range(0, len(value), _PIECE)])
