"""When a call is repeated that may succeed later."""

import random
from typing import NamedTuple


class Retries(NamedTuple):
    """How often a call is made, and how many seconds lie between."""

    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def wait_after(self, attempt: int, demanded: float = 0.0) -> float:
        """A random wait after the attempt of this number, from 1. Never shorter than the service demands."""
        most = min(self.longest_wait, self.first_wait * 2 ** min(attempt - 1, 30))
        return max(random.uniform(0, most), demanded)  # noqa: S311 - no secret


RETRIES = Retries()
