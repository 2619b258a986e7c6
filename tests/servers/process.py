"""A server as a process: a free port to give it, whether it greets, and its end with all its children."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
STOP_SECONDS = 10.0


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
    """Each process of a test run has a part of its own, and gives a port again only after all others.

    They are below those that the system gives to connections on their way out: one of those could take a port before
    the server that is meant to have it starts.
    """
    first, parts = 10_000, 8
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % parts
    size = (end - first) // parts
    own = range(first + part * size, first + (part + 1) * size)
    start = random.SystemRandom().randrange(len(own))  # another one is seeded alike in all processes
    return cycle([*own[start:], *own[:start]])


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
