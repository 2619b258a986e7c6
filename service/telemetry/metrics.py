"""What the platform measures, by prometheus-client. Labels are bounded: no account, no folder, no path.

What is counted as it happens stands here; what is looked at when somebody asks is registered by who has it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

LAG_SECONDS = 0.5
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, that nobody looks at
_requests = Counter("casella_requests", "Requests answered.", ("route", "method", "status"))
_request_seconds = Histogram(
    "casella_request_seconds", "From a request to its answer's end.", ("route", "method", "status"), buckets=_SECONDS
)
_upstream_seconds = Histogram(
    "casella_upstream_seconds", "Commands to mail servers.", ("protocol", "server", "verb", "outcome"), buckets=_SECONDS
)
_queued_seconds = Counter(
    "casella_queued_seconds",
    "Waiting for a turn to log in, a connection, a place at the mail server, the maildrop, the cage, or another"
    " request's read.",
    ("queue",),
)
_rows = Counter("casella_rows", "Rows of lists, by where they were found.", ("protocol", "source"))
_loop_lag = Gauge("casella_loop_lag_seconds", "How late the event loop was at worst, of late.")
_rates_fallback = Gauge(
    "casella_rates_fallback", "1 while the store that replicas share for rates fails, and this process counts alone."
)
watch_losses = Counter("casella_watch_losses", "Watches whose connection was lost or could not be had.")


def request(route: str, method: str, status: int, seconds: float) -> None:
    """A request was answered."""
    labels = (route, method, str(status))
    _requests.labels(*labels).inc()
    _request_seconds.labels(*labels).observe(seconds)


def upstream(protocol: str, server: str, verb: str, outcome: str, seconds: float) -> None:
    """A mail server did, or did not do, what it was asked."""
    _upstream_seconds.labels(protocol, server, verb, outcome).observe(seconds)


def queued(queue: str, seconds: float) -> None:
    """Somebody waited for a turn. The rate of it is how many wait, on average."""
    _queued_seconds.labels(queue).inc(seconds)


def rows(protocol: str, kept: int, read: int) -> None:
    """Of a list: so many were known, so many had to be asked for."""
    _rows.labels(protocol, "memory").inc(kept)
    _rows.labels(protocol, "server").inc(read)


def rates_fallback(is_alone: bool) -> None:
    """Whether this process counts rates by itself although it should share them."""
    _rates_fallback.set(is_alone)


async def watch_loop() -> None:
    """Measures the event loop for ever; cancelled at shutdown."""
    loop = asyncio.get_running_loop()
    worst = [0.0] * 20  # ten seconds, so that no scrape misses it
    at = 0
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        worst[at % len(worst)] = max(0.0, loop.time() - due)
        at += 1
        _loop_lag.set(max(worst))


class Live(Collector):
    """A gauge that is summed up when somebody asks, over all that are alive of a kind."""

    def __init__(self, name: str, text: str, label: str, counts: Callable[[object], Mapping[str, float]]) -> None:
        self._name, self._text, self._label, self._counts = name, text, label, counts
        self._alive: WeakSet[object] = WeakSet()
        REGISTRY.register(self)

    def add(self, one: object) -> None:
        """From now on, as long as it lives."""
        self._alive.add(one)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        totals: dict[str, float] = {}
        for one in list(self._alive):
            for key, count in self._counts(one).items():
                totals[key] = totals.get(key, 0) + count
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label])
        for key, count in totals.items():
            family.add_metric([key], count)
        yield family
