"""When logins may begin. After a start or a take-over thousands of mailboxes wait for theirs, and a mail server that
gets them all at once refuses them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import uniform

from cachetools import TTLCache

_HOSTS, _FORGOTTEN_SECONDS = 10_000, 3600.0


class Starts:
    """Turns to log in, ``rate`` a second for each mail server, and at most ``standing`` connections to one for good."""

    def __init__(self, rate: float, standing: int) -> None:
        self._gap = 1 / rate
        self._standing = standing
        self._next: TTLCache[str, float] = TTLCache(_HOSTS, _FORGOTTEN_SECONDS)
        self._held: Counter[str] = Counter()

    async def turn(self, host: str) -> None:
        """Returns when a login to this host may begin: at once if none began just now."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(host, now))
        self._next[host] = at + self._gap
        if at > now:
            await asyncio.sleep(at - now + uniform(0, self._gap))  # noqa: S311 - spreads those of several processes

    @contextmanager
    def standing(self, host: str) -> Iterator[bool]:
        """Whether one more connection may stay open, so that watching leaves most of them to requests."""
        may_stay = self._held[host] < self._standing
        self._held[host] += may_stay
        try:
            yield may_stay
        finally:
            self._held[host] -= may_stay
            if not self._held[host]:
                del self._held[host]
