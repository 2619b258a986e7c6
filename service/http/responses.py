"""Responses that the connection makes without the application, and the wrapper around the application."""

import asyncio
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import structlog
from fastapi import Request
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.api import problems
from service.api.middleware.requests import SAFE_HEADERS
from service.api.problems import ProblemType

_SAFE = frozenset({"GET", "HEAD"})
"""Methods cancelled when the client disconnects. Writes run to the end, so a retry with the same Idempotency-Key gets
their result."""
_log = structlog.get_logger("service.http")


def is_read(scope: Mapping[str, Any]) -> bool:
    """Whether the request changes nothing."""
    return scope["method"] in _SAFE or (scope["method"] == "POST" and scope["path"].endswith("/search"))


def ignore_disconnect(app: Any, cycle: RequestResponseCycle) -> Any:
    """Returns the app, wrapped so that its cancellation by a disconnect of the client is not logged as an error.

    A client that waits for a 100 and gets the final answer instead (RFC 9110, 10.1.1) may send its body or its next
    request. The service cannot know which, so the connection is closed after the answer.
    """

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if cycle.waiting_for_100_continue and cycle.more_body:
                cycle.keep_alive = False
            await send(message)

        try:
            await app(scope, receive, answer)
        except asyncio.CancelledError:
            if not cycle.disconnected:
                raise

    return run


def refusal(kind: ProblemType) -> bytes:
    """Returns a whole response with the problem, for a request that cannot be read."""
    request_id = token_hex(8)
    _log.info("refused", kind=kind.name, request_id=request_id)
    answer = problems.problem_response(
        Request({"type": "http", "path": "", "headers": [], "request_id": request_id}), kind, kind.advice
    )
    headers = [
        *answer.raw_headers,
        *SAFE_HEADERS.items(),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[kind.status] + lines + b"\r\n" + bytes(answer.body)


async def overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI app that answers every request with 503 at once."""
    scope["request_id"] = token_hex(8)
    headers = {"Retry-After": "1", "Connection": "close", "X-Request-Id": scope["request_id"]}
    answer = problems.problem_response(Request(scope), problems.BUSY, problems.BUSY.advice, headers)
    answer.raw_headers.extend(SAFE_HEADERS.items())
    await answer(scope, receive, send)
