"""Time limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds, except ``slowest``. The total deadlines hold even if a server keeps sending a few octets."""

    connect: float = 10.0
    """Name lookup, connection and TLS handshake together."""
    greeting: float = 10.0
    idle: float = 30.0
    """The longest time without an octet. For messages also the time over which ``slowest`` is averaged."""
    command: float = 60.0
    """One command, or several pipelined ones, from the first octet sent to the last one received."""
    slowest: int = 1024
    """The lowest rate of a message, in octets a second."""
    queue: float = 20.0
    """How long a request waits for other requests of the account."""
    linger: float = 2.0
    """How long a session lingers before QUIT frees the maildrop for other clients."""
    session: float = 5.0
    """The age at which a session ends even in a burst: it does not see mail that arrived after its login."""
    aside: float = 0.5
    """The pause after that, so that other clients get into the maildrop."""
    in_use: float = 5.0
    """How long a login is retried after [IN-USE], and the longest login delay that a request waits for."""
    reconnect: float = 0.2
    """The pause before a failed connection is tried again, with jitter."""
    quit: float = 2.0
    keep: float = 10.0
    """How long a fetched message is kept for the next part or range of it."""


DEFAULT_TIMING = Timing()
