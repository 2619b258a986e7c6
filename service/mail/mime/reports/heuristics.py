"""Bounces that follow no RFC, by ``flufl.bounce``, which knows the formats that Mailman has met.

It is given a message made for it: a few clean fields and the beginning of the text, in short lines. So neither the
parser of the standard library nor its patterns, some of which cost the square of a line, see what a stranger wrote.
"""

import logging
import re
from contextlib import suppress
from email.message import Message

from flufl.bounce import all_failures

from service.mail.mime.headers.fields import parse_message_ids
from service.mail.mime.reports.origin import Origin
from service.mail.model import Part, Report, ReportRecipient

MAX_TEXT = 16 * 1024
"""Characters; what is said about a bounce is said first."""
MAX_LINE = 320
"""Characters; an address has at most 254."""
MAX_RECIPIENTS = 100
_ADDRESS = re.compile(r"[^\s@<>()\[\]\",;:\\]{1,64}@[A-Za-z0-9.-]{1,255}")
_RETURNED_ID = re.compile(r"^[> \t]{0,10}Message-ID:[ \t]{0,10}(<[^<>\s]{1,998}>)", re.IGNORECASE | re.MULTILINE)
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)  # it logs what it failed at, with addresses


def read_odd_bounce(origin: Origin, structure: Part, text: str) -> Report | None:
    """The report; None if no recipient is recognized. Nothing is known of their status."""
    delayed, failed = _failures(_letter(origin, structure, text[:MAX_TEXT]))
    failed |= {email for email in origin.failed if _ADDRESS.fullmatch(email)}
    found = [*((email, "failed") for email in failed), *((email, "delayed") for email in delayed - failed)]
    if not found:
        return None
    found.sort(key=lambda each: (text.find(each[0]), each[0]))
    recipients = tuple(ReportRecipient(email=email, action=action) for email, action in found[:MAX_RECIPIENTS])
    return Report(kind="delivery", original_message_id=_original(text) or origin.answers, recipients=recipients)


def _failures(letter: Message) -> tuple[set[str], set[str]]:
    """It raises for odd headers. Then no recipient is recognized."""
    with suppress(Exception):
        delayed, failed = all_failures(letter)
        sender = letter["From"]
        return _addresses(delayed, sender), _addresses(failed, sender)
    return set(), set()


def _addresses(found: frozenset[bytes], sender: str) -> set[str]:
    emails = (octets.decode("ascii", "replace").rstrip(".") for octets in found)
    return {email for email in emails if _ADDRESS.fullmatch(email) and email.lower() != sender.lower()}


def _letter(origin: Origin, structure: Part, text: str) -> Message:
    letter = Message()
    letter["From"] = origin.sender if _ADDRESS.fullmatch(origin.sender) else "unknown@invalid"
    if origin.mailer:
        letter["X-Mailer"] = origin.mailer[:MAX_LINE]
    body = letter
    if structure.type.startswith("multipart/"):
        body, rest = Message(), Message()
        body["Content-Description"] = "Notification"
        letter["Content-Type"] = "multipart/report" if structure.type == "multipart/report" else "multipart/mixed"
        rest["Content-Type"] = "text/rfc822-headers"
        rest.set_payload("")
        letter.set_payload([body, rest])
    body["Content-Type"] = "text/plain"
    body.set_payload("\n".join(line[:MAX_LINE] for line in text.split("\n")))
    return letter


def _original(text: str) -> str | None:
    """In the copy of the message that stands in the text, as qmail and Exim put it there."""
    match = _RETURNED_ID.search(text[: 4 * MAX_TEXT])
    return next(iter(parse_message_ids(match[1])), None) if match else None
