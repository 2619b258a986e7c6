"""Attachments and pictures of a message that go into an answer by reference: no octet of them is touched here."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from service.mail.model import Message, Part
from service.mail.submission.model import MAX_ATTACHMENTS, Attachment

MAX_CID = 500
_CID = re.compile(r"(?<=[\s\"'/])src\s{0,9}=\s{0,9}[\"']?cid:([^\"'\s>]{1,1000})", re.IGNORECASE)
_ESCAPED = {"&amp;": "&", "&quot;": '"', "&lt;": "<", "&gt;": ">"}
_REFERENCE = re.compile("|".join(_ESCAPED))


def pictures(original: Message, html: str | None) -> tuple[Attachment, ...]:
    """The parts that the HTML shows by ``cid:``, each once, in the order of the message."""
    names = set(_cids(html or ""))
    parts: dict[str, Part] = {}
    for part in original.structure.walk(into_messages=False) if names else ():
        if part.cid in names and part.parts is None and len(part.cid) <= MAX_CID:
            parts.setdefault(part.cid, part)
    found = (_reference(original, part, disposition="inline", cid=cid) for cid, part in parts.items())
    return tuple(found)[:MAX_ATTACHMENTS]


def files(original: Message, shown: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """The attachments that are not shown already. If they are more than a draft has, it is the whole message, so that
    none is lost."""
    taken = {each.part_id for each in shown}
    parts = [each for each in original.attachments if each.id not in taken and not each.type.startswith("multipart/")]
    if len(parts) + len(shown) > MAX_ATTACHMENTS:
        return (whole(original),)
    return tuple(_reference(original, part, disposition="attachment") for part in parts)


def whole(original: Message) -> Attachment:
    """The message itself, as message/rfc822."""
    return Attachment(message_id=original.id)


def _reference(original: Message, part: Part, *, disposition: str, cid: str | None = None) -> Attachment:
    return Attachment(message_id=original.id, part_id=part.id, disposition=disposition, cid=cid)


def _cids(html: str) -> Iterator[str]:
    """As they stand in the HTML, and as URLs that are percent-encoded (RFC 2392)."""
    for match in _CID.finditer(html):
        cid = _REFERENCE.sub(lambda escaped: _ESCAPED[escaped[0]], match[1])
        yield cid
        yield unquote(cid)
