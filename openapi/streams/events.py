"""The stream of changes, written by hand because generators read none: ``for event in events(url, headers)``."""

import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from io import TextIOWrapper
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Event(NamedTuple):
    type: str  # change, resync or ping
    data: Any
    id: str  # the account's token at this event


def events(url: str, headers: Mapping[str, str], last_id: str = "", wait: float = 1.0) -> Iterator[Event]:
    """Without end: what breaks off is taken up after ``wait`` seconds, behind the last event. HTTPError, whose body is
    a Problem, where waiting would not help."""
    while True:
        given = {**headers, "Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        try:
            with urlopen(Request(url, headers=given), timeout=90) as stream:  # the service pings more often
                for event in read(stream):
                    last_id = event.id or last_id
                    yield event
        except HTTPError as error:
            if error.code not in {429, 502, 503, 504}:
                raise
        except (OSError, HTTPException):
            pass
        time.sleep(wait)


def read(stream: IO[bytes]) -> Iterator[Event]:
    """What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out."""
    kind, last, data = "message", "", list[str]()
    for line in TextIOWrapper(stream, "utf-8-sig", errors="replace"):
        name, _, value = line.rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if line == "\n":
            if text := "\n".join(data):
                yield Event(kind, json.loads(text), last)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last = value
