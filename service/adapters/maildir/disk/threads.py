"""The threads that work on one disk. Each call of the port runs whole in one of them.

Each disk has threads of its own, so that a slow one (NFS, a failing drive) delays its own mailboxes and nothing else of
the process. Work whose caller was cancelled ends at its next ``checkpoint``, between two messages and never within a
write.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Event
from typing import ParamSpec, TypeVar

from anyio import CancelScope

from service.adapters.maildir.disk.files import mail_errors

P = ParamSpec("P")
T = TypeVar("T")
INTERACTIVE_THREADS = 6
BULK_THREADS = 4
"""For searches and for what takes many messages, which may run for seconds: one message never waits behind these."""
_caller_left: ContextVar[Event] = ContextVar("caller_left")


class CallerLeft(Exception):
    """The caller of this work was cancelled. It ends the thread's work; no caller is left to see it."""


def checkpoint() -> None:
    """Raises CallerLeft in a thread whose caller was cancelled. Call it between messages."""
    caller_left = _caller_left.get(None)
    if caller_left is not None and caller_left.is_set():
        raise CallerLeft


class ThreadLane:
    """A few threads, which take the work in the order in which it came."""

    def __init__(self, threads: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what ``work`` returns: one thread hop. Raises its OSError as a MailError.

        If the caller is cancelled, work that waits for a thread never starts; work that runs ends at its next
        checkpoint, and this waits for that. So no work is under way when the caller goes on.
        """
        caller_left = Event()
        context = copy_context()
        context.run(_caller_left.set, caller_left)
        job = self._executor.submit(partial(context.run, _run, partial(work, *args, **kwargs)))
        done = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            caller_left.set()
            if not job.cancel():
                with CancelScope(shield=True):
                    await asyncio.wait([done])
            raise


class DiskThreads:
    """The threads of one disk: ``bulk`` work never blocks ``interactive`` work."""

    def __init__(self) -> None:
        self.interactive = ThreadLane(INTERACTIVE_THREADS, "maildir")
        self.bulk = ThreadLane(BULK_THREADS, "maildir-bulk")


def _run(work: Callable[[], T]) -> T:
    with mail_errors():
        return work()
