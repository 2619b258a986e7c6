"""What all streams of events have in common: their parameters, and their response."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Header, Query
from starlette.responses import StreamingResponse

MAX_TOKEN = 16 << 10
RETRY_MS = 1000
"""How long a client waits before it reconnects to a stream that the service closed."""
Since = Annotated[
    str | None,
    Query(
        max_length=MAX_TOKEN,
        description="A token of an earlier response. Default: the current state, from which no changes are returned.",
    ),
]
Folders = Annotated[
    str | None,
    Query(max_length=MAX_TOKEN, description="The folders to watch (ids or roles), separated by commas. Default: all."),
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=MAX_TOKEN,
        description="The id of the last received event: the stream continues after it.",
    ),
]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events, until either side closes the stream.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
"""For a route's ``responses``."""


def names_of(folders: str | None) -> frozenset[str] | None:
    """The ids and roles in the parameter ``folders``; None, for all, if it is not given or has none."""
    return frozenset(name.strip() for name in (folders or "").split(",") if name.strip()) or None


def event_stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """A response that sends each event at once, through proxies that would collect them too."""
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
