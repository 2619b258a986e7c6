"""What all caches of rows show to operators: how much memory they take."""

from abc import ABC, abstractmethod

from service.mail.model import Protocol
from service.telemetry.metrics import Live


class Measured(ABC):
    """A cache whose octets are in the metrics as long as it lives, under the name of its protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        _counted.add(self)
        _kept.add(self)

    @property
    @abstractmethod
    def octets(self) -> int:
        """About how much memory it takes, as its budget counts it."""

    @property
    def kept_octets(self) -> int:
        """The same, summed up from what is kept at this moment. Another number is a fault."""
        return self.octets


_counted = Live(
    "casella_cache_octets",
    "Memory that rows of lists take, as `cache_octets` counts it.",
    "protocol",
    lambda cache: {cache.protocol: cache.octets} if isinstance(cache, Measured) else {},
)
_kept = Live(
    "casella_cache_kept_octets",
    "The same, summed up from the folders that are kept.",
    "protocol",
    lambda cache: {cache.protocol: cache.kept_octets} if isinstance(cache, Measured) else {},
)
