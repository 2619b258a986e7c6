"""Casella, and how long its event loop was held at worst.

    WATCHED=FILE python -m tests.hostile.watched serve --host 127.0.0.1 --port 8000

Writes ``{"stall": …, "rss": …}`` to FILE: CPU seconds of the loop's thread between two of its turns, and megabytes, both
the worst since the last SIGUSR1. CPU seconds, because a machine that does other things too must not look like a fault.
"""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path
from time import thread_time

import uvicorn

from service.cli import run

TICK_SECONDS = 0.002
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """The worst so far."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._resets = -1
        self.reset()

    def reset(self) -> None:
        self._resets += 1
        self._stall = self._rss = 0.0
        self._write()

    def note(self, stall: float) -> None:
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
        if stall > self._stall or rss > self._rss:
            self._stall, self._rss = max(stall, self._stall), max(rss, self._rss)
            self._write()

    def _write(self) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps({"resets": self._resets, "stall": self._stall, "rss": self._rss}))
        written.replace(self._file)

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.reset)
        while True:
            began = thread_time()
            await asyncio.sleep(TICK_SECONDS)
            self.note(thread_time() - began)


def main() -> None:
    serve = uvicorn.Server.serve
    watch = Watch(Path(os.environ["WATCHED"]))

    async def watched(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        running = asyncio.create_task(watch.run())
        await serve(self, sockets)
        running.cancel()

    uvicorn.Server.serve = watched  # type: ignore[method-assign]
    run()


if __name__ == "__main__":
    main()
