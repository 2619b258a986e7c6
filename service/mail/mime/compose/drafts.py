"""Stored drafts as they were written."""

from collections.abc import Container, Iterable, Sequence

from service.mail.errors import InvalidRequest, TooLarge
from service.mail.mime.compose.checks import is_token
from service.mail.mime.compose.entities import MAX_CID
from service.mail.mime.compose.header import is_set_by_service
from service.mail.mime.headers.addresses import list_addresses
from service.mail.mime.html.safe_html import text_from_html
from service.mail.model import Header, Message, Part
from service.mail.submission.model import (
    MAX_ATTACHMENTS,
    MAX_HEADERS,
    MAX_RECIPIENTS,
    MAX_SUBJECT,
    MAX_TEXT,
    Attachment,
    NewDraft,
    NewHeader,
)

_MEMBERS = {
    "from": "from_",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "reply-to": "reply_to",
    "subject": "subject",
}
_MAX_NAME = 100
_MAX_VALUE = 10_000


def read_draft(
    message: Message,
    headers: Iterable[Header] = (),
    *,
    in_reply_to: str | None = None,
    text: str | None = None,
    html: str | None = None,
) -> NewDraft:
    """The draft of which ``compose`` made the message, read with ``HtmlMode.ORIGINAL``. ``headers`` are its fields; its
    attachments are its own parts. ``text`` and ``html`` stand for those of its body, which may be cut: ``body.choose``
    names the parts that have all of it.

    A text that is only the HTML's is left out, so that it follows a changed HTML. Raises TooLarge for what no draft can
    have, and if the body is cut and neither is given.
    """
    if message.body.is_truncated and text is None and html is None:
        raise TooLarge("The text of the draft is too long to be read at once.")
    html = message.body.html if html is None else html
    text = message.body.text if text is None else text
    if max(len(text or ""), len(html or "")) > MAX_TEXT or len(message.attachments) > MAX_ATTACHMENTS:
        raise TooLarge(f"A draft has at most {MAX_ATTACHMENTS} attachments and {MAX_TEXT} characters of text.")
    return NewDraft(
        from_=message.from_[0] if message.from_ else None,
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        reply_to=message.reply_to,
        subject=message.subject[:MAX_SUBJECT] if message.subject else None,
        text=None if html is not None and _is_made_from(html, text) else _with_lf(text or "") or None,
        html=None if html is None else _with_lf(html),
        in_reply_to=in_reply_to,
        attachments=tuple(_attachment(message.id, part) for part in message.attachments),
        headers=_added(headers),
    )


def require_whole(headers: Iterable[Header], given: Container[str] = ()) -> None:
    """Raises TooLarge or InvalidRequest if a draft of another program has more in its header than ``read_draft`` reads:
    a change would lose it. ``given`` are the members of ``NewDraft`` that the change gives."""
    fields = list(headers)
    for name, member in _MEMBERS.items():
        if member not in given:
            _require_whole(name, [field for field in fields if field.name.lower() == name])
    added = [field for field in fields if _can_be_added(field)]
    if "headers" not in given and (len(added) > MAX_HEADERS or any(len(each.value) > _MAX_VALUE for each in added)):
        raise TooLarge("The draft has more header fields, or longer ones, than can be changed. Give new ones.")


def _require_whole(name: str, fields: Sequence[Header]) -> None:
    """Of a field that one member has."""
    if len(fields) > 1:
        raise InvalidRequest(f"The draft has the header field {name} more than once. Give a new one.")
    for field in fields:
        if name == "subject":
            is_whole, is_clear = len(field.value) <= MAX_SUBJECT, True
        else:
            most = 1 if name == "from" else MAX_RECIPIENTS
            _, is_whole, is_clear = list_addresses(field.raw.encode("latin-1", "replace"), most)
        if not is_whole:
            raise TooLarge(f"The header field {name} of the draft is longer than can be changed. Give a new one.")
        if not is_clear:
            raise InvalidRequest(f"The header field {name} of the draft lacks a comma. Give a new one.")


def _can_be_added(field: Header) -> bool:
    return is_token(field.name) and len(field.name) <= _MAX_NAME and not is_set_by_service(field.name)


def _is_made_from(html: str, text: str | None) -> bool:
    return _with_lf(text_from_html(html)).rstrip("\n") == _with_lf(text or "").rstrip("\n")


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _attachment(message: str, part: Part) -> Attachment:
    return Attachment(
        message_id=message,
        part_id=part.id,
        type=part.type,
        name=part.name,
        size=part.size,
        disposition="inline" if part.disposition == "inline" else "attachment",
        cid=part.cid if part.cid and len(part.cid) <= MAX_CID else None,
    )


def _added(headers: Iterable[Header]) -> tuple[NewHeader, ...]:
    """Those that a user may add."""
    found = [NewHeader(name=each.name, value=each.value[:_MAX_VALUE]) for each in headers if _can_be_added(each)]
    return tuple(found[:MAX_HEADERS])
