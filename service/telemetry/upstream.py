"""What is asked of mail servers, told to all who watch: Prometheus, the caller (``Server-Timing``), and a trace.

A command is told by its verb, the protocol, the server's name and the outcome. What else is in it is somebody's mail.
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
"""What a server that keeps to its protocol, on a network that works, does not answer."""
_tracer = trace.get_tracer("casella")


@dataclass(slots=True)
class RequestCosts:
    """What a request took so far, in seconds; work done for it side by side adds up."""

    commands: int = 0
    upstream: float = 0.0
    queued: float = 0.0

    @property
    def server_timing(self) -> str:
        """As the header says it, in milliseconds; empty where nobody else had to do anything."""
        told = []
        if self.commands:
            plural = "s" if self.commands > 1 else ""
            told.append(f'upstream;dur={self.upstream * 1000:.1f};desc="{self.commands} command{plural}"')
        if queued := round(self.queued * 1000, 1):
            told.append(f"queue;dur={queued}")
        return ", ".join(told)


_costs: ContextVar[RequestCosts | None] = ContextVar("costs", default=None)


@contextmanager
def request_costs() -> Iterator[RequestCosts]:
    """Counts what is asked and waited for inside, and in tasks made there."""
    costs = RequestCosts()
    token = _costs.set(costs)
    try:
        yield costs
    finally:
        _costs.reset(token)


@contextmanager
def queued(queue: str) -> Iterator[None]:
    """Inside, somebody waits for a turn."""
    began = perf_counter()
    try:
        yield
    finally:
        seconds = perf_counter() - began
        metrics.queued(queue, seconds)
        if costs := _costs.get():
            costs.queued += seconds


class Command:
    """``with Command(...) as command: command.outcome = ...``. Several that are sent together are told as the last.

    The outcome is what the server says of it, in lower case; ``lost`` where it does not, ``left`` where nobody waits
    any more.
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
        if self._span is not None:
            self._span.set_attribute("casella.outcome", outcome)
            if outcome in _FAULTS:
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
