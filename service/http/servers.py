"""Uvicorn's server, with the metrics beside it and with draining."""

import asyncio
import signal
from socket import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.http.metrics_port import MetricsAddress, serving_metrics

ACCEPTED_SECONDS = 0.5
"""How long the last accepted connections may take to send their request."""


class ApiServer(uvicorn.Server):
    """Serves the metrics beside the API, from before the API starts until it has ended."""

    def __init__(self, config: uvicorn.Config, metrics: MetricsAddress | None) -> None:
        super().__init__(config)
        self._metrics = metrics

    async def serve(self, sockets: list[socket] | None = None) -> None:
        async with serving_metrics(self._metrics):
            await super().serve(sockets)


class DrainingServer(ApiServer):
    """On SIGTERM, not ready at once, but serving for ``seconds`` more, until the platform has noticed and sends no new
    requests. Then the process ends with exit code 0.

    Ctrl-C ends it without draining; a second Ctrl-C ends it without waiting for answers.
    """

    def __init__(self, config: uvicorn.Config, seconds: float, metrics: MetricsAddress | None = None) -> None:
        super().__init__(config, metrics)
        self._seconds = seconds
        self._drains = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
            return
        # uvicorn would raise the signal again at the end, and an orderly shutdown would look like a crash.
        self.should_exit = self._drains = True

    async def main_loop(self) -> None:
        await super().main_loop()
        if not self._drains:
            return
        state = _application(self.config).state
        state.is_ready = False
        state.service.streams.close()
        # Pooled connections are closed with an answer: closed at another time, a request may be on its way.
        self.config.encoded_headers.append((b"connection", b"close"))
        await self._serve_for(self._seconds)
        for server in self.servers:
            server.close()
        # A connection accepted just now has sent nothing yet: closed at once, its request would be lost.
        await self._serve_for(ACCEPTED_SECONDS)

    async def _serve_for(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until and not self.force_exit:
            await self.on_tick(0)  # applies the new header, and keeps Date current
            await asyncio.sleep(min(0.1, seconds))


def _application(config: uvicorn.Config) -> FastAPI:
    """Returns the application without uvicorn's middleware around it."""
    app = config.loaded_app
    while not isinstance(app, FastAPI):
        app = app.app
    return app
