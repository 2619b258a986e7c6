"""Runs a coroutine that only pauses, without an event loop: for benches and fuzzers."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def now(work: Coroutine[Any, Any, T]) -> T:
    """What it returns. Work that waits for anything but its next turn is a mistake here."""
    while True:
        try:
            waits_for = work.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        assert waits_for is None
