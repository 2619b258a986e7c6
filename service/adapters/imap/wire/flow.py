"""The flow of a server's octets: a bound on what comes unsolicited, and quick acknowledgements of what was asked for.

Servers that write an answer in small pieces, without TCP_NODELAY, send the next piece only after the acknowledgement of
the last (Nagle's algorithm). The kernel delays acknowledgements by 40 ms, so that each piece costs that much (Courier).
"""

import asyncio
import socket
from contextlib import suppress

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


_OPTION: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Only Linux has it. It holds until the next segment, so it is set again as octets come."""


def acknowledge(transport: asyncio.BaseTransport) -> None:
    """Send the acknowledgement that the kernel holds back, if the platform can."""
    connection = transport.get_extra_info("socket")
    if _OPTION is not None and connection is not None:
        with suppress(OSError):  # the connection was reset meanwhile
            connection.setsockopt(socket.IPPROTO_TCP, _OPTION, 1)
