"""Which parts of a message are its body and which its attachments (RFC 2046, RFC 8621 4.1.4), and the body read."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import islice
from typing import NamedTuple

from service.mail.mime.charset import Decoded, decode_text, html_charset, is_hint
from service.mail.mime.html.safe_html import Marked, SafeHtml, captures, safe_html, text_from_html
from service.mail.mime.transfer.decoding import Base64, decoder, feed_all
from service.mail.mime.transfer.footers import part_footer
from service.mail.model import HtmlMode, MessageBody, Part

MAX_TEXT = 256 * 1024
MAX_STORED = 4 * MAX_TEXT
"""Octets that are decoded for it, in any encoding."""
MAX_LEAVES = 20
"""Parts that a text is joined from; more stay attachments."""
_LINE_END = "\n"

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


_FOR_PEOPLE = {"text/plain", "text/html"}
_REPRESENTATIONS = {"text/enriched", "text/richtext", "text/watch-html"}
"""Types in which the text of a body is sent once more."""


class Choice(NamedTuple):
    """The leaves that a person reads, in order: as ``textBody`` and ``htmlBody`` of RFC 8621, 4.1.4, without pictures.
    ``html`` is empty if none of them is HTML."""

    text: tuple[Part, ...] = ()
    html: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of both, each once, in the order of ``text``."""
        return tuple({part.id: part for part in (*self.text, *self.html)}.values())


class Leaf(NamedTuple):
    """A chosen part with its octets as stored; ``is_cut`` if the part has more than these."""

    part: Part
    octets: bytes
    is_cut: bool = False


def choose(structure: Part) -> Choice:
    """The body: at most ``MAX_LEAVES`` of each kind. The builder of the tree bounds its depth."""
    choice = _choose(structure, is_first=True)
    if not choice.text:
        # A multipart without parts is what a lost boundary leaves: its text is still there.
        lost = (part for part in structure.walk(into_messages=False) if _is_lost(part))
        choice = Choice(tuple(islice(lost, 1)))
    html = choice.html[:MAX_LEAVES]
    has_html = any(part.type == "text/html" for part in html)
    return Choice(choice.text[:MAX_LEAVES], html if has_html else ())


def _choose(part: Part, *, is_first: bool) -> Choice:
    kind, _, subtype = part.type.partition("/")
    if kind != "multipart":
        return _choose_leaf(part, is_first=is_first)
    choices = [_choose(child, is_first=number == 0) for number, child in enumerate(part.parts or ())]
    if subtype == "alternative":
        return _choose_alternative(choices)
    if subtype == "related":
        return next((choice for choice in choices if choice.text), Choice())
    return Choice(*(tuple(leaf for leaves in each for leaf in leaves) for each in zip(*choices, strict=True)))


def _choose_leaf(part: Part, *, is_first: bool) -> Choice:
    """RFC 8621, 4.1.4: a text with a name is an attachment, unless it is the first part of its multipart."""
    is_body = part.type in _FOR_PEOPLE and (is_first or not part.name)
    return Choice((part,), (part,)) if is_body and part.disposition != "attachment" else Choice()


def _choose_alternative(choices: Sequence[Choice]) -> Choice:
    """RFC 2046, 5.1.4: the last is the richest, so the HTML is the last one; the text is the first. If only one kind
    was sent, it is both."""
    plain = [choice.text for choice in choices if _has(choice.text, "text/plain")]
    rich = [choice.html for choice in choices if _has(choice.html, "text/html")]
    text, html = plain[:1] or rich[-1:], rich[-1:] or plain[:1]
    return Choice(text[0], html[0]) if text else Choice()


def _has(parts: Iterable[Part], kind: str) -> bool:
    return any(part.type == kind for part in parts)


def _is_lost(part: Part) -> bool:
    return part.type.startswith("multipart/") and not part.parts and part.disposition != "attachment"


def body_charset(structure: Part) -> str | None:
    """The charset that the first text for people declares, else any text, which does not leave it open: header text
    that says nothing of its own is in that one too."""
    texts = [part for part in structure.walk() if part.type.startswith("text/") and is_hint(part.charset)]
    return next((part.charset for part in texts if part.type in _FOR_PEOPLE), texts[0].charset if texts else None)


def attachments(structure: Part, choice: Choice | None = None) -> tuple[Part, ...]:
    """Every leaf that is not the body; an attached message is one leaf. ``choice``: the body, if chosen before."""
    chosen = {part.id for part in (choice or choose(structure)).parts}
    return tuple(part for part in _leaves(structure) if part.id not in chosen)


