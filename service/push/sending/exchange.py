"""The words between the kinds of push and what carries them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from service.push.model import Notice, Subscription

MAX_ANSWER = 4 << 10
"""Octets of an answer that are read."""


class Unreachable(Exception):
    """No answer: the network, the time, TLS, or an address that may not be reached. The reason is not shown."""


class NotPossible(Exception):
    """The operator no longer has what the subscription needs, such as its key."""


class Verdict(Enum):
    """What an answer says."""

    DELIVERED = auto()
    GONE = auto()
    FAILED = auto()
    LATER = auto()
    """It may go well if it is tried again."""


@dataclass(frozen=True, slots=True)
class Post:
    """A request."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``retry_after`` is in seconds."""

    status: int
    body: bytes = b""
    retry_after: float | None = None


class Transport(Protocol):
    """Carries requests."""

    async def post(self, request: Post) -> Answer:
        """Raises Unreachable."""

    async def aclose(self) -> None:
        """Close the connections."""


class Courier(Protocol):
    """One kind of push."""

    transport: Transport

    async def post(self, subscription: Subscription, notice: Notice, now: datetime) -> Post:
        """The request. The same notice makes the same push each time. Raises NotPossible, and Unreachable."""

    def verdict(self, answer: Answer) -> Verdict:
        """What became of it."""


def usual_verdict(answer: Answer) -> Verdict:
    """Of push services and back ends (RFC 8030, 5 and 7.3). A redirect is followed nowhere, and counts as a failure."""
    if 200 <= answer.status < 300:
        return Verdict.DELIVERED
    if answer.status in {404, 410}:
        return Verdict.GONE
    return Verdict.LATER if answer.status in {408, 425, 429} or answer.status >= 500 else Verdict.FAILED
