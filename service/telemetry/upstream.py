"""Reports each command to a mail server to Prometheus, to the client (``Server-Timing``), and to a trace.

A report names the verb, the protocol, the server and the outcome. The rest of a command is private mail.
"""

from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from service.telemetry import metrics

_FAULTS = frozenset({"bad", "lost"})
"""Outcomes that show a fault of the server or of the network."""
_tracer = trace.get_tracer("casella")


@dataclass(slots=True)
class RequestCosts:
    """What a request has cost so far: commands, and seconds. Concurrent work is added up."""

    commands: int = 0
    upstream: float = 0.0
    selecting: float = 0.0
    """Of ``upstream``: a server may take seconds to open a large folder for the first time."""
    queued: float = 0.0

    @property
    def server_timing(self) -> str:
        """The value of the ``Server-Timing`` header, in milliseconds; empty if nothing was asked or waited for."""
        entries = []
        if self.commands:
            plural = "s" if self.commands > 1 else ""
            entries.append(f'upstream;dur={self.upstream * 1000:.1f};desc="{self.commands} command{plural}"')
        if selecting := round(self.selecting * 1000, 1):
            entries.append(f"select;dur={selecting}")
        if queued := round(self.queued * 1000, 1):
            entries.append(f"queue;dur={queued}")
        return ", ".join(entries)


_costs: ContextVar[RequestCosts | None] = ContextVar("costs", default=None)


@contextmanager
def request_costs() -> Iterator[RequestCosts]:
    """Counts the commands and the waiting inside, and in tasks started there."""
    costs = RequestCosts()
    token = _costs.set(costs)
    try:
        yield costs
    finally:
        _costs.reset(token)


@contextmanager
def queued(queue: str) -> Iterator[None]:
    """Entered around waiting for a turn in ``queue``. Counts the seconds."""
    began = perf_counter()
    try:
        yield
    finally:
        seconds = perf_counter() - began
        metrics.queued(queue, seconds)
        if costs := _costs.get():
            costs.queued += seconds


class Command:
    """``with Command(...) as command: command.outcome = ...``. Pipelined commands (``count``) are recorded once, under
    the last one's verb.

    The outcome is the server's status in lower case; ``lost`` if there was no answer, ``left`` if the task that waited
    for it was cancelled.
    """

    __slots__ = ("_began", "_count", "_protocol", "_server", "_span", "_verb", "outcome")

    def __init__(self, protocol: str, server: str, verb: str, count: int = 1) -> None:
        self.outcome = "lost"
        self._protocol, self._server, self._verb, self._count = protocol, server, verb, count
        self._span: Span | None = None
        if trace.get_current_span().is_recording():
            attributes = {"network.protocol.name": protocol, "casella.server": server, "casella.verb": verb}
            self._span = _tracer.start_span(
                f"{protocol} {verb}", kind=SpanKind.CLIENT, attributes={**attributes, "casella.commands": count}
            )

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        seconds = perf_counter() - self._began
        outcome = self.outcome if error is None else "left" if isinstance(error, CancelledError) else "lost"
        metrics.upstream(self._protocol, self._server, self._verb, outcome, seconds)
        if costs := _costs.get():
            costs.commands += self._count
            costs.upstream += seconds
            if self._verb == "SELECT":
                costs.selecting += seconds
        if self._span is not None:
            self._span.set_attribute("casella.outcome", outcome)
            if outcome in _FAULTS:
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
