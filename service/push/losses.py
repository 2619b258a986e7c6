"""Subscriptions that are over: known from what came of their pushes, before they can be removed from where they are
kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from service.push.model import MOST_FAILURES, Outcome
from service.telemetry import metrics

SPACING = 15 * 60.0
"""Failures within these seconds count once: a push service that is down for an hour ends no subscription."""
_REMEMBERED = 100_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    counted_at: float | None = None
    is_over: bool = False


class Losses:
    """Counts failures. Of the least recently used subscriptions the counts are forgotten: it begins again for them."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._failures: LRUCache[str, _Failures] = LRUCache(_REMEMBERED)
        self._over: LRUCache[str, set[str]] = LRUCache(_REMEMBERED)
        self._timer = timer

    def record(self, account: str, id: str, outcome: Outcome) -> None:  # noqa: A002 - the name in the contract
        """What came of a push."""
        if outcome is Outcome.DELIVERED:
            self._failures.pop(id, None)
            return
        failures = self._failures.setdefault(id, _Failures())
        now = self._timer()
        if outcome is Outcome.FAILED and (failures.counted_at is None or now >= failures.counted_at + SPACING):
            failures.count, failures.counted_at = failures.count + 1, now
        if outcome is Outcome.GONE or failures.count >= MOST_FAILURES:
            self._end(account, id, failures, "gone" if outcome is Outcome.GONE else "failed")

    def expired(self, account: str, id: str) -> None:  # noqa: A002
        """A subscription was seen that was not renewed in time."""
        self._end(account, id, self._failures.setdefault(id, _Failures()), "expired")

    def _end(self, account: str, id: str, failures: _Failures, reason: str) -> None:  # noqa: A002
        if not failures.is_over:
            failures.is_over = True
            self._over.setdefault(account, set()).add(id)
            metrics.subscription_ended(reason)

    def is_over(self, id: str) -> bool:  # noqa: A002
        """Whether it gets no push any more."""
        return (failures := self._failures.get(id)) is not None and failures.is_over

    def has(self, account: str) -> bool:
        """Whether there is one of this account to remove."""
        return account in self._over

    def removed(self, account: str) -> None:
        """Those of the account that were over are kept nowhere any more."""
        for id in self._over.pop(account, ()):  # noqa: A001
            self._failures.pop(id, None)
