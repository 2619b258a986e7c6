"""Cuts the stream of octets into responses (RFC 9051, 2.2 and 4.3).

A response is a line with the literals in it, as it came and without its last CRLF. The work is iterative, linear in
what arrives for any chunking, and bounded: a line without end or a literal beyond the limit is refused before it is
stored.
"""

import re
from dataclasses import dataclass

from service.mail.errors import UpstreamProtocol

_LITERAL = re.compile(rb"~?\{(\d{1,20})\}\Z")
_BROKEN_LITERAL = re.compile(rb'\{[^{}"]*\}\Z')
# Text for people follows these. It has no literals, whether or not it ends like one (RFC 9051, 7.1).
_TEXT = re.compile(rb"(?:\* (?:OK|NO|BAD|BYE|PREAUTH)|\+|[A-Za-z0-9.]+ (?:OK|NO|BAD))(?: |\Z)", re.IGNORECASE)
_CLOSING_BRACE = ord("}")
MAX_LITERALS = 5000
"""In one response. Each costs more to find than its octets say: ``{0}`` announces one in three."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In octets. ``response`` counts all answers to one command, with what each takes in memory beside its octets;
    ``responses`` says how many there may be."""

    line: int = 1 << 20
    literal: int = 8 << 20
    response: int = 16 << 20
    responses: int = 120_000


class Framer:
    """Cuts what arrives into responses. Raises UpstreamProtocol once and is unusable then."""

    __slots__ = ("_buffer", "_count", "_limits", "_literals", "_scan", "_segment")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scan = 0  # position from which to look for the next CRLF
        self._segment = 0  # start of the text after the last literal
        self._literals = 0  # octets of literals in the current response
        self._count = 0  # number of these literals

    @property
    def held(self) -> int:
        """Octets that have arrived of a response that is not complete."""
        return len(self._buffer)

    def begins_as(self, start: bytes) -> bool:
        """Whether the incomplete response may still become one that begins with ``start``."""
        return start.startswith(self._buffer[: len(start)])

    def feed(self, octets: bytes) -> list[bytes]:
        """Returns the responses that these octets complete."""
        if not self._buffer and len(octets) <= self._limits.line and b"}\r\n" not in octets:
            *lines, rest = octets.split(b"\r\n")  # the quickest way, if no line may announce a literal
            self._buffer += rest
            self._scan = max(0, len(rest) - 1)
            return lines
        buffer = self._buffer
        buffer += octets
        complete: list[bytes] = []
        start, scan = 0, self._scan
        if scan > len(buffer):  # within a literal
            return complete
        while (end := buffer.find(b"\r\n", scan)) >= 0:
            if (
                end > self._segment
                and buffer[end - 1] == _CLOSING_BRACE
                and (size := self._literal_at(start, end)) is not None
            ):
                scan = self._segment = end + 2 + size
                self._literals += size
                self._count += 1
                if scan > len(buffer):
                    break
                continue
            self._refuse_long(end - start)
            complete.append(_copy(buffer, start, end))
            start = scan = self._segment = end + 2
            self._literals = self._count = 0
        else:
            self._refuse_long(len(buffer) - start)
            scan = max(self._segment, len(buffer) - 1)
        del buffer[:start]
        self._scan, self._segment = scan - start, self._segment - start
        return complete

    def _refuse_long(self, octets: int) -> None:
        if octets - self._literals > self._limits.line:
            raise UpstreamProtocol("The mail server sent a line that does not end.", protocol="imap")

    def _literal_at(self, start: int, end: int) -> int | None:
        """Returns the size of the literal announced just before ``end``; None if the line only looks like one."""
        if self._segment == start and _TEXT.match(self._buffer, start, end):
            return None
        announcement = _LITERAL.search(self._buffer, max(self._segment, end - 24), end)
        if announcement is None:
            if _BROKEN_LITERAL.search(self._buffer, max(self._segment, end - 64), end):
                raise UpstreamProtocol("The mail server announced a literal without a valid size.", protocol="imap")
            return None
        size = int(announcement[1])
        if size > self._limits.literal:
            raise UpstreamProtocol(
                f"The mail server announced {size} octets, more than were requested.", protocol="imap"
            )
        if self._literals + size > self._limits.response or self._count >= MAX_LITERALS:
            raise UpstreamProtocol("The mail server's answer is larger than allowed.", protocol="imap")
        return size


def _copy(buffer: bytearray, start: int, end: int) -> bytes:
    """The octets, copied once."""
    with memoryview(buffer) as view:
        return bytes(view[start:end])
