"""The flags of a folder's messages as they were at a change (RFC 7162, 3.1): valid until a later one.

What is read together has the number of a change that was known before, so it can only be newer than it says. What the
server reports as changed since that number shows which values still hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST = 500
"""Messages of a folder whose flags are known: those of a few pages."""
COST = 120
"""Octets in memory of the flags of one message, measured with tracemalloc."""


@dataclass(frozen=True, slots=True)
class FlagsRead:
    """Flags as JSON, by UID, that were read after change ``as_of`` was known."""

    as_of: int
    flags: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class KnownFlags:
    """The flags of one folder, those read last at the end. It is frozen: to change it, put another in its place."""

    reads: Sequence[FlagsRead] = ()

    @property
    def octets(self) -> int:
        """Its approximate size in memory."""
        return COST * sum(len(each.flags) for each in self.reads)

    @property
    def since(self) -> int:
        """The change up to which all values held."""
        return min((each.as_of for each in self.reads), default=0)

    def merged(self) -> dict[int, bytes]:
        """One value of each message. It holds, unless the message changed after ``since``."""
        return {
            uid: flags for each in sorted(self.reads, key=lambda each: each.as_of) for uid, flags in each.flags.items()
        }

    def noting(self, read: FlagsRead) -> "KnownFlags":
        """With what was read just now, without the oldest if there is too much."""
        reads, left = [read], MOST - len(read.flags)
        for each in reversed(self.reads):
            left -= len(each.flags)
            if left < 0:
                break
            reads.append(each)
        return KnownFlags(reads[::-1])

    def replacing(self, earlier: "KnownFlags", read: FlagsRead) -> "KnownFlags":
        """With one value of each message instead of those that were known earlier."""
        return KnownFlags([each for each in self.reads if each not in earlier.reads]).noting(read)
