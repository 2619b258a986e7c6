"""The metrics for Prometheus. Labels are bounded: no account, no folder, no path.

Metrics that count events are here. A gauge that is computed for each scrape (``Live``) is registered by the module that
owns the objects it counts.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from platform import python_version
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service import __version__

LAG_SECONDS = 0.5
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each metric, of no use here
_requests = Counter("casella_requests", "Requests answered.", ("route", "method", "status"))
_request_seconds = Histogram(
    "casella_request_seconds", "From a request to its answer's end.", ("route", "method", "status"), buckets=_SECONDS
)
_upstream_seconds = Histogram(
    "casella_upstream_seconds", "Commands to mail servers.", ("protocol", "server", "verb", "outcome"), buckets=_SECONDS
)
_queued_seconds = Counter(
    "casella_queued_seconds",
    "Seconds of waiting: for a turn to log in, a connection, the mail server's connection limit, the maildrop, the"
    " sandbox, or another request's read.",
    ("queue",),
)
_rows = Counter("casella_rows", "Rows of lists, by their source: memory or server.", ("protocol", "source"))
_messages_sent = Counter("casella_messages_sent", "Messages given to mail servers to send.", ("server", "outcome"))
_pushes = Counter("casella_pushes", "Pushes to devices and back ends, by what came of them.", ("kind", "outcome"))
_pushes_lost = Counter("casella_pushes_lost", "Pushes that were not sent because too many were under way.")
_subscriptions_ended = Counter(
    "casella_push_subscriptions_ended", "Subscriptions that ended without the app.", ("reason",)
)
_deliveries_reported = Counter(
    "casella_deliveries_reported",
    "Deliveries that mail servers reported: taken, ignored (another event), unknown (not sealed by a key in use),"
    " unreadable, or lost (too many waited).",
    ("outcome",),
)
_imported = Counter("casella_imported_messages", "Messages of imports, by what became of them.", ("outcome",))
_jmap_seconds = Histogram("casella_jmap_method_seconds", "JMAP method calls.", ("method", "outcome"), buckets=_SECONDS)
_loop_lag = Gauge("casella_loop_lag_seconds", "The worst delay of the event loop in the last ten seconds.")
_rates_fallback = Gauge(
    "casella_rates_fallback",
    "1 while the store that replicas share for rates fails and this process counts alone.",
)
_store_down = Gauge("casella_store_down", "1 while the database of `store.url` does not answer this process.")
_claims = Counter("casella_mailbox_claims", "Mailboxes that this process began to watch, for phones that sleep.")
_takeovers = Counter("casella_mailbox_takeovers", "Mailboxes of dead processes that this process freed for others.")
_watch_pushes = Counter("casella_watch_pushes", "Pushes of watched mailboxes handed over, by outcome.", ("outcome",))
_fetch_runs = Counter(
    "casella_fetch_runs",
    "Runs of standing fetches: copied (some messages), nothing (new), failed (tried again), stopped (until its user"
    " changes it).",
    ("outcome",),
)
Info("casella_build", "The version of Casella and of Python.").info(
    {"version": __version__, "python": python_version()}
)
watch_losses = Counter("casella_watch_losses", "Watches whose connection was lost or could not be opened.")


# Finding a series by its labels takes three times as long as counting.
_upstream = lru_cache(maxsize=4096)(_upstream_seconds.labels)
_rows_of = lru_cache(maxsize=64)(_rows.labels)
_jmap = lru_cache(maxsize=1024)(_jmap_seconds.labels)


@lru_cache(maxsize=4096)
def _answered(*labels: str) -> tuple[Counter, Histogram]:
    return _requests.labels(*labels), _request_seconds.labels(*labels)


def request(route: str, method: str, status: int, seconds: float) -> None:
    """A request was answered."""
    counted, timed = _answered(route, method, str(status))
    counted.inc()
    timed.observe(seconds)


def upstream(protocol: str, server: str, verb: str, outcome: str, seconds: float) -> None:
    """A command to a mail server has ended."""
    _upstream(protocol, server, verb, outcome).observe(seconds)


def queued(queue: str, seconds: float) -> None:
    """A task waited for its turn. The rate of this counter is the average number of waiting tasks."""
    _queued_seconds.labels(queue).inc(seconds)


def rows(protocol: str, kept: int, read: int) -> None:
    """A list had ``kept`` rows from the cache, and ``read`` rows from the mail server."""
    _rows_of(protocol, "memory").inc(kept)
    _rows_of(protocol, "server").inc(read)


def message_sent(server: str, outcome: str) -> None:
    """A message was given to a mail server: sent, refused, deferred, or of unknown outcome."""
    _messages_sent.labels(server, outcome).inc()


def pushed(kind: str, outcome: str) -> None:
    """A push was delivered, its subscription is gone, or it failed for good."""
    _pushes.labels(kind, outcome).inc()


def push_lost() -> None:
    """A push was not sent, because too many are under way."""
    _pushes_lost.inc()


def subscription_ended(reason: str) -> None:
    """A subscription is over: gone, failed or expired."""
    _subscriptions_ended.labels(reason).inc()


def delivery_reported(outcome: str) -> None:
    """A mail server reported a delivery."""
    _deliveries_reported.labels(outcome).inc()


def imported(copied: int, skipped: int, failed: int) -> None:
    """Count the messages that a burst of an import copied, found at the destination, or left at the source."""
    for outcome, count in (("copied", copied), ("skipped", skipped), ("failed", failed)):
        _imported.labels(outcome).inc(count)


def jmap_method(method: str, outcome: str, seconds: float) -> None:
    """A JMAP method call has ended: ``ok``, or the type of its error. Both are names of the RFCs."""
    _jmap(method, outcome).observe(seconds)


def rates_fallback(is_alone: bool) -> None:
    """Whether the shared store of rates fails, so that this process counts by itself."""
    _rates_fallback.set(is_alone)


def store_down(is_down: bool) -> None:
    """Whether the database of standing work fails."""
    _store_down.set(is_down)


def mailboxes_claimed(count: int) -> None:
    """This process took mailboxes to watch."""
    _claims.inc(count)


def mailboxes_taken_over(count: int) -> None:
    """Processes were declared dead that watched these mailboxes."""
    _takeovers.inc(count)


def watch_push(outcome: str) -> None:
    """A push of a watched mailbox was delivered, failed, or found its device gone."""
    _watch_pushes.labels(outcome).inc()


def fetch_run(outcome: str) -> None:
    """A run of a standing fetch has ended."""
    _fetch_runs.labels(outcome).inc()


async def watch_loop() -> None:
    """Measure the delay of the event loop until cancelled, at shutdown."""
    loop = asyncio.get_running_loop()
    delays = deque((0.0,), maxlen=20)  # ten seconds, so that no scrape misses a peak
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        delays.append(max(0.0, loop.time() - due))
        _loop_lag.set(max(delays))


class Live(Collector):
    """A gauge that is computed for each scrape: the sum over all live objects that were added."""

    def __init__(self, name: str, text: str, label: str, counts: Callable[[object], Mapping[str, float]]) -> None:
        self._name, self._text, self._label, self._counts = name, text, label, counts
        self._alive: WeakSet[object] = WeakSet()
        REGISTRY.register(self)

    def add(self, item: object) -> None:
        """Include ``item`` in the sum as long as it lives. Holds no reference that keeps it alive."""
        self._alive.add(item)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        totals: dict[str, float] = {}
        for item in list(self._alive):
            for key, count in self._counts(item).items():
                totals[key] = totals.get(key, 0) + count
        family = GaugeMetricFamily(self._name, self._text, labels=[self._label])
        for key, count in totals.items():
            family.add_metric([key], count)
        yield family
