"""What a connection sends, taken in small portions: what one client may cost in memory, in time, and in waiting."""

import asyncio
from collections.abc import Callable, Sized
from time import monotonic

from uvicorn.protocols.http.flow_control import FlowControl

TURN_SECONDS = 0.001
"""What one connection's octets may take before the others have their turn."""
_LOOK_SECONDS = 1.0
"""How often a deadline is looked at while it is we who keep the client waiting."""
_EACH_CHUNK, _EACH_OCTET, _SPARE = 16, 2, 16 << 10


class Inflow(FlowControl):
    """Passes what is received on to ``parse``, as many octets at a time as ``portion`` says.

    The rest waits, and nothing more is read, while reading is paused or ``queue`` has requests in it. The parser itself
    cannot pause: it would make requests of all that came in one read, a hundred times larger than their octets.
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
        self._at = 0
        self._turn: asyncio.Handle | None = None

    @property
    def is_behind(self) -> bool:
        """Whether more may have arrived than was parsed."""
        return self.read_paused or bool(self._octets)

    def receive(self, octets: bytes) -> None:
        self._octets = self._octets[self._at :] + octets if self._octets else octets
        self._at = 0
        if self._turn is None and not self.read_paused:
            self._work()

    def resume_reading(self) -> None:
        if not self.read_paused or self._queue:
            return
        self.read_paused = False
        if self._octets:
            self._go_on_later()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Forgets what was not parsed."""
        self._octets, self._at = b"", 0
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _work(self) -> None:
        until = monotonic() + TURN_SECONDS
        while self._octets and not self.read_paused:
            self._parse(self._taken())
            if self._transport.is_closing():
                self.close()
            elif self._octets and not self.read_paused and monotonic() > until:
                self._transport.pause_reading()
                self._go_on_later()
                return

    def _taken(self) -> bytes:
        start, self._at = self._at, self._at + self._portion()
        part = self._octets[start : self._at]
        if self._at >= len(self._octets):
            self._octets, self._at = b"", 0
        return part

    def _go_on_later(self) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._turn = None
        self._work()
        if not self.is_behind and not self._transport.is_closing():
            self._transport.resume_reading()


class Deadline:
    """Calls ``expire`` when the seconds it was started with are over. They do not pass while ``is_held``."""

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
        self._look_in(seconds)

    def earn(self, seconds: float) -> None:
        """So much later, but never further away than at the start."""
        self._due = min(self._due + seconds, asyncio.get_running_loop().time() + self._seconds)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._is_held():
            self._due = now + self._seconds
            self._look_in(min(self._seconds, _LOOK_SECONDS))
        elif now < self._due:
            self._look_in(self._due - now)
        else:
            self._timer = None
            self._expire()


class Framing:
    """What a chunked body has besides its content: chunk lines with extensions, and trailers.

    Bounded by the content, as Go's net/http does: chunks of one octet are legitimate, and extensions are not longer
    than what they extend.
    """

    def __init__(self) -> None:
        self._excess = 0

    def is_too_much(self, octets: int, content: int, chunks: int) -> bool:
        """Counts ``octets`` more, of which ``content`` were content, in which ``chunks`` began."""
        allowed = content * (1 + _EACH_OCTET) + chunks * _EACH_CHUNK
        self._excess = max(0, self._excess + octets - allowed)
        return self._excess > _SPARE
