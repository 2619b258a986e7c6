"""What the port's methods take and return beside the values that are written as JSON: octets that pass through, parts
of answers, and outcomes.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from service.mail.errors import MailError, RangeNotSatisfiable
from service.mail.model import Address


@dataclass(frozen=True, slots=True)
class Span:
    """A requested byte range (RFC 9110, 14.1.2): ``first`` to ``last`` inclusive. ``last`` None means to the end;
    ``first`` None means the ``last`` final octets."""

    first: int | None
    last: int | None

    def within(self, size: int) -> tuple[int, int]:
        """The start and stop (exclusive) of the range in ``size`` octets. Raises RangeNotSatisfiable if it is empty."""
        if self.first is None:
            start, stop = max(0, size - (self.last or 0)), size
        else:
            start, stop = self.first, size if self.last is None else min(size, self.last + 1)
        if start >= stop:
            raise RangeNotSatisfiable(size)
        return start, stop


@dataclass(frozen=True, slots=True)
class Download:
    """Content that is being streamed. Its user reads ``chunks`` to the end or closes it; closing stops the work
    upstream.

    ``size`` is the size of the whole representation, None if it is unknown before the end. If a span was requested,
    ``size`` is exact and ``chunks`` has the octets from ``start`` to ``stop``.
    """

    chunks: AsyncGenerator[bytes, None]
    etag: str
    type: str
    name: str | None = None
    size: int | None = None
    start: int = 0
    stop: int | None = None


class PartRef(NamedTuple):
    """A part of a message of this mailbox, by the ids of both. ``is_base64``: it is wanted as base64 in short lines."""

    message: str
    part: str
    is_base64: bool


class Correspondence(NamedTuple):
    """The authors of one message, or its recipients, and when it was received."""

    id: str
    at: datetime | None
    people: tuple[Address, ...]


class FoundMessages(NamedTuple):
    """The ids of messages that match. ``has_more``: others match too, or may."""

    ids: Sequence[str]
    has_more: bool = False


class Source(Protocol):
    """The octets of a message to be stored. They can be read more than once."""

    @property
    def size(self) -> int:
        """In octets."""

    @property
    def message_id(self) -> str | None:
        """The Message-ID header without its angle brackets."""

    @property
    def digest(self) -> bytes:
        """A digest of the octets, except those that servers change when they store a message; see ``mime.digest``."""

    def chunks(self) -> AsyncIterator[bytes]:
        """All octets, from the first."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one of several messages. ``error`` is None if it was done. ``new_id`` is the id after a move or
    copy, None if the server does not report it."""

    id: str
    error: MailError | None = None
    new_id: str | None = None
