"""What the listener itself answers, and what it puts around the application."""

import asyncio
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import structlog
from fastapi import Request
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.api import problems
from service.api.middleware import SAFE_HEADERS
from service.api.problems import ProblemType

_SAFE = frozenset({"GET", "HEAD"})
"""What is given up when the client leaves. What writes goes on: whoever asks again with its key gets the answer."""
_log = structlog.get_logger("service.http")


def is_read(scope: Mapping[str, Any]) -> bool:
    return scope["method"] in _SAFE or (scope["method"] == "POST" and scope["path"].endswith("/search"))


def left_alone(app: Any, cycle: RequestResponseCycle) -> Any:
    """The app, whose end by the client's leaving is nobody's fault and not logged as one.

    A client that was not asked for its body (RFC 9110, 10.1.1) may send it or its next request: after the answer nobody
    can tell which, so the connection ends.
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
    """A problem for a request that cannot be told."""
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
    """Answered at once, whatever is asked."""
    scope["request_id"] = token_hex(8)
    headers = {"Retry-After": "1", "Connection": "close", "X-Request-Id": scope["request_id"]}
    answer = problems.problem_response(Request(scope), problems.BUSY, problems.BUSY.advice, headers)
    answer.raw_headers.extend(SAFE_HEADERS.items())
    await answer(scope, receive, send)
