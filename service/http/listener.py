"""How the service listens for HTTP: the configuration of uvicorn."""

import uvicorn
from starlette.types import ASGIApp

from service.http.connection import HttpConnection

GRACE_SECONDS = 25
"""How long answers, open streams too, may take after draining; then their connections are closed."""
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (usually 60 s), so that none sends on one that is just being closed."""


def uvicorn_config(
    app: ASGIApp | str,
    host: str,
    port: int,
    *,
    max_connections: int,
    trusted_proxies: tuple[str, ...],
    workers: int | None = None,
) -> uvicorn.Config:
    """Returns the configuration that the service, the demo and the tests share.

    Forwarded headers count only from ``trusted_proxies``. ``app`` may be the import path of a function that makes the
    application, which each of several ``workers`` calls.
    """
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        host=host,
        port=port,
        http=HttpConnection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        limit_concurrency=max_connections,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
