"""A server as a process: a free port to give it, whether it greets, and its end with all its children."""

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
PORTS = (10_000, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]))
"""From which to which, without the last."""
STOP_SECONDS = 10.0
_DRAW = random.SystemRandom()  # the other one is seeded alike in all processes of a test run


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


def free_ports(count: int) -> list[int]:
    """Held together, so that they differ, and let go together.

    Below those that the system gives to connections on their way out (RFC 6335 calls them dynamic): one of those could
    take a port before the server that is meant to have it starts.
    """
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            with suppress(OSError):  # somebody has it
                port = _DRAW.randrange(*PORTS)
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
