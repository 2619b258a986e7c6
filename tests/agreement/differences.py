"""Where two readings of a message differ, and which differences have a reason that no adapter can mend."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from service.mail.mime.charset import is_foreign
from service.mail.model import Message, Part
from tests.agreement.readings import Reading, Readings

PEOPLE = ("from_", "to", "cc", "bcc", "reply_to", "sender")
HEADER = ("subject", *PEOPLE, "sent_at", "message_id", "in_reply_to", "references")
ROW = (
    "subject",
    "from_",
    "to",
    "received_at",
    "sent_at",
    "size",
    "flags",
    "has_attachment",
    "message_id",
    "in_reply_to",
)
_LONG = 32 << 10


class Difference(NamedTuple):
    """``what`` two ways of reading say differently, of a message ``number``."""

    number: int
    way: str
    what: str
    found: Any
    expected: Any
    reading: Reading

    def __repr__(self) -> str:
        return f"{self.number} {self.way} {self.what}: {self.found!r:.300} instead of {self.expected!r:.300}"


def facts(reading: Reading) -> Mapping[str, Any]:
    """All that a reading says, by names. Line ends in octets and HTML are those of the source, which is compared by
    itself."""
    message = reading.message
    parts = list(message.structure.walk())
    return {
        **{name: getattr(message, name) for name in HEADER},
        "has_attachment": message.has_attachment,
        "text": message.body.text,
        "html": message.body.html,
        "is_truncated": message.body.is_truncated,
        "remote_content": message.body.remote_content,
        "warnings": message.body.warnings,
        "structure": [_described(part) for part in parts],
        "attachments": [_described(part) for part in message.attachments],
        "sizes": {part.id: part.size for part in parts},
        "octets": dict(reading.parts),
        "headers": [(header.name, header.value, header.raw) for header in reading.headers],
    }


def _described(part: Part) -> tuple[object, ...]:
    return part.id, part.type, part.name, part.encoding, part.disposition, part.cid, part.charset, part.language


def differences(number: int, way: str, reading: Reading, reference: Reading) -> Iterator[Difference]:
    """Between two readings of the same octets, and between the row and the message of the first. A row leaves out
    ``has_attachment`` if it takes the whole message to know."""
    expected = facts(reference)
    for what, found in facts(reading).items():
        if found != expected[what]:
            yield Difference(number, way, what, found, expected[what], reading)
    for what in ROW:
        row, message = getattr(reading.row, what), getattr(reading.message, what)
        is_left_out = what == "has_attachment" and row is None
        if row != message and not is_left_out:
            yield Difference(number, f"{way} row", what, row, message, reading)


def found(readings: Readings) -> list[Difference]:
    """All differences, those with a reason too."""
    ways = (
        ("imap", readings.imap, readings.sent_by_imap),
        ("pop3", readings.pop3, readings.sent_by_pop3),
        ("maildir", readings.maildir, readings.maildir),
    )
    return [
        difference
        for way, one, other in ways
        for number, (reading, reference) in enumerate(zip(one, other, strict=True))
        for difference in differences(number, way, reading, reference)
    ]


def _is_end_of_attached(difference: Difference) -> bool:
    if difference.way != "imap" or difference.what not in {"sizes", "octets"}:
        return False
    attached = {part.id for part in difference.reading.message.structure.walk() if part.type.startswith("message/")}
    found, expected = difference.found, difference.expected
    other = {part for part in {*found, *expected} if found.get(part) != expected.get(part)}
    if difference.what == "sizes":
        return other <= attached and all(found[part] == expected[part] + 2 for part in other)
    return other <= attached and all(found[part] == expected[part] + b"\r\n" for part in other)


def _is_empty_part(difference: Difference) -> bool:
    """Both are the same without the empty texts."""
    empty = {part.id for part in difference.reading.message.structure.walk() if part.size == 0}
    if difference.way != "imap" or not empty:
        return False
    if difference.what in {"structure", "attachments"}:
        return bool([each for each in difference.found if each[0] not in empty] == difference.expected)
    if difference.what in {"sizes", "octets"}:
        return bool({part: each for part, each in difference.found.items() if part not in empty} == difference.expected)
    return difference.what in {"text", "html"} and _words(difference.found) == _words(difference.expected)


def _is_longer_boundary(difference: Difference) -> bool:
    source = difference.reading.source
    names = b"|".join(map(re.escape, re.findall(rb"boundary=\"?([^\";\r\n]+)", source))) or b"(?!)"
    line = re.search(rb"^--(?:%b)(?!(?:--)?\s*$)[^\r\n]" % names, source, re.MULTILINE)
    whats = {"structure", "attachments", "sizes", "octets", "text", "html"}
    return difference.way == "imap" and difference.what in whats and line is not None


def _words(text: str | None) -> list[str]:
    return re.sub(r"<[^>]*>", " ", text or "").split()


def _is_unknown_charset(difference: Difference) -> bool:
    is_raw = any(is_foreign(header.raw.encode("latin-1")) for header in difference.reading.headers)
    return difference.way in {"imap row", "pop3 row"} and difference.what in {"subject", "from_", "to"} and is_raw


def _is_long(difference: Difference) -> bool:
    octets = sum(len(header.raw) for header in difference.reading.headers if header.name.lower() in {"from", "to"})
    return difference.way == "imap row" and difference.what in {"subject", "from_", "to"} and octets > _LONG


def _is_listed_size(difference: Difference) -> bool:
    return (difference.way, difference.what) == ("pop3 row", "size") and difference.found + 2 == difference.expected


REASONS: Mapping[str, Callable[[Difference], bool]] = {
    "Dovecot counts the line break before a delimiter as part of an attached message": _is_end_of_attached,
    "Dovecot finds empty parts at delimiters that are none, or have nothing behind them": _is_empty_part,
    "Dovecot takes a line that begins with a boundary and goes on for a delimiter": _is_longer_boundary,
    "the charset of raw text is not in what a row is made of: the parts are unknown before the message is read": (
        _is_unknown_charset
    ),
    "of a header field above 32 KiB a row has what the server makes of it": _is_long,
    "POP3 ends a message by CRLF, and Dovecot's LIST does not count that": _is_listed_size,
}
"""Why a difference cannot be mended, and which differences that explains."""


def reason_for(difference: Difference) -> str | None:
    return next((reason for reason, explains in REASONS.items() if explains(difference)), None)


def by_imap(file: bytes) -> bytes:
    """What Dovecot sends by IMAP of a file: lines end by CRLF, and NUL is 0x80."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", file).replace(b"\0", b"\x80")


def by_pop3(file: bytes) -> bytes:
    """What it sends by POP3: the last line ends too (RFC 1939, 3)."""
    lines = re.sub(rb"(?<!\r)\n", b"\r\n", file)
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def with_wire_ends(message: Message) -> Mapping[str, Any]:
    """What has to be the same for a file whose lines end by LF and for what a server sends of it."""
    names = [(part.id, part.type, part.name, part.disposition) for part in message.attachments]
    html = (message.body.html or "").replace("\r\n", "\n")
    return {
        **{name: getattr(message, name) for name in HEADER},
        "attachments": names,
        "text": message.body.text,
        "html": html,
    }
