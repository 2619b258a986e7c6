"""The items of FETCH (RFC 3501, 7.4.2)."""

import re
from typing import TypeAlias

from tests.servers.providers.mail import Letter

Item: TypeAlias = bytes
_SECTION = re.compile(rb"BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?")


def items_of(item: Item, uid: int, letter: Letter) -> bytes | None:
    """An item with its value; None for one that no server knows."""
    match item:
        case b"UID":
            return b"UID %d" % uid
        case b"FLAGS":
            return b"FLAGS (%b)" % " ".join(sorted(letter.flags)).encode()
        case b"INTERNALDATE":
            return b'INTERNALDATE "%b"' % letter.internal_date.encode()
        case b"RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(letter.octets)
        case b"ENVELOPE":
            return b"ENVELOPE " + envelope(letter)
        case b"BODYSTRUCTURE":
            return b"BODYSTRUCTURE " + structure(letter)
    section = _SECTION.fullmatch(item)
    return _section(section, letter) if section else None


def _section(section: re.Match[bytes], letter: Letter) -> bytes:
    octets = letter.text.encode() + b"\r\n" if section[1] == b"1" else letter.octets
    if section[1].startswith(b"HEADER"):
        octets = letter.header
    if section[2] is None:
        return b"BODY[%b] {%d}\r\n%b" % (section[1], len(octets), octets)
    start, length = int(section[2]), int(section[3])
    piece = octets[start : start + length]
    return b"BODY[%b]<%d> {%d}\r\n%b" % (section[1], start, len(piece), piece)


def string(text: str) -> bytes:
    """A string with its letters beyond ASCII as they are, quoted; NIL for none."""
    return b'"%b"' % text.replace("\\", "\\\\").replace('"', '\\"').encode() if text else b"NIL"


def envelope(letter: Letter) -> bytes:
    people = [_address(each) for each in (letter.from_, letter.from_, letter.from_, letter.to, letter.cc, "")]
    date = string(f"{letter.sent:%a, %d %b %Y %H:%M:%S} +0000")
    number = string(f"<{letter.number}@example.org>")
    return b"(%b %b %b NIL %b)" % (date, string(letter.subject), b" ".join(people), number)


def _address(email: str) -> bytes:
    local, _, domain = email.partition("@")
    return b"((NIL NIL %b %b))" % (string(local), string(domain)) if email else b"NIL"


def structure(letter: Letter) -> bytes:
    size = len(letter.text.encode()) + 2
    text = b'("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "8BIT" %d 1 NIL NIL NIL NIL)' % size
    if not letter.attachment:
        return text
    name = string(letter.attachment)
    return (
        b'(%b("APPLICATION" "PDF" ("NAME" %b) NIL NIL "BASE64" 8 NIL ("ATTACHMENT" ("FILENAME" %b)) NIL NIL)'
        b' "MIXED" ("BOUNDARY" "b") NIL NIL NIL)'
    ) % (text, name, name)
