"""Several processes that share a port, and the supervisor that replaces those that die."""

import gc
import os
import signal
from multiprocessing import Pipe, get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from socket import socket
from threading import Thread

import structlog
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import SIGNALS, Multiprocess, Process

from service.app import create_app
from service.http.metrics_port import MetricsAddress
from service.http.servers import DrainingServer
from service.settings.model import Settings, read_settings
from service.telemetry import logs

APP = f"{__name__}:make_app"
"""The import path of the function that makes the application of a worker."""
CONFIG = "CASELLA_CONFIG"
"""The variable that names the settings' file."""
_log = structlog.get_logger("service.http.workers")


class Worker(Process):
    """One of several processes, with a server that drains like that of a single process.

    It is forked, not spawned as uvicorn's is: what the supervisor has imported is in memory once for all workers.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        self.config = config
        self._server = None
        self.parent_conn, self.child_conn = Pipe()
        self.process = get_context("fork").Process(target=self._run, args=(sockets,))  # type: ignore[assignment]

    def start(self) -> None:
        """Signals wait until the new process has handlers of its own: the supervisor's would only take note of them."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _run(self, sockets: list[socket]) -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        Thread(target=_end_with_supervisor, daemon=True).start()
        self.config.configure_logging()
        self.target(sockets)

    def target(self, sockets: list[socket] | None = None) -> None:
        """Runs in the new process. Makes the server before uvicorn starts the thread that answers whether it is ready:
        ``Process.server`` makes one on first use, and two threads would make two."""
        settings = _settings()
        logs.configure(settings.log_level)  # before the application is made, which is later
        metrics = MetricsAddress.of(settings, self.config.workers)
        self._server = DrainingServer(self.config, settings.drain_seconds, metrics)
        super().target(sockets)


class Supervisor(Multiprocess):
    """Uvicorn's supervisor, with a ``Worker`` for each process.

    Uvicorn has no setting for the class of its processes, so every method of its own that makes one is replaced here. A
    test fails if a new version of uvicorn has another.
    """

    def init_processes(self) -> None:
        freeze()  # a collection in a worker would copy the pages that it shares
        self.processes += [self._start() for _ in range(self.processes_num)]

    def handle_ttin(self) -> None:
        """SIGTTIN adds a worker."""
        self.processes_num += 1
        self.processes.append(self._start())

    def restart_all(self) -> None:
        """SIGHUP replaces the workers one by one: the new one serves before the old one drains."""
        for index, old in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            new = self._start()
            if not new.wait_until_ready(self.config.timeout_worker_healthcheck, self.should_exit):
                new.kill()
                new.join()
                _log.error("a new worker did not start in time, so the restart was given up", pid=new.pid)
                return
            old.terminate()
            old.join()
            self.processes[index] = new

    def keep_subprocess_alive(self) -> None:
        """Replaces workers that died or hang. Ends the service if one failed to start: the next would fail too."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set() or worker.is_alive(self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                _log.error("a worker failed to start", pid=worker.pid)
                self.should_exit.set()
            elif not self.should_exit.is_set():
                _log.warning("a worker died and is replaced", pid=worker.pid)
                self.processes[index] = self._start()

    def _start(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker


def _end_with_supervisor() -> None:
    """A worker whose supervisor was killed would serve for ever, and hold the port against the next start. The worker
    that was forked last notices first, because the others' ends of their pipes are in those forked later."""
    supervisor = parent_process()
    if supervisor is not None:
        wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def make_app() -> FastAPI:
    """Makes the application of one worker, from the settings it reads itself."""
    settings = _settings()
    logs.configure(settings.log_level)
    app = create_app(settings)
    freeze()
    return app


def freeze() -> None:
    """Exclude all objects made so far from garbage collection: they live as long as the process."""
    gc.collect()
    gc.freeze()


def _settings() -> Settings:
    file = os.environ.get(CONFIG)
    return read_settings(Path(file) if file else None)
