"""The replies of SMTP (RFC 5321, 4.2), and how they are cut out of the stream of octets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.mail.cleaning import server_text
from service.mail.errors import UpstreamProtocol

PROTOCOL = "smtp"
MAX_LINE = 8 << 10
"""Octets. RFC 5321 allows 512; the library that this stands on, this many."""
MAX_REPLY = 32 << 10
MAX_LINES = 256
"""In one reply. The longest that are known, to EHLO, have about thirty."""
GOODBYE = 421
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """``lines`` are the texts of all lines, without the code."""

    code: int
    lines: tuple[bytes, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether the command was carried out."""
        return self.code // 100 == 2

    @property
    def is_temporary(self) -> bool:
        """Whether the command may succeed later."""
        return self.code // 100 == 4

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code, such as ``5.1.1`` (RFC 2034, RFC 3463), if it is of the same class as the code."""
        found = _ENHANCED.match(server_text(self.lines[0])) if self.lines else None
        return found[1] if found and found[1][0] == str(self.code)[0] else None

    @property
    def status(self) -> str:
        """The code with the enhanced one, if there is one: ``550 5.1.1``."""
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)

    @property
    def text(self) -> str:
        """What the server said, cleaned and shortened, without the codes, which each line may repeat."""
        prefix = self.enhanced
        words = (server_text(line) for line in self.lines[:8])
        texts = [word.removeprefix(prefix).strip() if prefix else word for word in words]
        return server_text(" ".join(texts).encode())

    @property
    def outcome(self) -> str:
        """As metrics name it: ``ok``, or the class of the refusal."""
        return f"{self.code // 100}xx" if self.code >= 400 else "ok"


class ReplyReader:
    """Cuts octets into replies: iterative, linear in what arrives for any chunking, and bounded."""

    __slots__ = ("_buffer", "_code", "_lines", "_octets", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._code = 0
        self._lines: list[bytes] = []
        self._octets = 0

    @property
    def is_within(self) -> bool:
        """Whether a part of a reply has arrived."""
        return bool(self._buffer or self._lines)

    def feed(self, octets: bytes) -> Iterator[Reply]:
        """Yields each reply that is complete now. Raises UpstreamProtocol, and is unusable then."""
        self._buffer += octets
        start = 0
        while (end := self._buffer.find(b"\n", max(start, self._scanned), start + MAX_LINE)) >= 0:
            line = bytes(self._buffer[start:end]).removesuffix(b"\r")
            start = end + 1
            reply = self._take(line)
            if reply is not None:
                yield reply
        if len(self._buffer) - start >= MAX_LINE:
            raise broken("The mail server sent a line longer than SMTP allows.")
        del self._buffer[:start]
        self._scanned = len(self._buffer)

    def _take(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line)
        if found is None or (self._lines and int(found[1]) != self._code):
            raise broken("The mail server does not speak SMTP, or its answers are out of order.")
        self._code = int(found[1])
        self._lines.append(found[3] or b"")
        self._octets += len(line)
        if self._octets > MAX_REPLY or len(self._lines) > MAX_LINES:
            raise broken("The mail server's answer does not end within the limit.")
        if found[2] == b"-":
            return None
        reply = Reply(self._code, tuple(self._lines))
        self._lines, self._octets = [], 0
        return reply


def broken(detail: str) -> UpstreamProtocol:
    """The error for a malformed answer."""
    return UpstreamProtocol(detail, protocol=PROTOCOL)
