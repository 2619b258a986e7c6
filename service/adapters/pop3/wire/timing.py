"""How long anything may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, but for ``slowest``. Total deadlines hold however busily a server drips its octets."""

    connect: float = 10.0
    """Name, connection and TLS handshake together."""
    greeting: float = 10.0
    idle: float = 30.0
    """Without a single octet; for a message on its way also the span over which ``slowest`` is averaged."""
    command: float = 60.0
    """One command, or one run of pipelined ones, from the first octet sent to the last received."""
    slowest: int = 1024
    """Octets a second a message has to arrive with."""
    queue: float = 20.0
    """Waiting for the maildrop while other requests of this account are in it."""
    linger: float = 2.0
    """How long a session waits for more work before QUIT frees the maildrop for other clients."""
    session: float = 5.0
    """The age at which a session ends even in a busy burst: it sees no mail that came after its login."""
    aside: float = 0.5
    """How long an unbroken burst stays out after that, so that who waits outside gets in."""
    in_use: float = 5.0
    """How long [IN-USE] is met with another try, and the longest rest of a login delay that is waited out."""
    reconnect: float = 0.2
    """The pause before the one more try of a connection that failed; jittered."""
    quit: float = 2.0
    keep: float = 10.0
    """How long a fetched message stays for the next part or range of it."""


DEFAULT_TIMING = Timing()
