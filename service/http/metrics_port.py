"""The metrics on a separate port, which neither an ingress nor a client of the API reaches.

Each of several workers has its own metrics, and workers cannot share a port. There are as many ports as workers, and
each worker takes the first free one, so a worker that replaces another one takes over its port.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
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
from service.api.middleware.requests import SAFE_HEADERS
from service.api.routes.health import exposition
from service.http.listener import uvicorn_config
from service.http.ports import PortUnavailable, listening
from service.settings.model import Settings

MAX_CONNECTIONS = 20
"""Prometheus keeps one open; the others are for people."""
END_SECONDS = 1
"""How long a hanging scrape may delay the end of the process."""
RETRY_SECONDS = 1.0
_HIGHEST = 65535
_WHAT = "The metrics"
_log = structlog.get_logger("service.http.metrics_port")


async def _metrics(_: Request) -> Response:
    return _safe(exposition())


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request.scope["request_id"] = token_hex(8)
    answer = problems.foreign_error(request, error.status_code)
    answer.headers.update({"X-Request-Id": request.scope["request_id"], **(error.headers or {})})
    return _safe(answer)


def _safe(answer: Response) -> Response:
    answer.raw_headers.extend(SAFE_HEADERS.items())
    return answer


app = Starlette(routes=[Route("/metrics", _metrics)], exception_handlers={HTTPException: _problem})
"""Answers ``GET /metrics`` and nothing else."""


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """The address of the metrics of one process: the first free port of ``ports``."""

    host: str
    ports: range

    @classmethod
    def of(cls, settings: Settings, workers: int = 1) -> "MetricsAddress | None":
        """One port for each worker, counted up from the one in the settings. None if they have no port."""
        first = settings.metrics_port
        return cls(settings.metrics_host, range(first, min(first + workers, _HIGHEST + 1))) if first else None

    def require_free(self, public: int) -> None:
        """Raises PortUnavailable unless all ports are free now, and none is the ``public`` one."""
        for port in self.ports:
            if port == public:
                raise PortUnavailable(f"Port {port} is for the API, so the metrics need another.")
            for each in listening(_WHAT, self.host, port):
                each.close()

    def listen(self) -> list[socket.socket]:
        """Returns sockets that listen on the first free port; none if none is free."""
        for port in self.ports:
            with suppress(PortUnavailable):
                return listening(_WHAT, self.host, port)
        return []


@asynccontextmanager
async def serving_metrics(address: MetricsAddress | None) -> AsyncIterator[None]:
    """Serves the metrics while the caller is inside.

    If no port is free, logs a warning and tries again until one is: the API matters more, and a port becomes free when
    the worker that this one replaces has ended.
    """
    if address is None:
        yield
        return
    async with AsyncExitStack() as servers:
        retries = (
            None if await _serve_if_free(address, servers) else asyncio.create_task(_serve_later(address, servers))
        )
        try:
            yield
        finally:
            if retries:
                retries.cancel()
                await asyncio.gather(retries, return_exceptions=True)


async def _serve_if_free(address: MetricsAddress, servers: AsyncExitStack) -> bool:
    listeners = address.listen()
    if not listeners:
        return False
    _log.info("metrics are served", host=listeners[0].getsockname()[0], port=listeners[0].getsockname()[1])
    await servers.enter_async_context(_serving(listeners))
    return True


async def _serve_later(address: MetricsAddress, servers: AsyncExitStack) -> None:
    _log.warning("no port is free for the metrics yet", host=address.host, ports=list(address.ports))
    is_served = False
    while not is_served:
        await asyncio.sleep(RETRY_SECONDS)
        is_served = await _serve_if_free(address, servers)


@asynccontextmanager
async def _serving(listeners: list[socket.socket]) -> AsyncIterator[None]:
    """With the API's limits on connections. Without uvicorn's signal handlers: the server of the API has them."""
    config = uvicorn_config(app, "", 0, max_connections=MAX_CONNECTIONS, trusted_proxies=())
    config.lifespan, config.timeout_graceful_shutdown = "off", END_SECONDS
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(listeners)
    main_loop = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await main_loop
        await server.shutdown(listeners)
