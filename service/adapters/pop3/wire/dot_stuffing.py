"""The end of a multi-line answer, and the dot-stuffing of its lines (RFC 1939, 3)."""

END = b"\r\n.\r\n"
STUFFED = b"\r\n."
BREAK = b"\r\n"


class Unstuffer:
    """Takes an answer in chunks of any size, and returns its octets without the stuffed dots.

    The end is CRLF "." CRLF, or "." CRLF as the very first octets, and nothing else: "." between bare line feeds is
    text, even if other mail programs read it as an end. The octets returned include the CRLF of the last line. POP3
    does not say whether that CRLF belongs to the message, or the server added it because the message has none.
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        """Octets after the end: the next answer if commands were pipelined, otherwise an unexpected answer."""
        # As if a line had ended before the first one: a dot there is like any other.
        self._held = BREAK
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        """The octets that are certain now. Up to four are held back if they may belong to the end."""
        if self.ended:
            self.rest += chunk
            return b""
        octets = self._held + chunk if self._held else chunk
        return self._emit(self._cut(octets).replace(STUFFED, BREAK))

    def _cut(self, octets: bytes) -> bytes:
        end = octets.find(END)
        if end >= 0:
            self.ended, self.rest, self._held = True, octets[end + len(END) :], b""
            return octets[: end + len(BREAK)]
        held = _undecided(octets)
        self._held = octets[len(octets) - held :]
        return octets[: len(octets) - held] if held else octets

    def _emit(self, octets: bytes) -> bytes:
        if self._begun or not octets:
            return octets
        self._begun = True
        return octets[len(BREAK) :]


def _undecided(octets: bytes) -> int:
    """How many of the last octets may be the first ones of the end."""
    return next((length for length in range(len(END) - 1, 0, -1) if octets.endswith(END[:length])), 0)
