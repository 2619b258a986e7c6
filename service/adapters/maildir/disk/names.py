"""File names of messages: the unique part, and the flags after ``:2,`` (https://cr.yp.to/proto/maildir.html)."""

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
    """The file of a message at a moment: ``subfolder`` is ``cur`` or ``new``. Octets of the name that are not UTF-8 are
    surrogates, as in ``os``."""

    unique: str
    subfolder: str
    name: str

    @property
    def letters(self) -> str:
        """The letters of its flags and keywords. What follows another comma belongs to other programs."""
        _, _, info = self.name.partition(_INFO)
        return info.partition(",")[0]


def entry_of(subfolder: str, name: str) -> Entry:
    """The entry of a file."""
    return Entry(name.partition(":")[0], subfolder, name)


def with_letters(entry: Entry, letters: Iterable[str]) -> str:
    """The file name of the message with these flags instead."""
    _, comma, rest = entry.name.partition(_INFO)[2].partition(",")
    return f"{entry.unique}{_INFO}{''.join(sorted(letters))}{comma}{rest}"


def arrival(unique: str) -> tuple[int, int, str]:
    """The sort key of the order of arrival: the moment in the name. Names of another form come first."""
    match = _ARRIVAL.match(unique)
    return (int(match[1]), int(match[2] or 0), unique) if match else (0, 0, unique)


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
    """The unique part of a new message's name. Other programs read the size from it."""
    seconds, micro = divmod(_clock.tick(), 1_000_000)
    return f"{seconds}.M{micro:06}P{os.getpid()}R{token_hex(4)}.{_HOST},S={size}"
