"""The metrics on a port of their own, which neither an ingress nor a client of the API reaches.

Several workers cannot share the port, and each has metrics of its own: each takes the first free port of as many as
there are workers, and a worker that replaces one that died takes over the port that became free.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.api import problems
from service.api.middleware import SAFE_HEADERS
from service.api.routes.health import exposition
from service.http import listener as http_server
from service.settings.model import Settings

MAX_CONNECTIONS = 20
"""Prometheus keeps one open; a few more are for people who look."""
END_SECONDS = 1
"""A scrape that hangs does not hold up the end of the process for longer."""
_HIGHEST = 65535
_log = structlog.get_logger("service.http.metrics_port")


class Unbindable(Exception):
    """The metrics cannot be served where the settings say. The text is for the operator."""


async def _metrics(_: Request) -> Response:
    return _safe(exposition())


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request.scope["request_id"] = token_hex(8)
    answer = problems.library_error(request, error.status_code)
    answer.headers.update({"X-Request-Id": request.scope["request_id"], **(error.headers or {})})
    return _safe(answer)


def _safe(answer: Response) -> Response:
    answer.raw_headers.extend(SAFE_HEADERS.items())
    return answer


app = Starlette(routes=[Route("/metrics", _metrics)], exception_handlers={HTTPException: _refused})
"""Answers ``GET /metrics`` and nothing else."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the metrics of a process are served: on the first free port of ``ports``."""

    host: str
    ports: range

    @classmethod
    def of(cls, settings: Settings, workers: int = 1) -> "Place | None":
        """None if the settings name no port. One port for each worker, counted up from the one they name."""
        first = settings.metrics_port
        return cls(settings.metrics_host, range(first, min(first + workers, _HIGHEST + 1))) if first else None

    def require_free(self, public: int) -> None:
        """Raises Unbindable unless every port can be listened on now, and none is the ``public`` one."""
        for port in self.ports:
            if port == public:
                raise Unbindable(f"Port {port} is for the API, so the metrics need another.")
            try:
                _bound(self.host, port).close()
            except OSError as error:
                reason = error.strerror or error
                raise Unbindable(f"The metrics cannot be served on {self.host}, port {port}: {reason}.") from None

    def bound(self) -> socket.socket | None:
        """A socket that listens on the first free port; None if there is none."""
        for port in self.ports:
            try:
                return _bound(self.host, port)
            except OSError:
                continue
        return None


def _bound(host: str, port: int) -> socket.socket:
    """Listens too: two sockets may be bound to a port as long as neither does."""
    is_ipv6 = ":" in host
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        dualstack_ipv6=is_ipv6 and socket.has_dualstack_ipv6(),
    )


@asynccontextmanager
async def scraped(place: Place | None) -> AsyncIterator[None]:
    """Serves the metrics while the caller is inside. If no port is free, says so in the log and serves none: mail goes
    before metrics."""
    listener = place.bound() if place else None
    if listener is None:
        if place:
            _log.error("no port is free for the metrics", host=place.host, ports=list(place.ports))
        yield
        return
    _log.info("metrics are served", host=listener.getsockname()[0], port=listener.getsockname()[1])
    async with _serving(listener):
        yield


@asynccontextmanager
async def _serving(listener: socket.socket) -> AsyncIterator[None]:
    """By the bounded listener of the API, without uvicorn's handling of signals: the API's own server has that."""
    config = http_server.configured(app, "", 0, max_connections=MAX_CONNECTIONS, trusted_proxies=())
    config.lifespan, config.timeout_graceful_shutdown = "off", END_SECONDS
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown([listener])
