"""Casella as the platform runs it: a process with arguments and an environment, probed over HTTP and ended by signals."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import httpx

from tests.canaries import Canaries
from tests.servers.dovecot import Dovecot
from tests.servers.process import HOST, free_ports

ENTRYPOINT = (sys.executable, "-m", "service")
START_SECONDS = 30.0


def environment(dovecot: Dovecot, **settings: object) -> dict[str, str]:
    """Dovecot as the only server, for every username, by IMAP and POP3, and more settings."""
    env = {"CASELLA_DEFAULT_SERVER": "home"}
    for protocol, port in (("IMAP", dovecot.ports.imap), ("POP3", dovecot.ports.pop3)):
        place = {"HOST": HOST, "PORT": str(port), "SECURITY": "none"}
        env |= {f"CASELLA_SERVERS__HOME__{protocol}__{name}": value for name, value in place.items()}
    return env | {f"CASELLA_{name.upper()}": str(value) for name, value in settings.items()}


class Replica:
    """``async with Replica(env) as replica``; restart() may be called any number of times. A process that runs at the end is killed."""

    def __init__(
        self, env: Mapping[str, str], entrypoint: Sequence[str] = ENTRYPOINT, more: Sequence[str] = ()
    ) -> None:
        self.port, self.metrics_port = free_ports(2)
        self.args = ["serve", "--host", HOST, "--port", str(self.port), "--metrics-port", str(self.metrics_port), *more]
        self._entrypoint = entrypoint
        self._env = dict(os.environ) | dict(env)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the replica
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kills a process that runs, and lets its log go."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        Canaries.tell("the log of a process", self.log_octets())
        self._log.close()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def metrics_url(self) -> str:
        """The address of its metrics."""
        return f"http://{HOST}:{self.metrics_port}/metrics"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """The log of all its processes so far."""
        return self.log_octets().decode()

    def log_octets(self) -> bytes:
        """The log as octets, in any encoding."""
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)

    async def start(self) -> None:
        """Returns when it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *self._entrypoint, *self.args, env=self._env, stdout=self._log, stderr=self._log
        )
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(base_url=self.url) as client:
            while not await self._answers(client, "/readyz"):
                assert self._process.returncode is None, self.log
                await asyncio.sleep(0.02)
        assert self._process.returncode is None, self.log  # else another one has answered

    def send(self, sig: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sig)

    async def ended(self, seconds: float) -> int:
        """Its exit code; TimeoutError if the platform would kill it."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def _answers(self, client: httpx.AsyncClient, path: str) -> bool:
        try:
            return (await client.get(path)).status_code == 200
        except httpx.TransportError:
            return False
