"""Answers that go on for as long as somebody listens, closed by the service itself before it ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.mail.changes import Watch


class EventStreams:
    """Those that are open. None is opened once they are being closed."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def opened(self, watch: Watch) -> Iterator[None]:
        """Counted while inside."""
        self._open.add(watch)
        try:
            yield
        finally:
            self._open.discard(watch)

    def close(self) -> None:
        """Ask each to end. They do when they are woken."""
        self.is_closing = True
        for watch in self._open:
            watch.wake()