def has_attachment(structure: Part, choice: Choice | None = None) -> bool:
    """Whether there is anything a user would call an attachment."""
    return any(_is_attachment(part) for part in attachments(structure, choice))


def _is_attachment(part: Part) -> bool:
    if part.type in _MACHINERY:
        return False
    if part.disposition == "attachment" or (part.name and not part.cid):
        return True
    is_inline_image = part.type.startswith("image/") and part.cid
    is_text = part.type in _FOR_PEOPLE | _REPRESENTATIONS or part.type.startswith("multipart/")
    return not is_inline_image and not is_text


def _leaves(structure: Part) -> Iterator[Part]:
    return (
        part for part in structure.walk(into_messages=False) if not part.type.startswith("multipart/") or not part.parts
    )


def read_body(
    text: Sequence[Leaf], html: Sequence[Leaf], form: HtmlMode = HtmlMode.SAFE, warnings: Sequence[str] = ()
) -> MessageBody:
    """The body decoded: the leaves of either kind joined, at most 256 KiB of octets each. A leaf of the other kind is
    converted. Each HTML part is cleaned by itself, so that none can capture what follows it."""
    plain = _read_all(text)
    rich = plain if _is_same(text, html) else _read_all(html)
    remote: Marked = {}
    shown = [_html(each, form, remote, is_last=each is rich[-1]) for each in rich] if form is not HtmlMode.NONE else []
    is_simplified = any(each.is_plain for each in shown)
    found = [*warnings, *(name for each in (*plain, *rich) for name in each.warnings)]
    return MessageBody(
        text="\n".join(map(_text, plain)) if plain else None,
        html="\n".join(each.html for each in shown) if shown else None,
        is_truncated=any(each.is_cut for each in (*plain, *rich)),
        remote_content=tuple(remote),
        warnings=tuple(dict.fromkeys([*found, *(("html-simplified",) if is_simplified else ())])),
    )


class _Read(NamedTuple):
    text: str
    is_html: bool
    is_cut: bool
    warnings: tuple[str, ...]
    octets: int


def _is_same(text: Sequence[Leaf], html: Sequence[Leaf]) -> bool:
    """Whether only one kind was sent: then no octet is decoded twice."""
    return len(text) == len(html) and all(one.part is other.part for one, other in zip(text, html, strict=True))


def _read_all(leaves: Sequence[Leaf]) -> list[_Read]:
    """Each leaf as far as the limit goes; a leaf beyond it is empty and cut."""
    read: list[_Read] = []
    for leaf in leaves:
        read.append(_read(leaf, MAX_TEXT - sum(each.octets for each in read)))
    return read


def _read(leaf: Leaf, limit: int) -> _Read:
    octets, is_flawed = _transferred(leaf)
    is_cut, is_html = leaf.is_cut or len(octets) > limit, leaf.part.type == "text/html"
    octets = octets[:limit]
    charset = html_charset(octets, leaf.part.charset) if is_html else leaf.part.charset
    decoded = _decode(octets, charset, is_cut=is_cut)
    found = (("encoding-problem", is_flawed), ("charset-problem", decoded.problem))
    return _Read(decoded.text, is_html, is_cut, tuple(warning for warning, holds in found if holds), len(octets))


def _text(read: _Read) -> str:
    """With LF between lines (RFC 8621, 4.1.4), however the mail server ends them."""
    return text_from_html(read.text) if read.is_html else read.text.replace("\r\n", "\n")


def _transferred(leaf: Leaf) -> tuple[bytes, bool]:
    """Decodes somewhat more than the limit, so that a cut is noticed. What a cut leaves open is not a flaw of the
    mail."""
    decode = decoder(leaf.part.encoding)
    stored = leaf.octets[:MAX_STORED]
    stored, footer = part_footer(stored) if isinstance(decode, Base64) else (stored, b"")
    octets = feed_all(decode, stored)
    is_flawed = decode.flawed
    octets += decode.finish()
    if footer:  # its charset is unknown, and must not spoil the text
        return octets + b"\n" + footer.decode("ascii", "replace").encode("ascii", "replace"), True
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


def _html(read: _Read, form: HtmlMode, remote: Marked, *, is_last: bool) -> SafeHtml:
    """The original is cleaned all the same if it would capture the part after it."""
    if not read.is_html:
        return safe_html(f"<div>{escape(_text(read), quote=False).replace(_LINE_END, '<br>')}</div>")
    is_original = form is HtmlMode.ORIGINAL and (is_last or not captures(read.text))
    return SafeHtml(read.text, ()) if is_original else safe_html(read.text, remote)
