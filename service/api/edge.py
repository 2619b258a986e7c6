"""What every request and response passes: request id, security headers, the access log."""

import re
import time
from secrets import token_hex

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import too_large

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")
# The reference's pages carry inline scripts, and load nothing from anywhere else.
_PAGE_POLICY = "default-src 'self' 'unsafe-inline' data: blob:; frame-ancestors 'none'"
_log = structlog.get_logger("service.access")


def _is_foreign_refusal(message: Message) -> bool:
    """Starlette's body limit answers by itself, in plain text."""
    return message["status"] == 413 and (b"content-type", b"text/plain; charset=utf-8") in message["headers"]


class Edge:
    """Outermost of our own: ``X-Request-Id`` in and out, ``nosniff`` on all, one line of log a request.

    The line has the route's template, not the path, and nothing of query, headers or body: those hold people's mail.
    """

    def __init__(self, app: ASGIApp, access_log: bool = True) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = scope["request_id"] = given.decode() if _REQUEST_ID.match(given) else token_hex(8)
        began, status, is_replaced = time.perf_counter(), 0, False

        async def answer(message: Message) -> None:
            nonlocal status, is_replaced
            if is_replaced:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_foreign_refusal(message):
                    is_replaced = True
                    await too_large(Request(scope))(scope, receive, send)
                    return
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
                if headers.get("Content-Type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            if self._access_log:
                _log.info(
                    "request",
                    method=scope["method"],
                    route=getattr(scope.get("route"), "path", None),
                    status=status,
                    ms=round((time.perf_counter() - began) * 1000, 1),
                    request_id=request_id,
                )
