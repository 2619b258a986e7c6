"""Stored drafts as they were written."""

from collections.abc import Iterable

from service.mail.errors import TooLarge
from service.mail.mime.compose.checks import is_token
from service.mail.mime.compose.entities import MAX_CID
from service.mail.mime.compose.header import is_set_by_service
from service.mail.mime.html.safe_html import text_from_html
from service.mail.model import Header, Message, Part
from service.mail.submission.model import (
    MAX_ATTACHMENTS,
    MAX_HEADERS,
    MAX_SUBJECT,
    MAX_TEXT,
    Attachment,
    NewDraft,
    NewHeader,
)

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
    found = [
        NewHeader(name=each.name, value=each.value[:_MAX_VALUE])
        for each in headers
        if is_token(each.name) and len(each.name) <= _MAX_NAME and not is_set_by_service(each.name)
    ]
    return tuple(found[:MAX_HEADERS])
