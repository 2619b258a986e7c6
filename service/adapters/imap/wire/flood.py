"""A bound on what a server says without being asked."""

OVERHEAD = 64
"""Octets that a response takes in memory beside its own."""


class Flood:
    """News that come faster than anybody wants to hear them: they are read no faster than ``RATE``, and TCP holds the
    server back. A burst of two mebibytes is as a mailbox of ten thousand folders tells of all of them."""

    RATE = 256 << 10
    BURST = 2 << 20

    __slots__ = ("_at", "_octets")

    def __init__(self) -> None:
        self._octets = 0.0
        self._at = 0.0

    def note(self, octets: int, now: float) -> None:
        """So many octets of news came."""
        self._octets = max(0.0, self._octets - (now - self._at) * self.RATE) + octets + OVERHEAD
        self._at = now

    def pause(self, now: float) -> float:
        """Seconds to wait before more is read."""
        return max(0.0, (self._octets - self.BURST) / self.RATE - (now - self._at))
