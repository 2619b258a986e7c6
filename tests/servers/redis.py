"""Debian's Redis, which forgets everything at its end unless its options say otherwise."""

import shutil
import subprocess
import time

from redis import Redis as Client
from redis.exceptions import ConnectionError as Refused

from tests.servers.process import HOST, Started, end, free_ports

START_SECONDS = 10.0


class Redis(Started):
    """``with Redis() as redis``: redis.url; stop() and start() as often as wanted."""

    def __init__(self, *options: str) -> None:
        """``options`` are those of its command line, besides its address."""
        self._options = options or ("--save", "", "--appendonly", "no")
        [self.port] = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("The tests need Redis: apt-get install redis-server")
        address = ["--bind", HOST, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [program, *address, *self._options], start_new_session=True, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError("Redis does not answer")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None

    def client(self) -> Client:
        """For a test that changes its settings."""
        return Client(host=HOST, port=self.port, socket_timeout=1)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except Refused:
                return False
