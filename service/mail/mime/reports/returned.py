"""Reads the report and the way to unsubscribe from the pieces of a message that an adapter has."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from service.mail.mime.body import Leaf
from service.mail.mime.headers.fields import RawHeader, parse_message_ids, split_headers
from service.mail.mime.reports.heuristics import read_odd_bounce
from service.mail.mime.reports.notices import Notice, read_notice
from service.mail.mime.reports.origin import Origin
from service.mail.mime.reports.unsubscribe import read_unsubscribe
from service.mail.mime.transfer.decoding import decode
from service.mail.model import Part, Report, Unsubscribe

FIELDS = (
    "From",
    "Subject",
    "In-Reply-To",
    "References",
    "Return-Path",
    "Auto-Submitted",
    "X-Failed-Recipients",
    "X-Mailer",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
"""The fields of the header that are looked at."""
MAX_OCTETS = 64 * 1024
"""Stored octets that are read of each part of a report."""
MAX_NOTICES = 5
NOTICES = {
    "message/delivery-status": "delivery",
    "message/global-delivery-status": "delivery",
    "message/disposition-notification": "disposition",
    "message/global-disposition-notification": "disposition",
}
_RETURNED = {
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global-headers",
}


class ReportParts(NamedTuple):
    """The parts of a report that machines read: notices, and the message that came back or its header."""

    notices: tuple[Part, ...]
    """One, and more if a mail server did not know that."""
    returned: Part | None
    is_report: bool
    """Whether they are within a multipart/report (RFC 6522), or just parts of a message."""

    @property
    def all(self) -> tuple[Part, ...]:
        return self.notices if self.returned is None else (*self.notices, self.returned)


class Returned(NamedTuple):
    """Named as the fields of ``Message``."""

    report: Report | None = None
    unsubscribe: Unsubscribe | None = None


def report_parts(structure: Part) -> ReportParts | None:
    """The first notices that are in no attached message; None for ordinary mail. An adapter needs at most MAX_OCTETS of
    each of these parts."""
    for parent in structure.walk(into_messages=False):
        children = (parent.parts or ()) if parent.type.startswith("multipart/") else ()
        notices = tuple(part for part in children if part.type in NOTICES)[:MAX_NOTICES]
        if notices:
            returned = next((part for part in children if part.type in _RETURNED), None)
            return ReportParts(notices, returned, parent.type == "multipart/report")
    return ReportParts((structure,), None, is_report=False) if structure.type in NOTICES else None


def read_returned(
    fields: Sequence[RawHeader], structure: Part, leaf: Callable[[Part], Leaf | None], text: str | None
) -> Returned:
    """``fields`` are those of the header, or at least FIELDS of them; ``leaf`` returns the octets of a part of
    ``report_parts``, None if there are none; ``text`` is the body's."""
    origin = Origin(fields)
    return Returned(_report(origin, structure, leaf, text or ""), read_unsubscribe(fields))


def _report(origin: Origin, structure: Part, leaf: Callable[[Part], Leaf | None], text: str) -> Report | None:
    parts = report_parts(structure)
    if parts is not None and (parts.is_report or origin.is_bounce):
        octets = b"\n\n".join(_octets(leaf(part)) for part in parts.notices)
        notice = read_notice(octets, NOTICES[parts.notices[0].type], origin.sender)
        returned = _octets(leaf(parts.returned)) if parts.returned is not None else b""
        found = _original(returned) or notice.original_message_id or origin.answers
        if notice.recipients or notice.kind == "disposition":
            return _joined(notice, found)
        odd = read_odd_bounce(origin, structure, text)
        return odd.model_copy(update={"original_message_id": found}) if odd else _joined(notice, found)
    return read_odd_bounce(origin, structure, text) if origin.may_be_bounce else None


def _joined(notice: Notice, original: str | None) -> Report:
    return Report(kind=notice.kind, original_message_id=original, recipients=notice.recipients)


def _octets(leaf: Leaf | None) -> bytes:
    """Decoded: RFC 6522 wants 7bit, and not every sender keeps to that."""
    return decode(leaf.octets[:MAX_OCTETS], leaf.part.encoding) if leaf is not None else b""


def _original(returned: bytes) -> str | None:
    """The Message-ID of the message that came back."""
    ids = (parse_message_ids(raw) for name, raw in split_headers(returned.lstrip()) if name.lower() == "message-id")
    return next((found[0] for found in ids if found), None)
