"""Content transfer encodings (RFC 2045, 6), undone a chunk at a time; how a body is cut changes nothing."""

import binascii
import re
from typing import Protocol

from pybase64 import b64decode

_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_MAX_LINE = 64 * 1024
_FEW = 16
"""Padding characters: the end of a part has two, and each costs as much as a thousand digits."""
PIECE = 64 * 1024
"""Octets that are decoded at once: 15 ms of the worst there is."""


class Decoder(Protocol):
    """``flawed`` turns True once something was skipped or guessed; the octets that could be read come out anyway."""

    flawed: bool

    def feed(self, octets: bytes) -> bytes:
        """The octets that are certain now."""
        ...

    def finish(self) -> bytes:
        """What was still held back."""
        ...


def decoder(encoding: str | None) -> Decoder:
    """A fresh decoder; what is unknown is passed through, as RFC 2045 (6.4) has nothing better for it."""
    kind = _DECODERS.get(_name(encoding))
    return kind() if kind is not None else Identity(flawed=not is_identity(encoding))


def is_identity(encoding: str | None) -> bool:
    """Whether the stored octets are the content: 7bit, 8bit, binary, no encoding, and the ways these are misspelt."""
    return _name(encoding) in _IDENTITIES


def _name(encoding: str | None) -> str:
    return (encoding or "").strip(" \t\r\n\"';").lower()


def decode(octets: bytes, encoding: str | None) -> bytes:
    """All of it."""
    undo = decoder(encoding)
    return feed_all(undo, octets) + undo.finish()


def is_quick(found: Decoder, octets: bytes) -> bool:
    """Whether the decoder takes no more than a millisecond for as much as a window of a download has."""
    return isinstance(found, Identity) or (isinstance(found, Base64) and octets.count(b"=") <= _FEW)


def feed_all(found: Decoder, octets: bytes) -> bytes:
    """What the decoder makes of them, fed by pieces, so that other threads get their turn in between."""
    return b"".join(found.feed(octets[at : at + PIECE]) for at in range(0, len(octets), PIECE))


class Identity:
    """7bit, 8bit, binary."""

    def __init__(self, *, flawed: bool = False) -> None:
        self.flawed = flawed

    def feed(self, octets: bytes) -> bytes:
        return octets

    def finish(self) -> bytes:
        return b""


class Base64:
    """Skips characters outside of base64, adds missing padding and continues after padding: some senders
    concatenate."""

    def __init__(self) -> None:
        self.flawed = False
        self._rest = b""  # not decoded yet, as it came
        self._ended = False

    def feed(self, octets: bytes) -> bytes:
        octets, self._rest = self._rest + octets, b""
        if not self._ended and (decoded := self._lines(octets)) is not None:
            return decoded
        return self._any(octets)

    def finish(self) -> bytes:
        rest, self._rest = self._rest, b""
        decoded = self._any(rest)
        self.flawed = self.flawed or bool(self._rest)
        return decoded + self._end(b"")

    def _any(self, octets: bytes) -> bytes:
        digits = octets.translate(None, _NOT_BASE64)
        spaces = octets.count(b"\n") + octets.count(b"\r") + octets.count(b" ") + octets.count(b"\t")
        self.flawed = self.flawed or len(digits) + spaces != len(octets)
        if b"=" not in digits:
            return self._decode(digits)
        *ended, last = digits.split(b"=")
        done = [self._end(piece) for piece in ended]
        return b"".join(done) + self._decode(last)

    def _lines(self, octets: bytes) -> bytes | None:
        """The quick way for complete lines without padding, as almost all are. None if there is anything else: then the
        library skips it, and yields less than all the digits are."""
        stop = octets.rfind(b"\n") + 1
        if not stop:
            return None
        lines = octets[:stop]
        digits = stop - _line_ends(lines)
        if digits % 4:
            return None
        try:
            decoded = b64decode(lines)
        except binascii.Error:
            return None
        if len(decoded) * 4 != digits * 3:
            return None
        self._rest = octets[stop:]
        return decoded

    def _decode(self, digits: bytes) -> bytes:
        if not digits:
            return b""
        self.flawed = self.flawed or self._ended
        digits = self._rest + digits if self._rest else digits
        whole = len(digits) & ~3
        self._rest = digits[whole:]
        return binascii.a2b_base64(digits if not self._rest else digits[:whole])

    def _end(self, digits: bytes) -> bytes:
        """The piece before a padding character. A lone digit holds less than an octet."""
        decoded, rest = self._decode(digits), self._rest
        self._ended, self._rest = True, b""
        if len(rest) < 2:
            self.flawed = self.flawed or bool(rest)
            return decoded
        return decoded + binascii.a2b_base64(rest + b"=" * (4 - len(rest)))


