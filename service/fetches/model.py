"""The words: a fetch, what is wanted of it, and what came of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.accounts.credentials import Credentials
from service.mail.backend import Backend
from service.transfer.model import Failure

MOST = 10
"""Fetches of one account."""
SECONDS, LEAST_SECONDS, MOST_SECONDS = 900, 60, 24 * 3600
MAX_SHOWN = 20
"""Failures of the last run that are kept."""


class State(StrEnum):
    """What a fetch does at the moment."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted. ``folders`` are ids or roles at the source; None: all but drafts, trash and junk."""

    every_seconds: int = SECONDS
    folders: tuple[str, ...] | None = None
    into: str | None = None
    since: datetime | None = None
    deletes_source: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run failed. ``kind`` is the name of the error's class."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Record:
    """What came of the runs so far."""

    copied: int = 0
    """By all runs."""
    last_run_at: datetime | None = None
    last_copied: int = 0
    failed: tuple[Failure, ...] = ()
    """Of the last run, at most ``MAX_SHOWN``."""
    fault: Fault | None = None
    """Of the last run; None if it came to its end."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A fetch of an account."""

    id: str
    server: str
    protocol: str
    username: str
    plan: Plan
    created_at: datetime
    state: State
    record: Record
    next_run_at: datetime | None
    """None if it is stopped, or runs."""


class Desk(Protocol):
    """The fetches of one account. All methods raise StoreUnavailable if the store fails."""

    async def all(self) -> Sequence[Fetch]:
        """Oldest first."""

    async def keep(self, source: Credentials, mailbox: Backend, plan: Plan) -> Fetch:
        """Adds a fetch, or replaces the one of the same mailbox. ``mailbox`` is that of ``source``, signed in. Raises
        InvalidRequest if there are too many, or the credentials do not last."""

    async def remove(self, id: str) -> bool:  # noqa: A002 - the name in the contract
        """Whether there was one."""
