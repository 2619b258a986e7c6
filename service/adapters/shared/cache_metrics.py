"""The metrics of row caches: how much memory they take."""

from abc import ABC, abstractmethod

from service.mail.model import Protocol
from service.telemetry.metrics import Live


class MeasuredCache(ABC):
    """A cache that reports its size in the metrics while it lives, under the name of its protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        _counted.add(self)
        _kept.add(self)

    @property
    @abstractmethod
    def octets(self) -> int:
        """Its approximate size in memory, as its budget counts it."""

    @property
    def kept_octets(self) -> int:
        """The same, summed up from what is kept now. If the two differ, one of them is wrong."""
        return self.octets


_counted = Live(
    "casella_cache_octets",
    "Memory that rows of lists take, as `cache_octets` counts it.",
    "protocol",
    lambda cache: {cache.protocol: cache.octets} if isinstance(cache, MeasuredCache) else {},
)
_kept = Live(
    "casella_cache_kept_octets",
    "The same, summed up from the folders that are kept.",
    "protocol",
    lambda cache: {cache.protocol: cache.kept_octets} if isinstance(cache, MeasuredCache) else {},
)
