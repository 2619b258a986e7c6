"""A server as a process: a free port to give it, whether it greets, and its end with all its children."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
STOP_SECONDS = 10.0
BLOCK = 64
"""Ports that are taken together."""


class Started:
    """A server that runs within ``with``."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _ports() -> Iterator[int]:
    """Those of blocks that this process has to itself as long as it lives: a port that another one took meanwhile would
    be an error now and then.

    They are below those that the system gives to connections on their way out, which could take one as well.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    folder = Path(tempfile.gettempdir(), f"casella-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    own: list[int] = []
    firsts = list(range(10_000, end - BLOCK, BLOCK))
    random.SystemRandom().shuffle(firsts)  # another one is seeded alike in all processes
    for first in firsts:
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        block = range(first, first + BLOCK)
        own += block
        yield from block
    yield from cycle(own)


_PORTS = _ports()


def free_ports(count: int) -> list[int]:
    """Held together, so that they differ, and let go together."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            with suppress(OSError):  # somebody has it
                port = next(_PORTS)
                stack.enter_context(socket.create_server((HOST, port)))
                ports.append(port)
        return ports


def greets(port: int) -> bool:
    """Whether an IMAP or POP3 server says hello there."""
    return greets_with(port, b"*", b"+")


def greets_with(port: int, *firsts: bytes) -> bool:
    """Whether a server says hello there, with one of these octets first."""
    try:
        with socket.create_connection((HOST, port), 5) as connection:
            return connection.recv(1) in firsts
    except OSError:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End it and its group, which it leads. TimeoutError with the pids where one of them does not go."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # A child that still serves a client may stay behind its master.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)
    deadline = time.monotonic() + STOP_SECONDS
    while left := living(process.pid):
        if time.monotonic() > deadline:
            raise TimeoutError(left)
        time.sleep(0.001)


def living(group: int) -> list[int]:
    """The group's processes that run. A dead one may stay listed for ever where nobody waits for orphans: the first
    process of a container often does not, so asking ``killpg`` would not do."""
    return [pid for pid, (state, its_group) in _processes() if its_group == group and state not in "ZX"]


def _processes() -> list[tuple[int, tuple[str, int]]]:
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                state, _, group = (place / "stat").read_text().rpartition(")")[2].split()[:3]
                found.append((int(place.name), (state, int(group))))
    return found
