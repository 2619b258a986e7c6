"""Header blocks: fields split at the right line breaks, however the block was written (RFC 5322, 2.2)."""

import re
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from service.mail.cleaning import clean_text
from service.mail.line_ends import BLANK
from service.mail.mime.charset import decode_text, in_utf8, is_foreign, is_hint
from service.mail.mime.headers.words import decode_words
from service.mail.model import Header

MAX_BLOCK = 256 * 1024
MAX_FIELDS = 1000
MAX_IDS = 1000

# A name, its value and the value's folded lines. What does not begin like this is skipped line by line.
_FIELD = re.compile(rb"^([^\s:\0-\x20\x7f]{1,998})[ \t]*+:([^\n]*+(?>(?:\n[ \t][^\n]*+)*))", re.MULTILINE)
_WORD_CHARSET = re.compile(rb"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?[bBqQ]\?")
_IDS = frozenset({"message-id", "in-reply-to", "references", "content-id"})
_MESSAGE_ID = re.compile(rb"<([^<>]{1,998})>")
_USUAL_ID = re.compile(rb"<([!-;=?-}]{1,998})>")


class RawHeader(NamedTuple):
    """A field as it stands: ``raw`` is all between the colon and the final line break, folding kept."""

    name: str
    raw: bytes


def split_headers(block: bytes, names: Container[str] | None = None) -> tuple[RawHeader, ...]:
    """The fields in order, up to the first empty line, 256 KiB or 1,000 fields; only those of ``names``, in lower case,
    if they are given.

    An mbox ``From `` line and lines without a colon are passed over.
    """
    if block.startswith((b"\n", b"\r\n")):
        return ()
    blank = BLANK.search(block, 0, MAX_BLOCK)
    fields = []
    for match in _FIELD.finditer(block, 0, min(len(block), MAX_BLOCK) if blank is None else blank.start() + 1):
        name = match[1].decode("latin-1")
        if names is not None and name.lower() not in names:
            continue
        fields.append(RawHeader(name, match[2].removesuffix(b"\r")))
        if len(fields) >= MAX_FIELDS:
            break
    return tuple(fields)


def text_behind(block: bytes, start: int, stop: int) -> int:
    """The start of the text that follows the fields of a header without an empty line in between; ``stop`` if there is
    none."""
    stop_read = min(stop, start + MAX_BLOCK)
    last = start
    for match in _FIELD.finditer(block, start, stop_read):
        last = match.end()
    text = block.find(b"\n", last, stop_read) + 1
    return text if text and block[text:stop].strip() else stop


def list_headers(block: bytes, names: Sequence[str] = (), charset: str | None = None) -> tuple[Header, ...]:
    """The fields for showing, all or those of ``names`` (letter case aside). ``charset`` is the body's."""
    selected = {name.lower() for name in names}
    fields = split_headers(block)
    charset = charset_for(fields, charset)
    return tuple(
        Header(name=name, value=decode_words(text_of(name, raw, charset)), raw=raw.decode("latin-1"))
        for name, raw in fields
        if not selected or name.lower() in selected
    )


def text_of(name: str, raw: bytes, charset: str | None) -> bytes:
    """The value of a field, in UTF-8 if it was in that charset. Ids stay octets: an at sign may not become half of a
    character."""
    return raw if name.lower() in _IDS else in_utf8(raw, charset)


def charset_for(fields: Sequence[RawHeader], body: str | None) -> str | None:
    """The charset of header text that is neither ASCII nor UTF-8: the body's, else one that an encoded word of the
    header has."""
    if is_hint(body) or not any(is_foreign(raw) for _, raw in fields):
        return body
    words = (match[1].decode("ascii", "replace") for _, raw in fields for match in _WORD_CHARSET.finditer(raw))
    return next(filter(is_hint, words), None)


def first(headers: Iterable[RawHeader], name: str) -> bytes | None:
    """The value of the topmost field of that name."""
    lowered = name.lower()
    return next((raw for field, raw in headers if field.lower() == lowered), None)


def first_value(headers: Iterable[Header], name: str) -> str | None:
    """As ``first``, of fields that are read."""
    lowered = name.lower()
    return next((header.value for header in headers if header.name.lower() == lowered), None)


def parse_message_ids(raw: bytes | str | None) -> tuple[str, ...]:
    """Ids without their angle brackets (RFC 5322, 3.6.4); without brackets, its words with an at sign."""
    if not raw:
        return ()
    octets = (raw.encode("utf-8", "replace") if isinstance(raw, str) else raw)[:MAX_BLOCK]
    if usual := _USUAL_ID.fullmatch(octets):
        return (usual[1].decode("ascii"),)
    candidates = [match[1] for match in _MESSAGE_ID.finditer(octets)] if b"<" in octets else []
    if not candidates:
        words = octets.split()
        candidates = [word.strip(b"<>,;") for word in words if b"@" in word or len(words) == 1]
    ids = ("".join(clean_text(decode_text(each, None).text).split()) for each in candidates[:MAX_IDS])
    return tuple(each for each in ids if each)
