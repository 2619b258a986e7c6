"""The stream of changes, written by hand because generators read none."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from io import TextIOWrapper
from typing import IO, Any, NamedTuple, cast

import urllib3

from casella_client.problem import ApiProblem, problem_of
from casella_client.retries import RETRIES, Retries


class AccountEvent(NamedTuple):
    """A change, as the stream reports it."""

    type: str  # change, resync or ping; later versions may have more
    data: Any
    id: str  # the account's token at this event


Open = Callable[[dict[str, str]], urllib3.BaseHTTPResponse]


def read_events(open_stream: Open, last_event_id: str = "", retries: Retries = RETRIES) -> Iterator[AccountEvent]:
    """The events of the streams that are opened, without end: a stream that breaks is opened again. Raises ApiProblem
    if waiting does not help."""
    failures = 0
    while True:
        resume = {"Last-Event-ID": last_event_id} if last_event_id else {}
        demanded = 0.0
        try:
            with closing(open_stream({"Accept": "text/event-stream", **resume})) as response:
                if response.status != 200:
                    raise problem_of(response)
                for event in _parsed(response):
                    last_event_id = event.id or last_event_id
                    failures = 0
                    yield event
        except ApiProblem as problem:
            if not problem.retryable:
                raise
            demanded = problem.retry_after
        except urllib3.exceptions.HTTPError:
            pass  # broken, or silent for too long
        failures += 1
        time.sleep(retries.wait_after(failures, demanded))


def _parsed(response: urllib3.BaseHTTPResponse) -> Iterator[AccountEvent]:
    """What a stream says (WHATWG HTML, 9.2.6). An event that is cut off is left out."""
    response.auto_close = False  # type: ignore[attr-defined] # or the last lines would be lost
    kind, last, data = "message", "", list[str]()
    for line in TextIOWrapper(cast("IO[bytes]", response), "utf-8-sig", errors="replace"):
        name, _, value = line.rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if line == "\n":
            if text := "\n".join(data):
                yield AccountEvent(kind, json.loads(text), last)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last = value
