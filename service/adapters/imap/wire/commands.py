"""What is sent and what comes back: a command in flight, its answer, and how long each may take."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from time import perf_counter

from service.adapters.imap.wire.status import Status
from service.mail.errors import UpstreamProtocol

_LATEST = 10
_SLACK = 1.5
"""Times the slowest of the latest answers."""


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. ``progress`` ends a command when no octet comes for that long, ``command`` in any case. ``patience``
    is how long a request waits for a connection. Outlook may take 15 seconds for any answer, its greeting included."""

    connect: float = 10.0
    greeting: float = 20.0
    login: float = 20.0
    progress: float = 30.0
    command: float = 60.0
    patience: float = 20.0


class AnswerTimes:
    """How long a mailbox's latest answers took, on all its connections. A server that is slow is not dead: closing its
    connections for new ones, which are as slow, makes it slower."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=_LATEST)

    def note(self, seconds: float) -> None:
        """An answer took this long, or did not come for so long."""
        self._latest.append(seconds)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Entered while an answer is awaited: notes how long that takes."""
        began = perf_counter()
        try:
            yield
        finally:
            self.note(perf_counter() - began)

    def allowed(self, usual: float, most: float, answers: int = 1) -> float:
        """How long an answer that is usually quick may take now, or several one after the other, in seconds: not less
        than ``usual``, and not more than ``most`` unless that is less."""
        return max(usual, min(most, _SLACK * answers * max(self._latest, default=0)))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command: the untagged responses in order, without their ``* ``, and the tagged status.

    Commands that were sent together share the untagged responses, and servers run them in any order: Dovecot, for one,
    answers a NOOP only after the search behind it.
    """

    untagged: list[bytes]
    status: Status


class AnswerTooLarge(UpstreamProtocol):
    """The answer exceeds a limit. A caller that asked for too much of a huge folder may ask for less."""


class After(Enum):
    """What the server speaks behind its agreement to a command."""

    SAME = auto()
    TLS = auto()
    """No octet may come in clear (STARTTLS; RFC 9051, 6.2.1)."""
    DEFLATE = auto()
    """Both sides compress (RFC 4978)."""


class Pending:
    """A command that was sent and has no answer yet. ``replies`` are written one for each ``+``."""

    __slots__ = ("after", "answer", "challenges", "go", "is_idle", "optional", "replies", "tag", "untagged")

    def __init__(self, tag: bytes, replies: Sequence[bytes], untagged: list[bytes], *, optional: bool) -> None:
        self.tag = tag
        self.replies = deque(replies)
        self.optional = optional  # the server may finish without having asked for all replies
        self.after = After.SAME
        self.untagged = untagged
        self.go: asyncio.Event | None = None  # set by a ``+``, if the caller writes the rest without ``replies``
        self.challenges: asyncio.Queue[bytes] | None = None  # what ``+`` says, if the caller answers each
        self.is_idle = False  # responses that come meanwhile are news, not an answer
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


async def is_continued(go: asyncio.Event, answer: "asyncio.Future[Answer]") -> bool:
    """Returns whether the server sent ``+`` for the rest of the command; False if it answered instead."""
    continuation: asyncio.Future[bool] = asyncio.ensure_future(go.wait())
    both: set[asyncio.Future[bool] | asyncio.Future[Answer]] = {continuation, answer}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return continuation.done()
    finally:
        continuation.cancel()


async def next_challenge(challenges: "asyncio.Queue[bytes]", answer: "asyncio.Future[Answer]") -> bytes | None:
    """Returns what the server said behind ``+``; None if it answered instead."""
    challenge: asyncio.Future[bytes] = asyncio.ensure_future(challenges.get())
    both: set[asyncio.Future[bytes] | asyncio.Future[Answer]] = {challenge, answer}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return challenge.result() if challenge.done() else None
    finally:
        challenge.cancel()


def refusal_of(answer: Answer) -> Answer:
    """Returns the answer to a command that was not sent to its end. Raises UpstreamProtocol if it is OK."""
    if answer.status.kind == "OK":
        raise UpstreamProtocol("The mail server completed the command before it had the message.", protocol="imap")
    return answer
