"""Header text: unfolding, encoded words (RFC 2047), and the removal of what could fool a reader or a terminal."""

import binascii
import re
from typing import NamedTuple

from service.mail.mime.charset import decode_exactly

MAX_VALUE = 64 * 1024
_MAX_WORD = 8 * 1024

_OPENING = re.compile(rb"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?")
_BREAKS = re.compile(r"[\t\n\r]+")
# C0 and C1 controls, line and paragraph separators, bidirectional embeddings, overrides and isolates, lone surrogates.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACE = b" \t\r\n"


class _Run(NamedTuple):
    """A stretch of a value: ``charset`` None where it stands as it is, else undecoded encoded words of one charset."""

    charset: bytes | None
    encoding: bytes
    octets: bytes


def decode_words(raw: bytes | str) -> str:
    """The value as a person reads it, on one line; at most 64 KiB of it are looked at."""
    if isinstance(raw, bytes) and raw.isascii() and b"=?" not in raw:
        text = raw[:MAX_VALUE].decode("ascii")
        if text.isprintable():
            return text.strip()
    return clean_text(_decode(_octets(raw)[:MAX_VALUE]).replace("\0", "\ufffd")).strip()


def clean_text(text: str) -> str:
    """Without controls, line breaks of any kind and direction overrides; a break or tab leaves a space."""
    return text if text.isprintable() else _CONTROLS.sub("", _BREAKS.sub(" ", text))


def has_controls(raw: bytes) -> bool:
    """Whether controls stand in the value, or come out of its encoded words. Folding does not count."""
    text = _decode(raw[:MAX_VALUE]).replace("\t", " ")
    return _CONTROLS.search(text) is not None


def _octets(raw: bytes | str) -> bytes:
    if isinstance(raw, bytes):
        return raw
    try:
        return raw.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return raw.encode("utf-8", "replace")


def unfold(raw: bytes) -> bytes:
    """On one line (RFC 5322, 2.2.3); a fold leaves one space, whatever the sender indented with."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return b" ".join(line for each in raw.splitlines() if (line := each.strip(b" \t")))


def _decode(raw: bytes) -> str:
    return "".join(_text(run) for run in _runs(unfold(raw)))


def _runs(raw: bytes) -> list[_Run]:
    """Words split from plain stretches; white space between two words is dropped (RFC 2047, 6.2)."""
    runs: list[_Run] = []
    done = position = 0
    while (position := raw.find(b"=?", position)) >= 0:
        opening = _OPENING.match(raw, position)
        if opening is None:
            position += 2
            continue
        end = raw.find(b"?=", opening.end(), opening.end() + _MAX_WORD)
        if end < 0 or raw.find(b"=?", opening.end(), end) >= 0:
            position += 2
            continue
        between = raw[done:position]
        if between.strip(_SPACE) or not runs:
            runs.append(_Run(None, b"", between))
        _add(runs, _Run(opening[1].lower(), opening[2].upper(), raw[opening.end() : end]))
        done = position = end + 2
    runs.append(_Run(None, b"", raw[done:]))
    return runs


def _add(runs: list[_Run], word: _Run) -> None:
    """Words of one charset become one run: senders split characters, and even base64 groups, between words."""
    before = runs[-1]
    if before.charset != word.charset:
        runs.append(word._replace(encoding=b"", octets=_unwrap(word)) if word.encoding == b"Q" else word)
    elif before.encoding == word.encoding == b"B" and not before.octets.endswith(b"="):
        runs[-1] = before._replace(octets=before.octets + word.octets)
    else:
        runs[-1] = before._replace(encoding=b"", octets=_unwrap(before) + _unwrap(word))


def _unwrap(run: _Run) -> bytes:
    if run.encoding == b"B":
        return _base64(run.octets)
    if run.encoding == b"Q":
        return binascii.a2b_qp(run.octets, header=True)
    return run.octets


def _base64(text: bytes) -> bytes:
    digits = re.sub(rb"[^A-Za-z0-9+/]+", b"", text)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _text(run: _Run) -> str:
    if run.charset is None:
        return decode_exactly(run.octets, None).text
    return decode_exactly(_unwrap(run), run.charset.decode("ascii", "replace")).text
