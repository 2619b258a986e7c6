"""Header text: unfolding and encoded words (RFC 2047)."""

import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from service.mail import cleaning
from service.mail.cleaning import clean_text
from service.mail.mime.charset import decode_exactly

MAX_VALUE = 64 * 1024
MAX_SHOWN = 8 * 1024
"""Octets of a subject, a name or an address that are shown; honest ones are below 1 KiB."""
_MAX_WORD = 8 * 1024
_CACHED = 320
"""Octets of a value that is kept for the next message."""

_OPENING = re.compile(rb"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?")
_SPACE = b" \t\r\n"


class _Run(NamedTuple):
    """A stretch of a value: ``charset`` None if it stands as it is, else encoded words of one charset: their texts if
    ``encoding`` is B, else their octets."""

    charset: bytes | None
    encoding: bytes
    pieces: list[bytes]


def decode_words(raw: bytes | str) -> str:
    """The value as a person reads it, on one line; at most 64 KiB of it are looked at."""
    if isinstance(raw, bytes) and raw.isascii() and b"=?" not in raw:
        text = raw[:MAX_VALUE].decode("ascii")
        if text.isprintable():
            return text.strip()
    octets = _octets(raw)[:MAX_VALUE]
    return _known_text(octets) if len(octets) <= _CACHED else _shown(octets)


def shown_text(raw: bytes) -> str:
    """As ``decode_words``, for a field of a row: of more than 8 KiB the beginning, and an ellipsis that says so."""
    if len(raw) <= MAX_SHOWN:
        return decode_words(raw)
    gap = raw.rfind(b" ", MAX_SHOWN - 1024, MAX_SHOWN)  # a cut there splits no encoded word
    return f"{decode_words(raw[: gap if gap > 0 else MAX_SHOWN])}\u2026"


def has_controls(raw: bytes) -> bool:
    """Whether controls stand in the value, or come out of its encoded words. Folding does not count."""
    text = _decode(raw[:MAX_VALUE]).replace("\t", " ")
    return cleaning.has_controls(text)


def _shown(raw: bytes) -> str:
    return clean_text(_decode(raw).replace("\0", "\ufffd")).strip()


_known_text = lru_cache(maxsize=4096)(_shown)
"""People write more than once, and a subject is looked at for a row, a message, and what it may report."""


def _octets(raw: bytes | str) -> bytes:
    if isinstance(raw, bytes):
        return raw
    try:
        return raw.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return raw.encode("utf-8", "replace")


def unfold(raw: bytes) -> bytes:
    """On one line (RFC 5322, 2.2.3); a fold leaves one space, for any indentation."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return b" ".join(line for each in raw.splitlines() if (line := each.strip(b" \t")))


def _decode(raw: bytes) -> str:
    return "".join(_text(run) for run in _runs(unfold(raw)))


def _runs(raw: bytes) -> list[_Run]:
    """Words split from plain stretches; white space between two words is dropped (RFC 2047, 6.2)."""
    runs: list[_Run] = []
    done = 0
    for start, opening, end in _words(raw):
        between = raw[done:start]
        if between.strip(_SPACE) or not runs:
            runs.append(_Run(None, b"", [between]))
        _add(runs, opening[1].lower(), opening[2].upper(), raw[opening.end() : end])
        done = end + 2
    runs.append(_Run(None, b"", [raw[done:]]))
    return runs


def _words(raw: bytes) -> Iterator[tuple[int, re.Match[bytes], int]]:
    """Start, opening and end of text of each encoded word. Every octet is looked at a fixed number of times: the next
    ``?=`` is looked for only behind the last one found."""
    start, close = raw.find(b"=?"), 0
    while start >= 0:
        opening = _OPENING.match(raw, start)
        begin = opening.end() if opening else start
        if opening and close < begin:
            close = raw.find(b"?=", begin)
            if close < 0:
                return
        if opening and close + 2 <= begin + _MAX_WORD and raw.find(b"=?", begin, close) < 0:
            yield start, opening, close
            start = raw.find(b"=?", close + 2)
        else:
            start = raw.find(b"=?", start + 2)


def _add(runs: list[_Run], charset: bytes, encoding: bytes, text: bytes) -> None:
    """Words of one charset become one run: senders split characters, and even base64 groups, between words."""
    before = runs[-1]
    if before.charset != charset:
        is_base64 = encoding == b"B"
        runs.append(_Run(charset, b"B", [text]) if is_base64 else _Run(charset, b"", [_undone(encoding, text)]))
    elif before.encoding == encoding == b"B" and not before.pieces[-1].endswith(b"="):
        before.pieces.extend([text] if text else [])
    else:
        if before.encoding:
            runs[-1] = before = _Run(charset, b"", [_octets_of(before)])
        before.pieces.append(_undone(encoding, text))


def _octets_of(run: _Run) -> bytes:
    return _undone(run.encoding, b"".join(run.pieces))


def _undone(encoding: bytes, text: bytes) -> bytes:
    if encoding == b"B":
        return _base64(text)
    if encoding == b"Q":
        return binascii.a2b_qp(text, header=True)
    return text


def _base64(text: bytes) -> bytes:
    digits = re.sub(rb"[^A-Za-z0-9+/]+", b"", text)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _text(run: _Run) -> str:
    if run.charset is None:
        return decode_exactly(run.pieces[0], None).text
    return decode_exactly(_octets_of(run), run.charset.decode("ascii", "replace")).text
