"""Serves the application by HTTP, in one process or several. Each drains before it ends."""

import os
from pathlib import Path
from socket import socket

import structlog
import uvicorn
from fastapi import FastAPI

from service.accounts.servers import ServerTable
from service.app import create_app
from service.http.listener import uvicorn_config
from service.http.metrics_port import MetricsAddress
from service.http.open_files import affordable
from service.http.ports import listening, url_of
from service.http.servers import DrainingServer
from service.http.workers import APP, CONFIG, Supervisor, freeze
from service.settings.model import Settings

_log = structlog.get_logger("service.http")


def listeners(host: str, port: int) -> list[socket]:
    """The sockets of the API. Raises PortUnavailable."""
    sockets = listening("The API", host, port)
    _log.info("the API listens", url=url_of(host, sockets[0].getsockname()[1]))
    return sockets


def config_of(settings: Settings, host: str, port: int, table: ServerTable | None = None) -> uvicorn.Config:
    """Returns uvicorn's configuration for one process. ``table`` replaces the servers of the settings."""
    return _config(create_app(settings, table), settings, host, port)


def serve(settings: Settings, config: Path | None, host: str, port: int, workers: int) -> None:
    """Serve until a signal ends it. Raises PortUnavailable if the API or the metrics cannot be served.

    Each of several workers reads the settings by itself, from the file ``config`` and the environment.
    """
    metrics = MetricsAddress.of(settings, workers)
    if metrics:
        metrics.require_free(port)
    sockets = listeners(host, port)
    if workers == 1:
        server = DrainingServer(config_of(settings, host, port), settings.drain_seconds, metrics)
        freeze()
        server.run(sockets)
        return
    if config is not None:
        os.environ[CONFIG] = str(config)
    if metrics:  # it may come from the command line, which workers do not see
        os.environ |= {"CASELLA_METRICS_HOST": metrics.host, "CASELLA_METRICS_PORT": str(settings.metrics_port)}
    shared = _config(APP, settings, host, port, workers)
    Supervisor(shared, sockets=sockets).run()


def _config(app: "FastAPI | str", settings: Settings, host: str, port: int, workers: int = 1) -> uvicorn.Config:
    return uvicorn_config(
        app,
        host,
        port,
        max_connections=affordable(settings.max_connections),
        trusted_proxies=settings.trusted_proxies,
        workers=workers,
    )
