"""A message as it stands between DATA and the end (RFC 5321, 2.3.8 and 4.5.2)."""

from service.mail.line_ends import with_crlf

BREAK = b"\r\n"
DOT, STUFFED = b"\r\n.", b"\r\n.."


class Stuffer:
    """Takes a message in chunks of any size, and returns the octets to send.

    A dot that begins a line is doubled. CR and LF that stand alone become CRLF: servers disagree on whether they end a
    line, so that a message could seem to end within (SMTP smuggling). The CRLF of the last line is held back for
    ``finish``.
    """

    def __init__(self) -> None:
        # As if a line had ended before the first one: a dot there is like any other.
        self._held = BREAK
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        """The octets that are certain now."""
        octets = self._held + chunk
        self._held = b"\r" if octets.endswith(b"\r") else b""
        octets = with_crlf(octets[: len(octets) - len(self._held)])
        if not self._held and octets.endswith(BREAK):
            octets, self._held = octets[: -len(BREAK)], BREAK
        octets = octets.replace(DOT, STUFFED)
        if self._begun or not octets:
            return octets
        self._begun = True
        return octets[len(BREAK) :]

    def finish(self) -> bytes:
        """The last octets, after which the final dot may be sent: the CRLF of the last line, even if the message has
        none; nothing if the message is empty."""
        return BREAK if self._begun else b""
