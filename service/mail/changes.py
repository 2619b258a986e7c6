"""Changes since an earlier state: values that adapters return and the API writes as JSON.

A sync token identifies a state of a folder or of the mailbox. Only the kind of adapter that made it can read it. It
holds everything that is needed to continue, so every replica can.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol as Shape

from pydantic import Field

from service.mail.model import Count, Value


class FolderChanges(Value):
    """The changes to the messages of a folder, by message id."""

    folder_id: str = Field(description="The id of the folder.")
    created: tuple[str, ...] = Field((), description="The ids of new messages.")
    updated: tuple[str, ...] = Field((), description="The ids of messages whose flags may have changed.")
    destroyed: tuple[str, ...] = Field(
        (), description="The ids of messages that no longer exist. The client may not know some of them."
    )
    resync: bool | None = Field(None, description="True if the changes are unknown: list the folder again.")

    def __bool__(self) -> bool:
        return bool(self.created or self.updated or self.destroyed or self.resync)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of one folder, and the token to continue from."""

    changes: FolderChanges
    token: bytes
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """The changes of all folders. A renamed folder is destroyed, and another one is created."""

    token: bytes
    folders: Sequence[FolderChanges] = ()
    created_folders: Sequence[str] = field(default=())
    destroyed_folders: Sequence[str] = field(default=())
    has_more: bool = False

    def __bool__(self) -> bool:
        return bool(self.folders or self.created_folders or self.destroyed_folders)


class WatchHealth(Value):
    """How this process watches the mailbox for changes."""

    mode: str = Field(
        description="`notify`: the mail server reports changes in every folder. `idle`: it reports changes in the"
        " inbox, and other folders are polled. `poll`: all folders are polled. `down`: the connection is lost and is"
        " being restored."
    )
    inbox_within_seconds: float | None = Field(
        None,
        description="How many seconds after it happened a change in the inbox is noticed at the latest. A mail server"
        " that was not yet seen to report changes itself is also polled.",
    )
    others_within_seconds: float | None = Field(
        None, description="How many seconds after it happened a change in another folder is noticed at the latest."
    )
    heard_seconds_ago: float | None = Field(None, description="Seconds since the mail server's last response.")
    event_seconds_ago: float | None = Field(None, description="Seconds since the mail server last reported a change.")
    losses: Count = Field(description="How often the connection was lost or could not be opened.")


class Watch(Shape):
    """A listener to the changes of a mailbox."""

    async def wait(self, seconds: float) -> bool:
        """Waits for a change at most ``seconds``. Returns whether there may have been one since the last call."""
        ...

    def wake(self) -> None:
        """Ends the current wait, or the next one."""
