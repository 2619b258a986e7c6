"""Names of files: what is unique in them, and the flags behind ``:2,`` (https://cr.yp.to/proto/maildir.html)."""

import os
import re
import socket
import threading
import time
from collections.abc import Iterable
from secrets import token_hex
from typing import NamedTuple

_INFO = ":2,"
_ARRIVAL = re.compile(r"(\d{1,15})\.(?:[^.M]*M(\d{1,9}))?")
_HOST = socket.gethostname().replace("/", r"\057").replace(":", r"\072")[:64]


class Entry(NamedTuple):
    """A message where it lies now: ``place`` is ``cur`` or ``new``. Octets that are no UTF-8 are surrogates, as ``os``
    has them."""

    unique: str
    place: str
    name: str

    @property
    def letters(self) -> str:
        """Its flags and keywords; what follows another comma is none of them."""
        _, _, info = self.name.partition(_INFO)
        return info.partition(",")[0]


def entry_of(place: str, name: str) -> Entry:
    """The entry of a file."""
    return Entry(name.partition(":")[0], place, name)


def with_letters(entry: Entry, letters: Iterable[str]) -> str:
    """The name that the message has with these."""
    _, comma, rest = entry.name.partition(_INFO)[2].partition(",")
    return f"{entry.unique}{_INFO}{''.join(sorted(letters))}{comma}{rest}"


def arrival(unique: str) -> tuple[int, int, str]:
    """What messages are ordered by: the moment in their names. Names of another make come first."""
    found = _ARRIVAL.match(unique)
    return (int(found[1]), int(found[2] or 0), unique) if found else (0, 0, unique)


class _Clock:
    """Microseconds since 1970, never the same twice."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def tick(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return self._last


_clock = _Clock()


def new_unique(size: int) -> str:
    """A name that no message had; other programs read the size from it."""
    seconds, micro = divmod(_clock.tick(), 1_000_000)
    return f"{seconds}.M{micro:06}P{os.getpid()}R{token_hex(4)}.{_HOST},S={size}"
