"""The words of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Whether work may be claimed."""

    LIVE = "live"
    WAITING = "waiting"
    """It has nothing to do yet."""
    FAILED = "failed"
    """It cannot go on without its user."""


class Claim(NamedTuple):
    """What a worker holds. Of two claims of the same work, the one with the higher epoch counts."""

    id: str
    epoch: int


class Held(NamedTuple):
    """What the store knows of a claim of a worker."""

    claim: Claim
    revision: int


@dataclass(frozen=True, slots=True)
class Item:
    """A subscription, opened."""

    id: str
    content: bytes
    failures: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Work:
    """Claimed work, opened. Items that have expired or are not active are left out."""

    claim: Claim
    revision: int
    content: bytes
    mark: bytes | None
    failures: int
    items: Sequence[Item]


class Lost(Exception):
    """The work is no longer held by this claim."""


class Dead(Exception):
    """This worker did not report in time, and was declared dead: it needs a new name, and holds nothing."""


class Full(Exception):
    """There is no room for another one."""
