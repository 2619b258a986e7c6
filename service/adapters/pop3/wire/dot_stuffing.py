"""Where a multi-line answer ends, and the dots that stand in its way (RFC 1939, 3)."""

END = b"\r\n.\r\n"
STUFFED = b"\r\n."
BREAK = b"\r\n"


class Unstuffer:
    """Takes an answer in chunks of any cut and gives back its octets without the stuffed dots.

    The end is CRLF "." CRLF, or "." CRLF as the very first octets, and nothing else: "." between bare line feeds is
    text, whatever another mail program made of it on its way in. What comes back includes the CRLF of the last line.
    POP3 has no way to tell whether that CRLF is the message's own or the server's, for a message that ended without.
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        """What came after the end: the next answer where commands were pipelined, else an answer nobody asked for."""
        # The line before the first one has ended, so that a dot there is like any other.
        self._held = BREAK
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        """The octets that are certain now; up to four are held back while they might begin the end."""
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
    """How many of the last octets may be the beginning of the end."""
    return next((length for length in range(len(END) - 1, 0, -1) if octets.endswith(END[:length])), 0)
