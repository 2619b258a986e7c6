"""The service seen from outside: memory, files, what it logs and what it measures."""

import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.load import memory
from tests.deploy.replica import Replica

MB = 1 << 20
SLACK = 6 * MB


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
    def is_flat(self) -> bool:
        """A tenth more and a little, at most, in the last third than in the second."""
        _, second, last = self.thirds
        return last <= second * 1.1 + SLACK


def found_in(files: dict[str, bytes], secrets: dict[str, str]) -> list[str]:
    """Where which kind of secret is."""
    return [
        f"a {kind} in {name}"
        for name, octets in files.items()
        for secret, kind in secrets.items()
        if secret.encode() in octets
    ]
