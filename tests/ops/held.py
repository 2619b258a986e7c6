"""The service as a process that knows how long its event loop was held: ``python -m tests.ops.held serve …``.

SIGUSR1 begins to measure; SIGUSR2 ends it, and writes what ``tests.unheld`` counts to the file that ``HELD_FILE`` names.
"""

import asyncio
import os
import runpy
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from service import app as composition
from service.accounts.servers import ServerTable
from service.push.model import Pusher
from service.settings.model import Settings
from tests.unheld import Watch

FILE = "HELD_FILE"
_create_app = composition.create_app


class Measuring:
    """Between two signals."""

    def __init__(self) -> None:
        self._watch = Watch()
        self._running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watch = Watch()
        self._running = asyncio.create_task(self._watch.run())

    def end(self) -> None:
        assert self._running is not None
        self._running.cancel()
        file = Path(os.environ[FILE])
        draft = file.with_suffix(".tmp")
        draft.write_text(str(self._watch.longest))
        draft.rename(file)


def create_app(settings: Settings, table: ServerTable | None = None, pusher: Pusher | None = None) -> FastAPI:
    """The application, with the signals."""
    app = _create_app(settings, table, pusher)
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def measured(application: FastAPI) -> AsyncIterator[None]:
        measuring, loop = Measuring(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, measuring.begin)
        loop.add_signal_handler(signal.SIGUSR2, measuring.end)
        async with lifespan(application):
            yield

    app.router.lifespan_context = measured
    return app


if __name__ == "__main__":
    composition.create_app = create_app
    runpy.run_module("service", run_name="__main__", alter_sys=True)
