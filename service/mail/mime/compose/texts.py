"""Texts as parts: 7bit if they are, else quoted-printable or base64, whichever is smaller."""

import re
from binascii import b2a_qp

from service.mail.mime.compose.base64_lines import Base64Lines, encoded_size

MAX_LINE = 998
_SURROGATES = re.compile("[\ud800-\udfff]")
_PRINTABLE = bytes([*range(0x20, 0x7F), *b"\t\r\n"])
# Mailboxes in one file put ">" before such lines.
_FROM = re.compile(rb"^(?>(?:From )+)", re.MULTILINE)


def canonical(text: str) -> bytes:
    """UTF-8 with CRLF at the end of lines. Half a character becomes U+FFFD."""
    text = _SURROGATES.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\n", "\r\n").encode()


def transferred(octets: bytes) -> tuple[str, bytes]:
    """The encoding of a canonical text, and the text in it."""
    if is_7bit(octets):
        return "7bit", octets
    quoted = _quoted(octets)
    if len(quoted) <= encoded_size(len(octets)):
        return "quoted-printable", quoted
    lines = Base64Lines()
    return "base64", lines.feed(octets) + lines.finish()


def is_7bit(octets: bytes) -> bool:
    """Whether every server and mailbox passes it on as it is."""
    return not octets.translate(None, _PRINTABLE) and has_short_lines(octets) and not _FROM.search(octets)


def has_short_lines(octets: bytes) -> bool:
    """Whether all lines end in CRLF and have at most 998 octets."""
    is_canonical = octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
    return is_canonical and max(map(len, octets.split(b"\r\n"))) <= MAX_LINE


def _quoted(octets: bytes) -> bytes:
    """With a line end behind it, so that the encoder breaks lines by CRLF and guards a space at the end."""
    return _FROM.sub(_guarded, b2a_qp(octets + b"\r\n").removesuffix(b"\r\n"))


def _guarded(match: re.Match[bytes]) -> bytes:
    return b"=46rom =\r\n" * (len(match[0]) // 5)
