"""The outermost middleware: request id, security headers, the access log."""

import re
import time
from secrets import token_hex

import structlog
from opentelemetry import trace
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from service.api.deps import RENEWED
from service.telemetry import metrics
from service.telemetry.upstream import RequestCosts, request_costs

SAFE_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
}
"""Added to every response that does not set them itself."""
EXPOSED = (
    *("Accept-Ranges", "Casella-Token", "Content-Disposition", "Content-Range", "ETag"),
    *("Retry-After", "Server-Timing", "WWW-Authenticate", "X-Request-Id"),
)
"""Response header fields that pages of allowed origins can read (CORS)."""
_PROBES = frozenset({"/healthz", "/readyz"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_GONE = 499
"""The status in log and metrics if the client disconnected before the response; nginx uses the same number."""
_log = structlog.get_logger("service.access")


def is_probe(path: str) -> bool:
    """Whether the request is a health check. Those are never delayed or limited."""
    return path in _PROBES


def is_watched(path: str) -> bool:
    """Whether a request gets a trace. Health checks and metrics do not."""
    return not (is_probe(path) or path == "/metrics")


def _conceal(request_id: str) -> None:
    """Remove path and query from FastAPI's span: they may contain mail. ``http.route`` remains."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({"url.path": "REDACTED", "url.query": "REDACTED", "casella.request_id": request_id})


def _trace_id() -> dict[str, str]:
    """The trace id for the log line, if there is a trace."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid else {}


def _method(scope: Scope) -> str:
    """The method, or OTHER: clients can send any token, and each would be a new label value."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def _renewed(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The header with the session token to go on with, if there is a new one."""
    renewed = scope.get(RENEWED)
    token = renewed() if renewed else None
    return [(b"casella-token", token.encode())] if token else []


class RequestMiddleware:
    """Handles ``X-Request-Id``, adds ``SAFE_HEADERS``, and ``Server-Timing`` with the time spent upstream before the
    response began, and writes one log line per request.

    The log line has the route's template, not the path, and nothing of query, headers or body: those may contain mail.
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
        with request_costs() as costs, bound_contextvars(request_id=request_id):
            await self._answer(scope, receive, send, request_id, costs)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, costs: RequestCosts) -> None:
        began, status = time.perf_counter(), 0
        _conceal(request_id)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                added = [(name, value) for name, value in SAFE_HEADERS.items() if name not in present]
                added += _renewed(scope)
                if timing := costs.server_timing:
                    added.append((b"server-timing", timing.encode()))
                message["headers"] = [*message["headers"], *added, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            pass  # during the upload: there is no client to respond to
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", None)
            metrics.request(route or "none", _method(scope), status or CLIENT_GONE, seconds)
            if self._access_log:
                _log.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    status=status or CLIENT_GONE,
                    ms=round(seconds * 1000, 1),
                    upstream_ms=round(costs.upstream * 1000, 1),
                    **_trace_id(),
                )
