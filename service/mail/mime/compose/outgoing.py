"""The octets of a stored message on their way to those who receive it."""

import re
from datetime import datetime

from service.mail.errors import TooLarge
from service.mail.line_ends import BLANK, with_crlf
from service.mail.mime.compose.checks import INTERNAL
from service.mail.mime.compose.header import date_field, id_field

MAX_HEADER = 1024 * 1024
# Octets that some server may drop from the name of a field.
_UNSEEN = r"[\0-\x09\x0b-\x20\x7f]*+"


def _spelt(name: str) -> str:
    return "".join(f"{re.escape(letter)}{_UNSEEN}" for letter in name)


# In lines that end in LF: a line that begins with such a name, and the indented ones behind it. An indented line is
# none, but the first.
_UNSENT = re.compile(
    rf"(?:\A|^(?![ \t])){_UNSEEN}(?>(?:resent{_UNSEEN}-{_UNSEEN})?{_spelt('bcc')}|{_spelt(INTERNAL)}[^:\n]*+)"
    r":[^\n]*+(?>(?:\n[ \t][^\n]*+)*)(?:\n|\Z)".encode(),
    re.IGNORECASE | re.MULTILINE,
)
_DATE = re.compile(rb"^date[ \t]*+:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*+:", re.IGNORECASE | re.MULTILINE)


class Outgoing:
    """Fed with a message in any pieces, gives what is sent: without blind copies and without the service's own fields,
    all lines ended by CRLF. Every other octet stays.

    The next line without indentation ends a field, and the first empty line the header; LF or CR LF ends a line of it.
    A bare CR there becomes a space: as the end of a line it could end the header before Bcc. In the body it becomes
    CRLF, as a bare LF does, so that no server sees an end of the message that others do not.

    ``date`` and ``message_id`` are added if the message has none.
    """

    def __init__(self, *, date: datetime | None = None, message_id: str | None = None) -> None:
        self.is_8bit = False
        """Whether an octet above 127 came out so far."""
        self._date = date
        self._message_id = message_id
        self._header: bytearray | None = bytearray(b"\n")
        """What was fed so far of the header, behind a line end."""
        self._has_cr = False

    def feed(self, octets: bytes) -> bytes:
        """What is certain now. Raises TooLarge if the header has more than 1 MiB."""
        return self._seen(self._lines(octets) if self._header is None else self._begin(octets, self._header))

    def finish(self) -> bytes:
        """What was still held back."""
        if self._header is None:
            return b"\r\n" if self._has_cr else b""
        header, self._header = bytes(self._header[1:]), None
        return self._seen(self._sent(header))

    def _begin(self, octets: bytes, header: bytearray) -> bytes:
        searched = max(0, len(header) - 2)
        header += octets
        end = BLANK.search(header, searched)
        if (end.start() if end else len(header) - 1) > MAX_HEADER:
            raise TooLarge("The header of the message exceeds 1 MiB.")
        if end is None:
            return b""
        self._header = None
        return self._sent(bytes(header[1 : end.start() + 1])) + b"\r\n" + self._lines(bytes(header[end.end() :]))

    def _sent(self, header: bytes) -> bytes:
        text = header.replace(b"\r\n", b"\n").replace(b"\r", b" ")
        if text and not text.endswith(b"\n"):
            text += b"\n"
        text = _UNSENT.sub(b"", text)
        return text.replace(b"\n", b"\r\n") + self._added(text)

    def _added(self, text: bytes) -> bytes:
        date = date_field(self._date) if self._date and not _DATE.search(text) else b""
        is_named = self._message_id is None or _MESSAGE_ID.search(text)
        return date + (b"" if is_named else id_field("Message-ID", self._message_id or ""))

    def _lines(self, octets: bytes) -> bytes:
        """With CRLF for each bare CR and bare LF. A CR at the end waits for what follows it."""
        octets = b"\r" + octets if self._has_cr else octets
        self._has_cr = octets.endswith(b"\r")
        octets = octets[:-1] if self._has_cr else octets
        return with_crlf(octets)

    def _seen(self, octets: bytes) -> bytes:
        self.is_8bit = self.is_8bit or not octets.isascii()
        return octets
