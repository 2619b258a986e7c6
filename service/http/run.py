"""The HTTP server around the application: one process or several, drained before they end."""

import asyncio
import gc
import os
import signal
from pathlib import Path
from socket import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import multiprocess

from service.accounts.servers import ServerTable
from service.app import create_app
from service.http import listener as http_server
from service.http import metrics_port as scraping
from service.http import open_files as files
from service.http.metrics_port import Place
from service.settings.model import Settings, read_settings
from service.telemetry import logs

CONFIG = "CASELLA_CONFIG"
"""The variable that names the settings' file."""


def http(settings: Settings, host: str, port: int, table: ServerTable | None = None) -> uvicorn.Config:
    """How HTTP is served, whoever starts it."""
    return _config(create_app(settings, table), settings, host, port)


def serve(settings: Settings, config: Path | None, host: str, port: int, workers: int) -> None:
    """Until a signal ends it. Several workers read the settings each for itself. Raises scraping.Unbindable."""
    place = Place.of(settings, workers)
    if place:
        place.require_free(port)
    if workers == 1:
        server = Draining(http(settings, host, port), settings.drain_seconds, place)
        _freeze()
        server.run()
        return
    if config is not None:
        os.environ[CONFIG] = str(config)
    if place:  # the command line may have named it, and workers do not see that
        os.environ |= {"CASELLA_METRICS_HOST": place.host, "CASELLA_METRICS_PORT": str(settings.metrics_port)}
    shared = _config("service.http.run:worker_app", settings, host, port, workers)
    multiprocess.Process = _Worker  # type: ignore[misc]  # the supervisor makes its workers by this name
    multiprocess.Multiprocess(shared, sockets=[shared.bind_socket()]).run()


def worker_app() -> FastAPI:
    """The application of one worker of several."""
    settings = _settings()
    logs.configure(settings.log_level)
    app = create_app(settings)
    _freeze()
    return app


class Scraped(uvicorn.Server):
    """Serves the metrics beside the API, from before it starts until it has ended."""

    def __init__(self, config: uvicorn.Config, place: Place | None) -> None:
        super().__init__(config)
        self._place = place

    async def serve(self, sockets: list[socket] | None = None) -> None:
        async with scraping.scraped(self._place):
            await super().serve(sockets)


class Draining(Scraped):
    """On SIGTERM unready at once, but serving until the platform has seen it and sends no more; then exit code 0.

    Ctrl-C ends it without draining, a second one without waiting for anything.
    """

    def __init__(self, config: uvicorn.Config, seconds: float, place: Place | None = None) -> None:
        super().__init__(config, place)
        self._seconds = seconds
        self._drains = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
            return
        # uvicorn would raise it again at the end, and an orderly shutdown would look like a death by signal.
        self.should_exit = self._drains = True

    async def main_loop(self) -> None:
        await super().main_loop()
        if not self._drains:
            return
        state = _application(self.config).state
        state.is_ready = False
        state.service.streams.close()
        # Pooled connections end with an answer: closed from this side alone, one may cross a request.
        self.config.encoded_headers.append((b"connection", b"close"))
        until = asyncio.get_running_loop().time() + self._seconds
        while asyncio.get_running_loop().time() < until and not self.force_exit:
            await self.on_tick(0)  # it takes the header up, and keeps Date right
            await asyncio.sleep(0.1)


class _Worker(multiprocess.Process):
    """One of several, drained like a single one."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            settings = _settings()
            logs.configure(settings.log_level)  # before the application is made, which is later
            self._server = Draining(self.config, settings.drain_seconds, Place.of(settings, self.config.workers))
        return self._server


def _config(app: "FastAPI | str", settings: Settings, host: str, port: int, workers: int = 1) -> uvicorn.Config:
    return http_server.configured(
        app,
        host,
        port,
        max_connections=files.affordable(settings.max_connections),
        trusted_proxies=settings.trusted_proxies,
        workers=workers,
    )


def _application(config: uvicorn.Config) -> FastAPI:
    """Without what uvicorn puts around it."""
    app = config.loaded_app
    while not isinstance(app, FastAPI):
        app = app.app
    return app


def _settings() -> Settings:
    file = os.environ.get(CONFIG)
    return read_settings(Path(file) if file else None)


def _freeze() -> None:
    """What was made so far stays: no collection of garbage has to walk over it."""
    gc.collect()
    gc.freeze()
