"""An import: its options, its progress and its results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2s
from typing import Any, NamedTuple

from pydantic import Field

from service.mail.model import Count, Number, Value

MAX_REMEMBERED = 3000
"""Finished folders, in a token. What is forgotten is looked at again."""
MAX_FAILED = 3000
"""Messages that failed, in a token."""
MAX_DROPPED = 50
MAX_SUSPECTS = 500
"""Messages during which connections were lost, in a token."""
MAX_NAMED = 16 << 10
"""Characters of the names of folders in a token. Beyond that they are shortened."""
_SHORT = 6


class Reason(StrEnum):
    """Why a message is left at the source."""

    TOO_LARGE = "tooLarge"
    NUL = "nul"
    EMPTY = "empty"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    NO_FOLDER = "noFolder"
    NOT_VERIFIED = "notVerified"
    NOT_DELETED = "notDeleted"


REASONS = ", ".join(f"`{each}`" for each in Reason)


class Failure(Value):
    """A message, or a folder, that was left at the source."""

    folder: str = Field(description="The name of the folder at the source.")
    id: str | None = Field(None, description="The id of the message at the source. Absent if it is the folder.")
    reason: str = Field(
        description=f"{REASONS}. Later versions may add others. `notVerified` and `notDeleted` concern messages that"
        " were copied, and are still at the source."
    )
    detail: str = Field(description="The same in words.")


class FolderProgress(Value):
    """A folder of the source."""

    name: str = Field(description="Its names from the root, separated by `/`.")
    copied: Count = Field(description="The number of messages copied by this import.")
    skipped: Count = Field(description="The number of messages that were at the destination before.")
    left: Count = Field(description="The number of messages that are still to be copied.")


class ImportProgress(Value):
    """How far an import is, over all of its requests."""

    copied: Count = Field(description="The number of messages copied.")
    skipped: Count = Field(description="The number of messages that were at the destination before.")
    left: Count | None = Field(None, description="The number of messages still to be copied, as far as is known.")
    octets: Count = Field(description="The octets copied. Of a dry run: those still to be copied.")
    folder: str | None = Field(None, description="The name of the folder that is being copied.")


class Options(NamedTuple):
    """What is wanted. ``folders`` are ids or roles at the source, perhaps as ``short`` names them; None: all of the
    user's own. ``into`` is a folder of the destination, in place of those that match."""

    folders: tuple[str, ...] | None = None
    into: str | None = None
    since: datetime | None = None
    is_dry: bool = False
    deletes_source: bool = False


@dataclass
class Progress:
    """What later bursts know of earlier ones."""

    done: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Copied, skipped and left in each folder that is finished."""
    begun: dict[str, int] = field(default_factory=dict)
    """Messages copied in each folder that is not."""
    gone: dict[str, int] = field(default_factory=dict)
    """Messages that have their copies and are not looked at again, in each folder that is not finished: they were
    deleted, or could not be."""
    reached: dict[str, str] = field(default_factory=dict)
    """The last message that was handled in each folder that is not finished."""
    failed: dict[str, None] = field(default_factory=dict)
    """Messages that are not tried again."""
    suspects: dict[str, int] = field(default_factory=dict)
    """Messages that were being read or written when a connection was lost, and how often."""
    octets: int = 0
    is_distinct: bool = False
    """Whether it was seen that the two mailboxes are not the same one."""

    @property
    def copied(self) -> int:
        """The number of messages copied."""
        return sum(self.begun.values()) + sum(copied for copied, _, _ in self.done.values())

    def finish(self, folder: str, copied: int, skipped: int, left: int) -> None:
        """Nothing is left to do in this folder."""
        for each in (self.begun, self.gone, self.reached):
            each.pop(folder, None)
        self.done[folder] = copied, skipped, left


@dataclass
class Job:
    """An import."""

    options: Options
    progress: Progress = field(default_factory=Progress)

    def claims(self) -> dict[str, Any]:
        """For a token."""
        options, progress = self.options, self.progress
        since = options.since.isoformat() if options.since else None
        return {
            "options": [_names(options.folders), options.into, since, options.is_dry, options.deletes_source],
            "done": dict(list(progress.done.items())[-MAX_REMEMBERED:]),
            "begun": progress.begun,
            "gone": progress.gone,
            "reached": progress.reached,
            "failed": list(progress.failed)[-MAX_FAILED:],
            "suspects": dict(list(progress.suspects.items())[-MAX_SUSPECTS:]),
            "octets": progress.octets,
            "distinct": progress.is_distinct,
        }

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> "Job":
        """From the claims of a token."""
        folders, into, since, is_dry, deletes = claims["options"]
        options = Options(
            tuple(folders) if folders is not None else None,
            into,
            datetime.fromisoformat(since) if since else None,
            is_dry,
            deletes,
        )
        done = {name: (copied, skipped, left) for name, (copied, skipped, left) in claims["done"].items()}
        progress = Progress(
            done,
            dict(claims["begun"]),
            dict(claims.get("gone", {})),
            dict(claims.get("reached", {})),
            dict.fromkeys(claims["failed"]),
            dict(claims["suspects"]),
            claims["octets"],
            claims["distinct"],
        )
        return cls(options, progress)


def short(name: str) -> str:
    """A long id, as a token remembers it."""
    return blake2s(name.encode(errors="surrogatepass"), digest_size=_SHORT).hexdigest()


def _names(folders: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """As a token has them."""
    if folders is None or sum(map(len, folders)) <= MAX_NAMED:
        return folders
    return tuple(map(short, folders))


@dataclass
class Report:
    """What a burst did. ``retry_after`` says for how many seconds one of the mail servers wants to be left alone."""

    is_done: bool
    progress: ImportProgress
    folders: tuple[FolderProgress, ...]
    failed: tuple[Failure, ...] = ()
    deleted: Number = 0
    dropped: tuple[str, ...] = ()
    retry_after: int | None = None