def _line_ends(lines: bytes) -> int:
    """The octets of CR and LF in complete lines. Lines are usually of the same length, which is quickly seen."""
    length = lines.find(b"\n") + 1
    if length > 1 and len(lines) % length == 0:
        count = len(lines) // length
        if lines[length - 1 :: length] == b"\n" * count and lines[length - 2 :: length] == b"\r" * count:
            return 2 * count
    return lines.count(b"\n") + lines.count(b"\r")


class QuotedPrintable:
    """Whole lines are decoded as they arrive; white space at the end of a line was added on the way (RFC 2045, 6.7)."""

    _PADDING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
    _BARE_BREAK = re.compile(rb"=\r(?!\n)")
    _FLAW = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)")

    def __init__(self) -> None:
        self.flawed = False
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._rest + octets if self._rest else octets
        stop = octets.rfind(b"\n") + 1
        if not stop and len(octets) > _MAX_LINE:
            stop = self._safe_cut(octets)
        self._rest = octets[stop:]
        return self._decode(octets[:stop])

    def finish(self) -> bytes:
        rest, self._rest = self._rest.rstrip(b" \t"), b""
        self.flawed = self.flawed or rest.endswith(b"=")
        return self._decode(rest.removesuffix(b"=")) if rest else b""

    def _safe_cut(self, octets: bytes) -> int:
        """A place in an endless line behind which nothing changes the meaning of what is before. White space without
        end is dropped."""
        start = len(octets) - _MAX_LINE
        end = octets[start:].rstrip(b" \t\r")
        if end[-1:].isalnum() and end[-2:-1] == b"=":
            end = end[:-1]
        end = end.rstrip(b"=")
        return start + len(end) if end else len(octets)

    def _decode(self, block: bytes) -> bytes:
        if b" \n" in block or b" \r\n" in block or b"\t\n" in block or b"\t\r\n" in block:
            block = self._PADDING.sub(b"", block)
        if block.count(b"=\r") != block.count(b"=\r\n"):
            block = self._BARE_BREAK.sub(b"=\n", block)
            self.flawed = True
        self.flawed = self.flawed or self._FLAW.search(block) is not None
        return binascii.a2b_qp(block)


class Uuencode:
    """The lines between ``begin`` and ``end``; each names its own length."""

    def __init__(self) -> None:
        self.flawed = False
        self._rest = b""
        self._begun = self._ended = False

    def feed(self, octets: bytes) -> bytes:
        octets = self._rest + octets if self._rest else octets
        stop = octets.rfind(b"\n") + 1
        self._rest = octets[stop:] if len(octets) - stop <= _MAX_LINE else octets[stop : stop + 256]
        return b"".join(map(self._line, octets[:stop].splitlines()))

    def finish(self) -> bytes:
        rest, self._rest = self._rest, b""
        decoded = b"".join(map(self._line, rest.splitlines()))
        self.flawed = self.flawed or not self._ended
        return decoded

    def _line(self, line: bytes) -> bytes:
        if self._ended or not line:
            return b""
        if not self._begun:
            self._begun = line.startswith(b"begin ")
            return b""
        if line.rstrip() == b"end":
            self._ended = True
            return b""
        # Some encoders pad lines beyond what their length asks for.
        length = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:length])
        except binascii.Error:
            self.flawed = True
            return b""


_IDENTITIES = {"", "7bit", "8bit", "binary", "7-bit", "8-bit", "7 bit", "8 bit", "none"}
_DECODERS: dict[str, type[Base64 | QuotedPrintable | Uuencode]] = {
    "base64": Base64,
    "base-64": Base64,
    "b": Base64,
    "quoted-printable": QuotedPrintable,
    "quotedprintable": QuotedPrintable,
    "q": QuotedPrintable,
    "x-uuencode": Uuencode,
    "uuencode": Uuencode,
    "x-uue": Uuencode,
    "uue": Uuencode,
    "x-uu": Uuencode,
}
