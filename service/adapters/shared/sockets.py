"""What the socket below a transport knows and can do.

Servers that write an answer in small pieces, without TCP_NODELAY, send the next piece only after the acknowledgement of
the last (Nagle's algorithm). The kernel delays acknowledgements by 40 ms, so that each piece costs that much (Courier).
"""

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address

_OPTION: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Only Linux has it. It holds until the next segment, so it is set again as octets come."""


def acknowledge(transport: asyncio.BaseTransport) -> None:
    """Send the acknowledgement that the kernel holds back, if the platform can."""
    connection = transport.get_extra_info("socket")
    if _OPTION is not None and connection is not None:
        with suppress(OSError):  # the connection was reset meanwhile
            connection.setsockopt(socket.IPPROTO_TCP, _OPTION, 1)


def is_local(transport: asyncio.BaseTransport) -> bool:
    """Whether the other end is on this machine."""
    peer = transport.get_extra_info("peername")
    return not isinstance(peer, tuple) or ip_address(peer[0].partition("%")[0]).is_loopback
