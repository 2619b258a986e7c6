"""The groups of fields that machines write for machines: delivery status (RFC 3464, RFC 6533) and disposition
notifications (RFC 8098). At most ``MAX_GROUPS`` recipients are read."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from service.mail.cleaning import clean_text
from service.mail.mime.headers.addresses import parse_addresses
from service.mail.mime.headers.fields import RawHeader, first, parse_message_ids, split_headers
from service.mail.mime.headers.words import decode_words
from service.mail.mime.transfer.decoding import decode, is_identity
from service.mail.model import ReportRecipient

MAX_GROUPS = 1000
MAX_DIAGNOSTIC = 1000
"""Characters of what a mail server said."""
MAX_ADDRESS = 2000
_EMPTY_LINES = re.compile(rb"\n(?:[ \t]*\r?\n)+")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_WORD = re.compile(r"[a-z][a-z-]{0,30}")
_COMMENT = re.compile(r"\([^()]{0,1000}\)")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_BY_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}
_SYNONYMS = {"error": "failed", "fail": "failed", "failure": "failed", "delay": "delayed"}
_ADDRESS_TYPES = {"", "rfc822", "utf-8", "smtp"}


class Notice(NamedTuple):
    """What a notice says."""

    kind: str
    original_message_id: str | None
    recipients: tuple[ReportRecipient, ...]


def read_notice(octets: bytes, kind: str, sender: str) -> Notice:
    """Never fails: what is missing is absent. ``sender`` sent the message, and has displayed it if nothing says who
    did."""
    groups = list(_groups(octets))
    recipients = _dispositions(groups, sender) if kind == "disposition" else _deliveries(groups)
    return Notice(kind, _original(groups), tuple(recipients))


def _groups(octets: bytes) -> Iterator[tuple[RawHeader, ...]]:
    """Some gateways encode a group, and say so in the one before it."""
    encoding = ""
    for block in _EMPTY_LINES.split(octets.strip(), maxsplit=MAX_GROUPS)[:MAX_GROUPS]:
        if not is_identity(encoding):
            block = decode(block, encoding).strip()
        fields = split_headers(block)
        encoding = (first(fields, "Content-Transfer-Encoding") or b"").decode("latin-1")
        if fields:
            yield fields


def _original(groups: list[tuple[RawHeader, ...]]) -> str | None:
    """RFC 8098, 3.2.5; Gmail has an X- in front in its bounces."""
    for fields in groups:
        for name in ("Original-Message-ID", "X-Original-Message-ID"):
            if found := parse_message_ids(first(fields, name)):
                return found[0]
    return None


def _deliveries(groups: list[tuple[RawHeader, ...]]) -> Iterator[ReportRecipient]:
    """RFC 3464, 2.3. Some put the fields of the only recipient among those of the message."""
    for fields in groups:
        if email := _email(fields):
            status = _status(_text(fields, "Status"))
            diagnostic = _untyped(_text(fields, "Diagnostic-Code"))
            action = _action(_text(fields, "Action")) or _BY_CLASS.get((status or _status(diagnostic) or "5")[0], "")
            yield ReportRecipient(email=email, action=action, status=status, diagnostic=diagnostic or None)


def _dispositions(groups: list[tuple[RawHeader, ...]], sender: str) -> Iterator[ReportRecipient]:
    """RFC 8098, 3.2.6: ``manual-action/MDN-sent-manually; displayed/error``."""
    fields = tuple(field for group in groups for field in group)
    disposition = _COMMENT.sub(" ", _text(fields, "Disposition")).rpartition(";")[2].strip().lower()
    email = _email(fields) or sender
    match = _WORD.match(disposition)
    if email and match is not None:
        causes = (_text(fields, name) for name in ("Error", "Failure", "Warning"))
        yield ReportRecipient(email=email, action=match[0], diagnostic=next(filter(None, causes), None))


def _email(fields: tuple[RawHeader, ...]) -> str | None:
    """The address that the message was sent to, if it says that, else the one that the mail server made of it."""
    finals = ("Final-Recipient", "X-Actual-Recipient")
    named = [_typed(first(fields, name) or b"") for name in ("Original-Recipient", *finals)]
    whole = (email for email in named if "@" in email)
    return next(whole, None) or next(filter(None, named[1:]), None)


def _typed(raw: bytes) -> str:
    """The address of ``rfc822; ann@example.org``; empty if it is none of mail (RFC 3464, 2.1.2; RFC 6533, 3)."""
    kind, semicolon, value = raw[:MAX_ADDRESS].decode("utf-8", "replace").partition(";")
    if not semicolon:
        kind, value = "", kind
    if _COMMENT.sub("", kind).strip().lower() not in _ADDRESS_TYPES:
        return ""
    found = parse_addresses(_UNICODE.sub(_character, value), 1)
    return "" if not found or not found[0].email or " " in found[0].email else found[0].email


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if 0x80 <= code < 0xD800 or 0xE000 <= code < 0x110000 else "\ufffd"


def _action(text: str) -> str | None:
    match = _WORD.match(text.lower())
    return _SYNONYMS.get(match[0], match[0]) if match else None


def _status(text: str) -> str | None:
    match = _STATUS.search(text)
    return match[0] if match else None


def _untyped(text: str) -> str:
    """Without ``smtp;``."""
    kind, semicolon, rest = text.partition(";")
    return (rest if semicolon and re.fullmatch(r"[A-Za-z0-9-]{1,40}", kind.strip()) else text).strip()[:MAX_DIAGNOSTIC]


def _text(fields: tuple[RawHeader, ...], name: str) -> str:
    raw = first(fields, name) or b""
    return clean_text(" ".join(decode_words(raw[: 8 * MAX_DIAGNOSTIC]).split()))[:MAX_DIAGNOSTIC]
