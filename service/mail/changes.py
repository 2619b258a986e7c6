"""What happened since: values that travel from an adapter to JSON.

A mark says up to where somebody knows a folder or a mailbox. Only the adapter that made it can read it; nothing is kept
of it anywhere else, so every replica understands it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol as Shape

from pydantic import Field

from service.mail.model import Count, Value


class FolderChanges(Value):
    """What happened to the messages of a folder, by their ids."""

    folder_id: str = Field(description="Which folder.")
    created: tuple[str, ...] = Field((), description="They are there now and were not before.")
    updated: tuple[str, ...] = Field((), description="Their flags may have changed.")
    destroyed: tuple[str, ...] = Field((), description="They are gone; some may never have been seen.")
    resync: bool | None = Field(None, description="True where what happened cannot be told: list the folder again.")

    def __bool__(self) -> bool:
        return bool(self.created or self.updated or self.destroyed or self.resync)


@dataclass(frozen=True, slots=True)
class Changes:
    """Of one folder, and the mark from which to go on."""

    told: FolderChanges
    mark: bytes
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """Of all folders. Renaming a folder destroys it and creates another."""

    mark: bytes
    folders: Sequence[FolderChanges] = ()
    created_folders: Sequence[str] = field(default=())
    destroyed_folders: Sequence[str] = field(default=())
    has_more: bool = False

    def __bool__(self) -> bool:
        return bool(self.folders or self.created_folders or self.destroyed_folders)


class WatchHealth(Value):
    """How the mailbox is listened to, in this process."""

    mode: str = Field(
        description="`notify` hears every folder, `idle` the inbox (and looks at the others each 45 s), `poll` looks"
        " each 30 s, `down` has lost the mail server and tries again."
    )
    heard_seconds_ago: float | None = Field(None, description="Since the mail server's last word.")
    event_seconds_ago: float | None = Field(None, description="Since it last told of something.")
    losses: Count = Field(description="How often the connection was lost or could not be had.")


class Watch(Shape):
    """Somebody who listens to a mailbox."""

    async def wait(self, seconds: float) -> bool:
        """Whether something may have happened since the last call; False where nothing did for so long."""
        ...

    def wake(self) -> None:
        """Ends the present or the next wait."""
