"""What goes wrong on the way to the mail server, now and then."""

import asyncio
import random
from collections import Counter

CUT, TRUNCATE, DELAY, LEAVE = KINDS = ("cut", "truncate", "delay", "leave")
DELAY_SECONDS = 2.0
"""At most."""


class Faults:
    """``share`` of the requests bring one: of the connection, which whoever sends or hears next on it has to bear, or of
    the client, which leaves."""

    def __init__(self, share: float) -> None:
        self.done: Counter[str] = Counter()
        self._share = share
        self._armed: list[str] = []

    def drawn(self) -> bool:
        """Called for each request; whether its client is to leave before the answer."""
        if random.random() >= self._share:
            return False
        kind = random.choice(KINDS)
        if kind == LEAVE:
            self.done[LEAVE] += 1
            return True
        self._armed.append(kind)
        return False

    async def fate(self, octets: bytes) -> tuple[bytes, bool]:
        """See ``tests.servers.proxy``."""
        if not self._armed:
            return octets, True
        kind = self._armed.pop()
        self.done[kind] += 1
        if kind == DELAY:
            await asyncio.sleep(random.uniform(0.1, DELAY_SECONDS))
            return octets, True
        return (octets[: random.randrange(len(octets))] if kind == TRUNCATE else b""), False
