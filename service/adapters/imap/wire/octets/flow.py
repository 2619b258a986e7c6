"""The flow of a server's octets: a bound on what comes unsolicited."""

OVERHEAD = 64
"""Octets of memory that a response takes beside its own."""


class Flood:
    """Reads unsolicited responses no faster than ``RATE`` octets a second beyond a burst; TCP holds the server back.

    ``BURST`` is two mebibytes: a mailbox of ten thousand folders reports all of them in that (NOTIFY, RFC 5465).
    """

    RATE = 256 << 10
    BURST = 2 << 20

    __slots__ = ("_at", "_octets")

    def __init__(self) -> None:
        self._octets = 0.0
        self._at = 0.0

    def note(self, octets: int, now: float) -> None:
        """Count a response of this many octets."""
        self._octets = max(0.0, self._octets - (now - self._at) * self.RATE) + octets + OVERHEAD
        self._at = now

    def pause(self, now: float) -> float:
        """Returns the seconds to wait before more is read."""
        return max(0.0, (self._octets - self.BURST) / self.RATE - (now - self._at))
