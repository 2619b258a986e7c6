"""The items of FETCH that rows of lists are made of: those of every server, or Gmail's own beside them (X-GM-EXT-1).

Gmail's are asked for in the same FETCH, so they cost no round trip.
"""

from typing import NamedTuple

from service.adapters.imap.session.connection import Connection
from service.adapters.imap.wire.responses import FetchResponse
from service.mail.ids import thread_id
from service.mail.numbers import read_number

GMAIL = "X-GM-EXT-1"
_THREAD = b"X-GM-THRID"
_EMAIL = b"X-GM-MSGID"
MAX_FIELDS = 32 << 10
"""Octets of header fields that are read for a row."""
_MAX_ID = (1 << 64) - 1


class Items(NamedTuple):
    """Lists of items, in parentheses."""

    row: bytes
    """Everything of a row."""
    changing: bytes
    """What changes: it is read again each time a row is shown."""
    arrival: bytes
    """What a search over several folders needs of a match."""
    more: bytes = b""
    """What changes beside the flags, to be added to other items."""


PLAIN = Items(
    # Servers lose people of fields that are not quite right (``a@example.org <b@example.org>``), and take text apart
    # that is in no charset. So what people look at is read from the header itself.
    row=b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE"
    b" BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT)]<0.%d>)" % MAX_FIELDS,
    changing=b"(UID FLAGS)",
    arrival=b"(UID INTERNALDATE)",
)
WITH_LABELS = Items(
    row=PLAIN.row[:-1] + b" X-GM-MSGID X-GM-THRID X-GM-LABELS)",
    changing=b"(UID FLAGS X-GM-LABELS)",
    arrival=b"(UID INTERNALDATE X-GM-MSGID)",
    more=b" X-GM-LABELS",
)


def items_of(connection: Connection) -> Items:
    """The items that this server can answer."""
    return WITH_LABELS if connection.has(GMAIL) else PLAIN


def gmail_thread(row: FetchResponse) -> str | None:
    """The id of Gmail's thread; None if the response does not have it."""
    number = read_number(row.get(_THREAD), _MAX_ID)
    return None if number is None else thread_id(str(number))


def gmail_email(row: FetchResponse) -> int | None:
    """The number of the message that is the same in all folders (labels) which show it; None if the response does not
    have it."""
    return read_number(row.get(_EMAIL), _MAX_ID)
