"""The service seen from outside: memory, files, what it logs and what it measures."""

import time
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from tests.bench.load import memory
from tests.deploy.replica import Replica

MB = 1 << 20
_CACHES = ("casella_cache_octets", "casella_cache_kept_octets")
SLACK = 6 * MB
LONG_SECONDS = 300.0
"""Of a run in which more than the first minutes can be seen."""
SLOPE = 1.0
"""MB a minute that are too many in it."""


class Sample(NamedTuple):
    seconds: float
    octets: int
    files: int


class Watch:
    """Samples of one process."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._began = time.monotonic()
        self.samples: list[Sample] = []

    def look(self) -> Sample:
        pid = self._replica.pid
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        self.samples.append(Sample(time.monotonic() - self._began, memory(pid), files))
        return self.samples[-1]

    @property
    def thirds(self) -> tuple[float, float, float]:
        """Mean resident octets."""
        size = max(1, len(self.samples) // 3)
        parts = (self.samples[:size], self.samples[size : 2 * size], self.samples[2 * size :])
        first, second, last = (sum(one.octets for one in part) / max(1, len(part)) for part in parts)
        return first, second, last

    @property
    def slope(self) -> float:
        """MB a minute, from the second third to the last."""
        _, second, last = self.thirds
        return (last - second) / MB / (self._seconds / 3 / 60)

    @property
    def is_flat(self) -> bool:
        """In a short run, a tenth more and a little at most in the last third than in the second."""
        _, second, last = self.thirds
        return self.slope < SLOPE if self._seconds >= LONG_SECONDS else last <= second * 1.1 + SLACK

    @property
    def _seconds(self) -> float:
        return self.samples[-1].seconds


class Cache(NamedTuple):
    """Octets of rows: as counted, and as kept."""

    counted: int
    kept: int


Caches = dict[str, Cache]
"""By protocol."""


def caches_in(metrics: str) -> Caches:
    """What a process says of its caches."""
    found: dict[str, dict[str, int]] = {}
    for family in text_string_to_metric_families(metrics):
        for one in family.samples:
            found.setdefault(one.name, {})[one.labels.get("protocol", "")] = int(one.value)
    counted, kept = (found[name] for name in _CACHES)
    return {protocol: Cache(octets, kept[protocol]) for protocol, octets in counted.items()}


def miscounted(caches: Caches, budget: int) -> list[str]:
    """What is wrong with caches that have this budget each."""
    return [
        f"{protocol}: {cache.counted} octets counted, {cache.kept} kept, {budget} allowed"
        for protocol, cache in caches.items()
        if not cache.kept == cache.counted <= budget
    ]


def found_in(files: dict[str, bytes], secrets: dict[str, str]) -> list[str]:
    """Where which kind of secret is."""
    return [
        f"a {kind} in {name}"
        for name, octets in files.items()
        for secret, kind in secrets.items()
        if secret.encode() in octets
    ]
