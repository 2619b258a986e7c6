"""Which parts of a message are its body and which its attachments (RFC 2046, RFC 8621 4.1.4), and the body read."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from service.mail.mime.charset import Decoded, decode_text
from service.mail.mime.html.safe_html import SafeHtml, safe_html, text_from_html
from service.mail.mime.transfer.decoding import decoder, feed_all
from service.mail.model import HtmlMode, MessageBody, Part

MAX_TEXT = 256 * 1024
MAX_STORED = 4 * MAX_TEXT
"""Octets that are decoded for it, in any encoding."""

# Parts that mail programs add for each other, which a user would not call attachments.
_MACHINERY = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-encrypted",
    "message/delivery-status",
    "message/disposition-notification",
    "message/global-delivery-status",
    "text/rfc822-headers",
    "text/x-amp-html",
}


class Choice(NamedTuple):
    """The leaves that a person reads; both are the same message said twice."""

    text: Part | None
    html: Part | None


class Leaf(NamedTuple):
    """A chosen part with its octets as stored. ``is_cut`` says that the part has more than these."""

    part: Part
    octets: bytes
    is_cut: bool = False


def choose(structure: Part) -> Choice:
    """The body. The parsers bound the depth of the tree."""
    kind, _, subtype = structure.type.partition("/")
    if kind != "multipart" or not structure.parts:
        return _choose_leaf(structure)
    if subtype == "alternative":
        return _choose_alternative(structure.parts)
    choices = (choose(part) for part in structure.parts)
    return next((choice for choice in choices if choice.text or choice.html), Choice(None, None))


def _choose_leaf(part: Part) -> Choice:
    if part.disposition == "attachment":
        return Choice(None, None)
    if part.type == "text/html":
        return Choice(None, part)
    # A multipart without parts is what a lost boundary leaves: its text is still there.
    is_text = part.type == "text/plain" or (part.type.startswith("multipart/") and not part.parts)
    return Choice(part if is_text else None, None)


def _choose_alternative(parts: Sequence[Part]) -> Choice:
    """RFC 2046, 5.1.4: the last is the richest, so the HTML is the last one; the text is the first."""
    choices = [choose(part) for part in parts]
    text = next((choice.text for choice in choices if choice.text), None)
    html = next((choice.html for choice in reversed(choices) if choice.html), None)
    return Choice(text, html)


def attachments(structure: Part) -> tuple[Part, ...]:
    """Every leaf that is not the body; an attached message is one leaf."""
    chosen = {part.id for part in choose(structure) if part}
    return tuple(part for part in _leaves(structure) if part.id not in chosen)


def has_attachment(structure: Part) -> bool:
    """Whether there is anything a user would call an attachment."""
    return any(_is_attachment(part) for part in attachments(structure))


def _is_attachment(part: Part) -> bool:
    if part.type in _MACHINERY:
        return False
    if part.disposition == "attachment" or (part.name and not part.cid):
        return True
    is_inline_image = part.type.startswith("image/") and part.cid
    is_text = part.type in {"text/plain", "text/html"} or part.type.startswith("multipart/")
    return not is_inline_image and not is_text


def _leaves(structure: Part) -> Iterator[Part]:
    return (
        part for part in structure.walk(into_messages=False) if not part.type.startswith("multipart/") or not part.parts
    )


def read_body(
    text: Leaf | None, html: Leaf | None, form: HtmlMode = HtmlMode.SAFE, warnings: Sequence[str] = ()
) -> MessageBody:
    """The body decoded, at most 256 KiB each of text and HTML; without a text part, text is made from the HTML."""
    plain, rich = _read(text), _read(html)
    shown = _html(rich.text, form) if html else None
    words = plain.text if text else text_from_html(rich.text) if html else None
    noticed = [*warnings, *plain.warnings, *rich.warnings, *(("html-simplified",) if shown and shown.is_plain else ())]
    return MessageBody(
        text=words,
        html=shown.html if shown else None,
        is_truncated=plain.is_cut or rich.is_cut,
        remote_content=shown.remote if shown else (),
        warnings=tuple(dict.fromkeys(noticed)),
    )


class _Read(NamedTuple):
    text: str = ""
    is_cut: bool = False
    warnings: tuple[str, ...] = ()


def _read(leaf: Leaf | None) -> _Read:
    if leaf is None:
        return _Read()
    octets, is_flawed = _transferred(leaf)
    is_cut = leaf.is_cut or len(octets) > MAX_TEXT
    decoded = _decode(octets[:MAX_TEXT], leaf.part.charset, is_cut=is_cut)
    checks = (("encoding-problem", is_flawed), ("charset-problem", decoded.problem))
    return _Read(decoded.text, is_cut, tuple(warning for warning, holds in checks if holds))


def _transferred(leaf: Leaf) -> tuple[bytes, bool]:
    """Decodes somewhat more than the limit, so that a cut is noticed. What a cut leaves open is not a flaw of the
    mail."""
    decode = decoder(leaf.part.encoding)
    octets = feed_all(decode, leaf.octets[:MAX_STORED])
    is_flawed = decode.flawed
    octets += decode.finish()
    if leaf.is_cut or len(leaf.octets) > MAX_STORED:
        return octets, is_flawed
    return octets, decode.flawed


def _decode(octets: bytes, charset: str | None, *, is_cut: bool) -> Decoded:
    """A cut may divide a character, which is not a flaw of the charset: up to three octets at the end are dropped."""
    decoded = decode_text(octets, charset)
    if decoded.problem and is_cut:
        shorter = (decode_text(octets[:-less], charset) for less in (1, 2, 3))
        return next((each for each in shorter if not each.problem), decoded)
    return decoded


def _html(html: str, form: HtmlMode) -> SafeHtml | None:
    if form is HtmlMode.NONE:
        return None
    return SafeHtml(html, ()) if form is HtmlMode.ORIGINAL else safe_html(html)
