"""A draft as a message: its structure (RFC 2046, 5.1; RFC 2387), and its pieces."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from html import unescape
from secrets import token_hex
from urllib.parse import unquote

from service.mail.mime.compose.entities import Entity, attachment, media_type, multipart, text_part
from service.mail.mime.compose.header import message_header
from service.mail.mime.compose.values import Composition, Identified, Piece, Resolved
from service.mail.mime.html.safe_html import text_from_html
from service.mail.submission.model import NewDraft

_CID = re.compile(r"cid:([^\s\"'<>()]{1,2000}+)", re.IGNORECASE)


def new_boundary() -> str:
    """128 random bits; no line of quoted-printable or base64 has ``=_``."""
    return f"=_{token_hex(16)}"


def compose(
    draft: NewDraft,
    attachments: Sequence[Resolved],
    identified: Identified,
    boundaries: Callable[[], str] = new_boundary,
) -> Composition:
    """The message of the draft with these attachments; those that the draft itself names are not looked at.

    Text and HTML are alternatives; without a text it is made of the first half MiB of the HTML. Parts that the HTML
    shows by ``cid:`` are related to it; all others follow. Blind copies are in its header: ``Outgoing`` takes them out.

    Raises InvalidRequest and TooLarge. It takes up to 0.2 s for the longest text and HTML: run it in a thread.
    """
    header = message_header(draft, identified)
    return message_of(header, _content(draft, attachments, boundaries), identified.message_id)


def message_of(header: bytes, content: Entity, message_id: str) -> Composition:
    """The message of a header, without its Content fields, and of its content."""
    end = b"\r\n" if len(content.body) > 1 else b""
    pieces = _joined([header, content.head, b"\r\n", *content.body, end])
    return Composition(tuple(pieces), message_id, content.is_8bit, not header.isascii())


def _content(draft: NewDraft, attachments: Sequence[Resolved], boundaries: Callable[[], str]) -> Entity:
    shown = _shown_ids(draft.html or "")
    related = [each for each in attachments if each.cid in shown]
    others = [each for each in attachments if each.cid not in shown]
    body = _body(draft, [attachment(each) for each in related], boundaries)
    return multipart("mixed", [body, *(attachment(_apart(each)) for each in others)], boundaries())


def _body(draft: NewDraft, related: Sequence[Entity], boundaries: Callable[[], str]) -> Entity:
    if draft.html is None:
        return text_part(draft.text or "", "plain")
    text = text_from_html(draft.html) if draft.text is None else draft.text
    html = multipart("related", [text_part(draft.html, "html"), *related], boundaries(), ['type="text/html"'])
    return multipart("alternative", [text_part(text, "plain"), html], boundaries())


def _shown_ids(html: str) -> frozenset[str]:
    """The Content-IDs that the HTML refers to, escaped as HTML, as an address, or not at all."""
    found = (unescape(each) for each in _CID.findall(html))
    return frozenset(spelt for each in found for spelt in (each, unquote(each)))


def _apart(resolved: Resolved) -> Resolved:
    """A text without a name would be read as a part of the body (RFC 8621, 4.1.4) unless it is an attachment."""
    is_text = not resolved.name and media_type(resolved) in {"text/plain", "text/html"}
    return replace(resolved, disposition="attachment") if is_text else resolved


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """No two octet strings beside each other."""
    octets: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            octets.append(piece)
            continue
        if octets:
            yield b"".join(octets)
            octets = []
        yield piece
    if octets:
        yield b"".join(octets)
