"""Time limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. A loss before the end of the message does no harm, so those limits are below the minutes of RFC 5321,
    4.5.3.2; after it only the answer says whether the message was sent, so that limit is the RFC's."""

    connect: float = 10.0
    """Name lookup, connection and TLS handshake together."""
    greeting: float = 30.0
    """Some servers let clients wait, because programs that send spam do not."""
    login: float = 30.0
    command: float = 60.0
    """One answer. Each answer to pipelined commands starts it again: a server may look up each recipient."""
    block: float = 60.0
    """How long the server may take no octet of a message, or let the last ones wait."""
    end: float = 600.0
    """The answer to the end of the message."""
    quit: float = 2.0
    keep: float = 10.0
    """How long a connection stays open for the next message."""


DEFAULT_TIMING = Timing()
