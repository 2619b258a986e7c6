"""Open responses: event streams and long polls. The service closes them when it shuts down."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.mail.changes import Watch


class EventStreams:
    """The watches of open responses. A response that starts after ``close`` must end at once: see ``is_closing``."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def opened(self, watch: Watch) -> Iterator[None]:
        """Register a watch while the context is open."""
        self._open.add(watch)
        try:
            yield
        finally:
            self._open.discard(watch)

    def close(self) -> None:
        """Wake every watch. Its response then sees ``is_closing`` and ends."""
        self.is_closing = True
        for watch in self._open:
            watch.wake()
