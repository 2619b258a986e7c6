"""Reads what a connection sends in small portions. Limits what one client costs in memory, in time and in delay."""

import asyncio
from collections.abc import Callable, Sized
from time import monotonic

from uvicorn.protocols.http.flow_control import FlowControl

TURN_SECONDS = 0.001
"""How long the octets of one connection are parsed before other connections get their turn."""
_CHECK_SECONDS = 1.0
"""How often a deadline is checked while the service keeps the client waiting."""
_PER_CHUNK, _PER_OCTET, _ALLOWANCE = 16, 2, 16 << 10


class Inflow(FlowControl):
    """Passes received octets on to ``parse``, as many at a time as ``portion`` returns.

    While reading is paused or ``queue`` holds requests, the rest waits and nothing more is read. The parser itself
    cannot pause: it would turn all octets of one read into requests, which take a hundred times the memory.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        queue: Sized,
        portion: Callable[[], int],
        parse: Callable[[bytes], None],
    ) -> None:
        super().__init__(transport)
        self._queue = queue
        self._portion = portion
        self._parse = parse
        self._octets = b""
        self._offset = 0
        self._turn: asyncio.Handle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether there may be octets that arrived but were not parsed."""
        return self.read_paused or bool(self._octets)

    def receive(self, octets: bytes) -> None:
        self._octets = self._octets[self._offset :] + octets if self._octets else octets
        self._offset = 0
        if self._turn is None and not self.read_paused:
            self._work()

    def resume_reading(self) -> None:
        if not self.read_paused or self._queue:
            return
        self.read_paused = False
        if self._octets:
            self._continue_later()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Discard the octets that were not parsed."""
        self._octets, self._offset = b"", 0
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _work(self) -> None:
        until = monotonic() + TURN_SECONDS
        while self._octets and not self.read_paused:
            self._parse(self._next_portion())
            if self._transport.is_closing():
                self.close()
            elif self._octets and not self.read_paused and monotonic() > until:
                self._transport.pause_reading()
                self._continue_later()
                return

    def _next_portion(self) -> bytes:
        start, self._offset = self._offset, self._offset + self._portion()
        part = self._octets[start : self._offset]
        if self._offset >= len(self._octets):
            self._octets, self._offset = b"", 0
        return part

    def _continue_later(self) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        self._turn = None
        self._work()
        if not self.is_behind and not self._transport.is_closing():
            self._transport.resume_reading()


class Deadline:
    """Calls ``expire`` when its seconds have passed. They do not pass while ``is_held`` returns true."""

    def __init__(self, is_held: Callable[[], bool], expire: Callable[[], None]) -> None:
        self._is_held = is_held
        self._expire = expire
        self._seconds = self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._timer is not None

    def start(self, seconds: float) -> None:
        self.stop()
        self._seconds = seconds
        self._due = asyncio.get_running_loop().time() + seconds
        self._check_in(seconds)

    def extend(self, seconds: float) -> None:
        """Expire that much later, but at most the initial seconds from now."""
        self._due = min(self._due + seconds, asyncio.get_running_loop().time() + self._seconds)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check)

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._is_held():
            self._due = now + self._seconds
            self._check_in(min(self._seconds, _CHECK_SECONDS))
        elif now < self._due:
            self._check_in(self._due - now)
        else:
            self._timer = None
            self._expire()


class FramingOverhead:
    """The octets of a chunked body that are not content: chunk lines with extensions, and trailers.

    Limited in proportion to the content, as in Go's net/http: chunks of one octet are legitimate, but extensions are
    not longer than the content of their chunk.
    """

    def __init__(self) -> None:
        self._excess = 0

    def exceeds(self, octets: int, content: int, chunks: int) -> bool:
        """Count ``octets`` more, ``content`` of them content, and ``chunks`` chunk lines. True above the limit."""
        allowed = content * (1 + _PER_OCTET) + chunks * _PER_CHUNK
        self._excess = max(0, self._excess + octets - allowed)
        return self._excess > _ALLOWANCE
